#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The main job: shows a stock QEMU losing wakeups, and the patched one not.
#
# usage: main.sh [--tree DIR] [--rounds N]
#
#   --tree DIR   judge this QEMU tree, stock and patched, instead of the source
#                package of this Debian release; DIR is only read
#   --rounds N   rounds per scenario, instead of the verdict program's own
#
# Installs what is missing (as root), gets and builds what is not built yet, then
# boots the guest under every scenario on the installed qemu-system-x86_64, on
# the stock build and on the patched build, and prints the table.
#
# Exit status: 0 stock is AFFECTED and patched is NOT AFFECTED, 1 it is not so,
# 2 wrong use or packages are missing, 77 something could not be told.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/series.sh"

begin=$SECONDS
source_options=()
verdict_options=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree) source_options=(--tree "$(value_of "$@")"); shift ;;
    --rounds) verdict_options=(--rounds "$(value_of "$@")"); shift ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
if [ ${#source_options[@]} -gt 0 ]; then
    tree=${source_options[1]}
    must_be_qemu "$tree"
    need_commands "looking at a tree" patch=patch
    generation=$(find_generation "$tree")
    must_build_here "$tree"
    have=$(series_state "$tree" "$generation")
    length=$(series_length "$generation")
    [ "$have" -lt "$length" ] ||
        die "$tree has the whole series already; judge a build of it: ./build.sh verdict BINARY"
    [ "$have" -eq 0 ] ||
        say "$tree has $have of the $length patches already; 'stock' is the tree as it is, 'patched' has the rest too"
fi

take_build_folder
guarded "$SCRIPTS/packages.sh" main
guarded "$SCRIPTS/module.sh"
for variant in stock patched; do
    guarded "$SCRIPTS/qemu.sh" "${source_options[@]}" --variant "$variant" >/dev/null
done

binary_of() {
    printf '%s/qemu-system-x86_64\n' \
        "$("$SCRIPTS/qemu.sh" "${source_options[@]}" --variant "$1" --print)"
}

results=$BUILD/verdicts
mkdir -p "$results"
progress=()
[ ! -t 2 ] || progress=(--progress)

# usage: judge NAME BINARY: the verdict on one binary, as $results/NAME.json
judge() {
    local status=0 start=$SECONDS out=$results/$1.json
    say "judging the $1 QEMU, $2 ..."
    guarded "$SCRIPTS/verdict.sh" --json "${progress[@]}" "${verdict_options[@]}" "$2" >"$out" || status=$?
    [ "$status" -eq 0 ] || [ "$status" -eq 1 ] || [ "$status" -eq "$NOT_POSSIBLE" ] ||
        cannot "the verdict program failed on $2 (status $status)"
    jq -e .verdict "$out" >/dev/null || cannot "the verdict program gave no answer on $2"
    say "    done in $((SECONDS - start)) s"
}

rm -f "$results"/*.json
installed=$(command -v qemu-system-x86_64 || :)
[ -z "$installed" ] || judge installed "$installed"
judge stock "$(binary_of stock)"
judge patched "$(binary_of patched)"

table() {
    local name
    printf 'binary\tversion\tscenario\trounds\tlost\twould have slept\tverdict\n'
    for name in installed stock patched; do
        [ -e "$results/$name.json" ] || continue
        jq -r --arg name "$name" '
            def sleep: if . == null or . == 0 then "-"
                       elif . < 0 then "forever"
                       else "\(. / 1000 | floor) s" end;
            .version as $version
            | if (.scenarios | length) == 0
              then [$name, $version, "-", "-", "-", "-", "\(.verdict): \(.reason)"]
              else .scenarios[]
                   | [$name, $version, .name, .rounds, .lost, (.sleep_ms | sleep), .verdict]
              end | @tsv' "$results/$name.json"
    done
}

table | columns ""
say "all in $((SECONDS - begin)) s"

verdict_of() { jq -r .verdict "$results/$1.json"; }

stock=$(verdict_of stock)
patched=$(verdict_of patched)
[ "$stock/$patched" != "AFFECTED/NOT AFFECTED" ] || exit 0
warn "expected stock to be AFFECTED and patched NOT AFFECTED; they are: $stock, $patched"
[[ $stock/$patched != *"CANNOT TELL"* ]] || exit "$NOT_POSSIBLE"
exit "$FINDING"
