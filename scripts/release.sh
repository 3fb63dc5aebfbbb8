#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One row of the table of releases: does the series fit this tree, does it build,
# and what do the unit cases, verdict and QEMU's own tests say, stock and patched?
#
# usage: release.sh [--head] [--variant NAME] --tree DIR | --suite NAME[=VERSION]
#
#   --tree, --suite   which QEMU, as for qemu.sh
#   --variant NAME    the state besides stock, as for qemu.sh (default: patched)
#   --head            print the head of the table first
#
# A cell that has two states says stock's first.  "unit" counts the cases that do as
# expected of all, "verdict" the scenarios that are AFFECTED of all, "own tests"
# the cases of QEMU's own programs that pass of all.  Logs are in the build folder.
#
# Exit status: 0 all as it should be, 1 not, 2 wrong use, 77 not possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/series.sh"

LIMIT=300
OWN=(test-aio test-aio-multithread test-thread-pool test-bdrv-drain test-block-iothread
    test-block-backend test-blockjob test-blockjob-txn)

# usage: cases FILE: "PASSED/ALL" of a TAP file, skipped ones left out
cases() {
    awk '/^ok / && !/# *SKIP/ { passed++ } /^(not )?ok / && !/# *SKIP/ { all++ }
         END { printf "%d/%d\n", passed, all }' "$1"
}

# usage: own_tests FOLDER TAP
own_tests() {
    local name dir=$1/tests/unit status
    [ -d "$dir" ] || dir=$1/tests
    for name in "${programs[@]}"; do
        status=0
        timeout --foreground -k 2 $LIMIT "$dir/$name" --tap -k 2>&1 || status=$?
        # one that crashes or hangs has no line of its own for it
        [ "$status" -eq 0 ] || printf 'not ok 0 %s: exit status %s\n' "$name" "$status"
    done >"$2"
}

# usage: judge VARIANT: sets $builds, $unit, $verdict and $own of it
judge() {
    local folder out=$log-$1 status=0
    builds=no unit=- verdict=- own=-
    folder=$(guarded "$SCRIPTS/qemu.sh" "${which[@]}" --variant "$1" qemu-system-x86_64 \
        "${programs[@]/#/tests/unit/}") || return 0
    builds=yes
    guarded "$SCRIPTS/unit.sh" "${which[@]}" --variant "$1" >"$out-unit.tap" || status=$?
    unit=$(cases "$out-unit.tap")
    [ "$status" -eq 0 ] || bad=yes
    guarded "$SCRIPTS/verdict.sh" --json --seconds 60 "$folder/qemu-system-x86_64" >"$out-verdict.json" || :
    verdict=$(jq -r '[.scenarios[].verdict] |
        "\(map(select(. == "AFFECTED")) | length)/\(length)"' "$out-verdict.json") || verdict=-
    guarded own_tests "$folder" "$out-own.tap"
    own=$(cases "$out-own.tap")
    ! grep -q '^not ok ' "$out-own.tap" || bad=yes
}

which=()
state=patched
head=no
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree | --suite) which=("$1" "$(value_of "$@")"); shift ;;
    --variant) state=$(value_of "$@"); shift ;;
    --head) head=yes ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
[ ${#which[@]} -gt 0 ] || die "which QEMU? --tree DIR or --suite NAME"
need_commands "a row of the table" jq=jq
take_build_folder
place=$(dirname "$("$SCRIPTS/qemu.sh" "${which[@]}" --print)")
log=$BUILD/log/release-$(basename "$place")
mkdir -p "$BUILD/log"
bad=no
source=$place/src
if [ "${which[0]}" = --tree ]; then
    source=${which[1]}
else
    guarded "$SCRIPTS/source.sh" "${which[@]}" "$source"
fi
must_be_qemu "$source"
programs=()
for name in "${OWN[@]}"; do
    [ ! -e "$source/tests/unit/$name.c" ] && [ ! -e "$source/tests/$name.c" ] || programs+=("$name")
done

fits=no
if guarded "$SCRIPTS/apply.sh" --tree "$source" --dry-run >"$log-fits" 2>&1; then
    fits="yes, $(find_generation "$source")"
fi
row=
for variant in stock "$state"; do
    if [ "$variant" != stock ] && [ "$fits" = no ]; then
        builds=- unit=- verdict=- own=- bad=yes
    else
        judge "$variant"
    fi
    [ "$builds" = yes ] || bad=yes
    row+="${row:+$'\n'}$builds $unit $verdict $own"
done
[ "$head" = no ] || printf '%s\n' \
    '| release | fits | builds | unit | verdict | own tests | date |' '|---|---|---|---|---|---|---|'
printf '| %s | %s |' "$(cat "$source/VERSION")" "$fits"
for column in 1 2 3 4; do
    printf ' %s |' "$(cut -d' ' -f$column <<<"$row" | paste -sd, | sed 's/,/, /')"
done
printf ' %s |\n' "$(date +%F)"
[ "$bad" = no ] || exit "$FINDING"
