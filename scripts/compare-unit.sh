#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The block layer's own unit tests on stock and on patched: do the same cases pass?
#
# usage: compare-unit.sh [--tree DIR | --suite NAME | --builds STOCK PATCHED]
#                        [--out DIR]
#
#   --tree DIR, --suite NAME  which QEMU, as for qemu.sh
#   --builds STOCK PATCHED    folders that hold the test programs already
#   --out DIR                 where the lists go; default: below the build folder
#
# Prints for each test how many cases pass on both, or names those that do so on one
# only.  DIR gets stock-TEST.passed and patched-TEST.passed; none may be empty.
#
# Exit status: 0 the lists are the same, 1 not, 2 wrong use, 77 not possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

LIMIT=300
tests=(test-aio test-aio-multithread test-bdrv-drain test-block-iothread test-thread-pool
    test-coroutine test-blockjob test-blockjob-txn test-nested-aio-poll)

# usage: run_test VARIANT TEST
run_test() {
    local status=0
    timeout --foreground -k 2 $LIMIT "${built[$1]}/$unit/$2" --tap -k >"$out/$1-$2.tap" 2>"$out/$1-$2.err" || status=$?
    sed -n -E '/# *SKIP/Id; s/^ok [0-9]+ (- )?//p' "$out/$1-$2.tap" | sort >"$out/$1-$2.passed"
    [ "$status" -eq 0 ] || say "$1 $2: exit status $status"
}

tree=()
declare -A built=()
out=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree | --suite) tree=("$1" "$(value_of "$@")"); shift ;;
    --builds)
        [ $# -ge 3 ] || die "--builds takes two folders"
        built=([stock]=$(realpath -e "$2") [patched]=$(realpath -e "$3")) || die "no such folders: $2 $3"
        shift 2
        ;;
    --out) out=$(value_of "$@"); shift ;;
    *) die "unknown word $1" ;;
    esac
    shift
done

unit=tests/unit
if [ ${#built[@]} -gt 0 ]; then
    # the programs may lie in the folder itself
    [ ! -e "${built[stock]}/test-aio" ] || unit=.
    [ -d "${built[stock]}/$unit" ] || unit=tests
    found=()
    for test in "${tests[@]}"; do
        [ ! -f "${built[stock]}/$unit/$test" ] || found+=("$test")
    done
else
    for variant in stock patched; do
        built[$variant]=$("$SCRIPTS/qemu.sh" "${tree[@]}" --variant "$variant" --print)
    done
    take_build_folder
    source=$(dirname "${built[stock]}")/src
    if [ "${tree[0]:-}" = --tree ]; then
        source=${tree[1]}
    else
        guarded "$SCRIPTS/source.sh" "${tree[@]}" "$source"
    fi
    [ -d "$source/$unit" ] || unit=tests
    found=()
    for test in "${tests[@]}"; do
        [ ! -e "$source/$unit/$test.c" ] || found+=("$test")
    done
    for variant in stock patched; do
        guarded "$SCRIPTS/qemu.sh" "${tree[@]}" --variant "$variant" "${found[@]/#/$unit/}" >/dev/null
    done
fi
[ ${#found[@]} -gt 0 ] || cannot "there are no unit tests in ${built[stock]}"
out=${out:-$BUILD/compare-unit}
mkdir -p "$out" 2>/dev/null || die "cannot make the folder $out"

differ=no
for test in "${found[@]}"; do
    for variant in stock patched; do
        guarded run_test "$variant" "$test"
    done
    if [ ! -s "$out/stock-$test.passed" ]; then
        printf '%s: no case passes on stock, see %s\n' "$test" "$out/stock-$test.tap"
        differ=yes
    elif cmp -s "$out/stock-$test.passed" "$out/patched-$test.passed"; then
        printf '%s: the same %s cases pass on both\n' "$test" "$(wc -l <"$out/stock-$test.passed")"
    else
        printf '%s: only on stock: %s; only on patched: %s\n' "$test" \
            "$(comm -23 "$out/stock-$test.passed" "$out/patched-$test.passed" | paste -sd' ')" \
            "$(comm -13 "$out/stock-$test.passed" "$out/patched-$test.passed" | paste -sd' ')"
        differ=yes
    fi
done
[ "$differ" = no ] || exit "$FINDING"
