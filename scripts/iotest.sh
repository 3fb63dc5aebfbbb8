#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs the iotest under qtest/iotest with the ./check of a QEMU tree, stock or
# patched, from outside the tree: raw and qcow2, scheduled and free.
#
# usage: iotest.sh [--tree DIR | --suite NAME] [--variant NAME]
#
#   --tree DIR      a QEMU tree (a copy is built, DIR is only read)
#   --suite NAME    this Debian release's package; the default is the machine's
#                   own release
#   --variant NAME  stock (default), patched, a number, wrong/NAME, mutants/NAME:
#                   see qemu.sh
#   --expect WORD   lost or kept, instead of what the tree's content says
#
# Output is TAP: a scheduled case must be lost where the tree loses.  Exit status:
# 0 all as expected, 1 not, 2 wrong use, 77 not possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/series.sh"

which=()
variant=stock
expect=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree | --suite) which=("$1" "$(value_of "$@")"); shift ;;
    --variant) variant=$(value_of "$@"); shift ;;
    --expect) expect=$(value_of "$@"); shift ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
[[ $expect == @(|lost|kept) ]] || die "--expect takes lost or kept, not '$expect'"
take_build_folder
guarded "$SCRIPTS/module.sh"
built=$(guarded "$SCRIPTS/qemu.sh" "${which[@]}" --variant "$variant" \
    qemu-system-x86_64 qemu-img qemu-io)
src=$(dirname "$built")/src
if [ -z "$expect" ]; then
    expect=kept
    [ "$variant" != stock ] || expect=lost
    [ "$("$ROOT/qtest/unit/tree-state.sh" "$src")" = stock ] || expect=kept
fi

# Two folders of links: the tree's sources with our case among them, and a build
# folder with the programs.  The links are what ./check goes by.
overlay=$(dirname "$built")/iotest
sources=$overlay/src/tests/qemu-iotests
builds=$overlay/build/tests/qemu-iotests
rm -rf "$overlay"
mkdir -p "$sources" "$builds" "$overlay/build/storage-daemon"
ln -s "$src/python" "$overlay/src/"
for file in "$src"/tests/qemu-iotests/*; do
    ln -s "$file" "$sources/"
done
if [ -d "$src/tests/qemu-iotests/tests" ]; then
    name=aio-wakeup
    cp --remove-destination "$ROOT"/qtest/iotest/aio-wakeup{,.out} "$builds/"
    rm "$sources/tests"
    mkdir "$sources/tests"
    mv "$builds"/aio-wakeup* "$sources/tests/"
else
    # before 6.0: numbers, and a file of groups
    name=400
    cp "$ROOT/qtest/iotest/aio-wakeup" "$sources/$name"
    cp "$ROOT/qtest/iotest/aio-wakeup.out" "$sources/$name.out"
    rm "$sources/group"
    { cat "$src/tests/qemu-iotests/group"; echo "$name rw auto quick"; } >"$sources/group"
    printf 'PYTHON=/usr/bin/python3\n' >"$builds/common.env"
fi
ln -s "$sources/check" "$builds/check"
for program in qemu-system-x86_64 qemu-img qemu-io; do
    ln -s "$built/$program" "$overlay/build/$program"
done
# ./check wants these to be there; the case uses neither
ln -s /bin/false "$overlay/build/qemu-nbd"
ln -s /bin/false "$overlay/build/storage-daemon/qemu-storage-daemon"

number=0
bad=0
# usage: run_case TITLE EXPECTED SCHEDULE FORMAT
run_case() {
    local title=$1 wanted=$2 log=$BUILD/log/iotest-$variant.log got
    number=$((number + 1))
    mkdir -p "$(dirname "$log")"
    (cd "$builds" && AIO_WAKEUP_DIR=$BUILD/module AIO_WAKEUP_SCHEDULE=$3 \
        guarded ./check "-$4" "$name") >"$log" 2>&1 || :
    if grep -q '^Passed all 1 ' "$log"; then
        got=kept
    elif grep -qx '+a read was lost' "$log"; then
        got=lost
    elif grep -qE "not ?run|Not run" "$log"; then
        printf 'ok %s %s # SKIP %s\n' "$number" "$title" \
            "$(sed -n 's/.*\(no guest firmware.*\|the guest is for.*\)/\1/p' "$log" | head -n 1)"
        return
    else
        got=failed
    fi
    if [ "$got" = "$wanted" ]; then
        printf 'ok %s %s: %s\n' "$number" "$title" "$got"
    else
        printf 'not ok %s %s: %s, must be %s\n' "$number" "$title" "$got" "$wanted"
        sed 's/^/# /' "$log"
        bad=$((bad + 1))
    fi
}

echo 1..4
for format in raw qcow2; do
    run_case "iotest $format under lost-bh" "$expect" lost-bh "$format"
    run_case "iotest $format, nothing forced" kept none "$format"
done
[ "$bad" -eq 0 ] || exit "$FINDING"
