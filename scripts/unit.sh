#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs the unit cases under qtest/unit on a QEMU tree, stock or patched: each must
# lose where that tree must, and keep where it must.
#
# usage: unit.sh [--tree DIR | --suite NAME] [--variant NAME] [--only PROGRAM]...
#
#   --tree DIR       a QEMU tree (a copy is built, DIR is only read)
#   --suite NAME     this Debian release's package; the default is the machine's
#                    own release
#   --variant NAME   stock (default), rule, awake, requests, patched, mutants/NAME:
#                    see qemu.sh
#   --only PROGRAM   of the programs under qtest/unit only this one; PROGRAM@ring:
#                    with io_uring, as all but those of the ring itself are run,
#                    too, on a tree whose main loop sleeps on a ring
#   --expect WORD    instead of what the tree's content says: see judge.sh
#   --wrapper WORDS  run each program with these words before it ("valgrind -q")
#   --table          PROGRAM, CASE, lost or kept, expected, ms; tabs between them
#   --print          build, then print each program and its file instead of
#                    running them
#
# Output is TAP otherwise.  Exit status: 0 all as expected, 1 not, 2 wrong use,
# 77 not possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

which=()
variant=stock
only=()
judge=()
wrapper=()
mode=tap
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree | --suite) which=("$1" "$(value_of "$@")"); shift ;;
    --variant) variant=$(value_of "$@"); shift ;;
    --only) only+=("$(value_of "$@")"); shift ;;
    --expect) judge+=(--expect "$(value_of "$@")"); shift ;;
    --wrapper) read -ra wrapper <<<"$(value_of "$@")"; shift ;;
    --table) mode=table; judge+=(--table) ;;
    --print) mode=print ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
take_build_folder
work=$(guarded "$SCRIPTS/qemu.sh" "${which[@]}" --variant "$variant" --work tests/unit/test-aio)
use_ccache

build_cases unit "$work"

mapfile -t programs < <(jq -r '.[] | select(.suite | index("aio-wakeup:unit")) | .name' \
    <(meson introspect --tests "$dir"))
if [ ${#only[@]} -eq 0 ]; then
    only=("${programs[@]}")
    if [[ " ${programs[*]} " == *" ring-"* ]]; then
        for name in "${programs[@]}"; do
            [[ $name == ring-* ]] || only+=("$name@ring")
        done
    fi
fi
worst=0
for shown in "${only[@]}"; do
    name=${shown%@ring}
    ring=()
    [ "$shown" = "$name" ] || ring=(--ring)
    [[ " ${programs[*]} " == *" $name "* ]] || die "there is no program '$name' among: ${programs[*]}"
    source=$ROOT/qtest/unit/$name.c
    if [ "$mode" = print ]; then
        printf '%s\t%s\t%s\n' "$name" "$dir/unit/$name" "$source"
        continue
    fi
    status=0
    guarded "$ROOT/qtest/unit/judge.sh" --tree "$work/src" "${judge[@]}" "${ring[@]}" "$source" \
        "${wrapper[@]}" "$dir/unit/$name" >"$log-out" || status=$?
    if [ "$mode" = table ]; then
        sed "s/^/$shown\t/" "$log-out"
    else
        sed "s/^\(\(not \)\{0,1\}ok [0-9]*\) /\1 $shown /" "$log-out"
    fi
    [ "$status" -le "$worst" ] || worst=$status
done
exit "$worst"
