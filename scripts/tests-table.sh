#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The table of docs/tests.md: each unit case, and since which state of the series it is
# kept, as the headers of qtest/unit/*.c say and judge.sh checks.
#
# usage: tests-table.sh [--write]
#
#   --write   put it into docs/tests.md instead of printing it
#
# Exit status: 0, or 2 for wrong use.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

page=$ROOT/docs/tests.md
write=no
for word; do
    case $word in
    -h | --help) print_help "$0"; exit 0 ;;
    --write) write=yes ;;
    *) die "unknown word $word" ;;
    esac
done

table() {
    local file line names name
    printf 'program\tcase\tkept\n'
    for file in "$ROOT"/qtest/unit/*.c; do
        [ "$(basename "$file")" != template.c ] || continue
        while read -r line; do
            names=${line#*: }
            for name in $names; do
                printf '%s\t%s\t%s\n' "$(basename "$file" .c)" "$name" "${line%%: *}"
            done
        done < <(sed -n 's/^ \* Kept \(always\|since\)/\1/p' "$file")
    done
}

if [ "$write" = no ]; then
    table | columns '| ' ' | ' ' |' yes
    exit
fi
need_commands "writing the table" python3=python3
table | columns '| ' ' | ' ' |' yes | python3 -c '
import re, sys
page, table = sys.argv[1], sys.stdin.read()
text = open(page).read()
new, n = re.subn(r"(<!-- the table[^\n]*\n).*?(<!-- end of the table -->)",
                 lambda m: m.group(1) + "\n" + table + "\n" + m.group(2), text, flags=re.S)
if n != 1:
    sys.exit(page + ": it has no place for the table")
open(page, "w").write(new)' "$page"
