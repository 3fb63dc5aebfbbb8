#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The unit tests that the series add to QEMU's tree are made from those under
# qtest/unit: what another generation needs is left out, as is what only our
# judge reads, and file names get "aio-" in front.
#
# usage: in-tree.sh --print GENERATION FILE     FILE as that tree gets it
#        in-tree.sh --check [GENERATION...]     do the patches add just that?
#        in-tree.sh --write [GENERATION...]     put it into the patches
#
#   FILE         a name in qtest/unit: lost-bh.c
#   GENERATION   default: all whose generation.conf has "unit" lines, which name
#                the patch and what it adds; "api" names the API_ macros that hold
#
# --write keeps a patch's message and its hunks for other files.
#
# Exit status: 0 the same, 1 a patch adds something else (the difference is
# printed), 2 wrong use.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/series.sh"

cases=$ROOT/qtest/unit

# usage: name_in_tree FILE
name_in_tree() {
    case $1 in
    park*) printf 'aio-%s\n' "$1" ;;
    *) printf 'test-aio-%s\n' "$1" ;;
    esac
}

# usage: in_tree GENERATION FILE
in_tree() {
    [ -f "$cases/$2" ] || die "there is no $cases/$2"
    awk -v api=" $(described "$1" api) " '
        # one level of #ifdef for each; "on" is 1 in a part that stays
        BEGIN { depth = 0; on[0] = 1 }
        /^#ifn?def API_/ {
            depth++
            known[depth] = 1
            holds = index(api, " " $2 " ") > 0
            if (/^#ifndef/) holds = !holds
            on[depth] = on[depth - 1] && holds
            other[depth] = on[depth - 1] && !holds
            next
        }
        /^#if/ { depth++; known[depth] = 0; on[depth] = on[depth - 1] }
        /^#else/ && known[depth] { on[depth] = other[depth]; next }
        /^#endif/ { depth--; if (known[depth + 1]) next; if (on[depth]) print; next }
        !on[depth] { next }
        # what the judge reads, and the empty line before it
        /^ \* Kept (always|since )/ { held = 0; next }
        held { print " *"; held = 0 }
        /^ \*$/ { held = 1; next }
        # what was left out leaves no gap
        /^$/ && (last == "" || last == "{") { next }
        { print; last = $0 }' "$cases/$2" |
        sed -E 's/\bpark(-win32)?\.([ch])\b/aio-park\1.\2/g; s/\bwin32-sockets\.c/test-aio-&/g'
}

# usage: units GENERATION: PATCH FOLDER FILE..., a line for each patch
units() { described "$1" unit | sed 's/ | / /g'; }

# usage: new_file PATH: a diff that adds what is on stdin
new_file() {
    local text hash
    text=$(cat; echo .)
    text=${text%.}
    hash=$(printf '%s' "$text" | git hash-object --stdin)
    printf 'diff --git a/%s b/%s\nnew file mode 100644\nindex 0000000..%s\n--- /dev/null\n+++ b/%s\n@@ -0,0 +1,%d @@\n' \
        "$1" "$1" "${hash:0:7}" "$1" "$(printf '%s' "$text" | wc -l)"
    printf '%s' "$text" | sed 's/^/+/'
}

# usage: remade GENERATION PATCH FOLDER FILE...: the patch as it must be
remade() {
    local generation=$1 patch=$PATCHES/$1/$2 folder=$3 file diff
    shift 3
    [ -f "$patch" ] || die "there is no $patch"
    diff=$(mktemp "$BUILD/in-tree.XXXXXX")
    at_end "$diff"
    {
        # the hunks for files that are not made here
        awk -v made="$(for file; do printf ' %s/%s ' "$folder" "$(name_in_tree "$file")"; done)" '
             /^diff --git / { on = !index(made, " " substr($3, 3) " ") }
             /^-- $/ { exit }
             on' "$patch"
        for file; do
            in_tree "$generation" "$file" | new_file "$folder/$(name_in_tree "$file")"
        done
    } >"$diff"
    awk '{ print } /^---$/ { exit }' "$patch"
    git -C / apply --stat --summary "$diff"
    echo
    cat "$diff"
    rm -f "$diff"
}

word=
generations=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --check | --write) word=$1 ;;
    --print)
        [ $# -eq 3 ] || die "--print takes a generation and a file"
        [ -f "$PATCHES/$2/generation.conf" ] || die "there is no generation '$2'"
        in_tree "$2" "$3"
        exit
        ;;
    -*) die "unknown option $1" ;;
    *) generations+=("$1") ;;
    esac
    shift
done
[ -n "$word" ] || die "--print, --check or --write?"
need_commands "making the tests in the tree" git=git
mkdir -p "$BUILD"
[ ${#generations[@]} -gt 0 ] || mapfile -t generations < <(generations)

status=0
for generation in "${generations[@]}"; do
    [ -f "$PATCHES/$generation/generation.conf" ] || die "there is no generation '$generation'"
    while read -ra unit; do
        [ ${#unit[@]} -gt 0 ] || continue
        patch=$PATCHES/$generation/${unit[0]}
        new=$(remade "$generation" "${unit[@]}"; echo .)
        new=${new%.}
        if [ "$word" = --write ]; then
            printf '%s' "$new" >"$patch.new"
            mv "$patch.new" "$patch"
        elif ! diff -u --label "$patch" --label "qtest/unit" "$patch" <(printf '%s' "$new"); then
            status=$FINDING
        fi
    done < <(units "$generation")
done
exit "$status"
