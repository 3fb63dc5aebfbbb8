#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The table of docs/tests.md: every unit case on every tree, in each state of it.
#
# usage: tests-table.sh [--suite NAME]... [--variant NAME]... [--write]
#
#   --suite NAME     a Debian release; default: bullseye bookworm trixie
#   --variant NAME   default: stock rule awake requests
#   --write          put it into docs/tests.md instead of printing it; the part of
#                    a release that is not run stays
#   --page FILE      into this page instead
#
# Exit status: 0 all as expected, 1 a case is not, 2 wrong use, 77 not possible.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

suites=()
variants=()
write=no
page=$ROOT/docs/tests.md
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --suite) suites+=("$(value_of "$@")"); shift ;;
    --variant) variants+=("$(value_of "$@")"); shift ;;
    --write) write=yes ;;
    --page) page=$(value_of "$@"); shift ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
[ ${#suites[@]} -gt 0 ] || suites=(bullseye bookworm trixie)
[ ${#variants[@]} -gt 0 ] || variants=(stock rule awake requests)
take_build_folder
work=$(mktemp -d "$BUILD/table.XXXXXX")
at_end "$work"

status=0
for suite in "${suites[@]}"; do
    : >"$work/rows"
    for variant in "${variants[@]}"; do
        guarded "$SCRIPTS/unit.sh" --suite "$suite" --variant "$variant" --table >"$work/one" || status=$?
        [ "$status" -lt 2 ] || exit "$status"
        sed "s/^/$variant\t/" "$work/one" >>"$work/rows"
    done
    version=$(cat "$(dirname "$("$SCRIPTS/qemu.sh" --suite "$suite" --print)")/src/VERSION")
    {
        printf '**QEMU %s (%s)**\n\n' "$version" "$suite"
        awk -F'\t' -v variants="${variants[*]}" '
            BEGIN { n = split(variants, v, " ")
                    head = "program\tcase"
                    for (i = 1; i <= n; i++) head = head "\t" v[i]
                    print head }
            { key = $2 "\t" $3
              if (!(key in seen)) { seen[key] = 1; order[++k] = key }
              cell[key, $1] = $4 ($4 != $5 ? " (must be " $5 ")" : "") ", " $6 " ms" }
            END { for (i = 1; i <= k; i++) {
                      row = order[i]
                      for (j = 1; j <= n; j++) row = row "\t" cell[order[i], v[j]]
                      print row } }' "$work/rows" | columns '| ' ' | ' ' |' yes
        echo
    } >"$work/table-$suite"
done

for suite in "${suites[@]}"; do
    if [ "$write" = no ]; then
        cat "$work/table-$suite"
        continue
    fi
    # its part, or a new one at the end
    awk -v table="$work/table-$suite" -v suite="$suite" '
        function put() { while ((getline line < table) > 0) print line; done = 1 }
        /^<!-- end of the table -->/ { if (!done) put(); skip = 0 }
        /^\*\*QEMU .*\*\*$/ { skip = index($0, "(" suite ")") > 0; if (skip) put() }
        !skip' "$page" >"$work/page"
    cat "$work/page" >"$page"
done
exit "$status"
