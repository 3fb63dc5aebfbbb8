#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs the iotest of this folder with the ./check of a QEMU tree, from outside the
# tree: raw and qcow2, under the schedule and with nothing forced.  Prints TAP: a
# scheduled case must be lost where the tree loses.
#
# usage: run.sh --tree DIR --build DIR --module DIR [--expect WORD] [--work DIR]
#
#   --tree DIR     QEMU's sources, 5.2 or later; only read
#   --build DIR    qemu-system-x86_64, qemu-img and qemu-io, built from them
#   --module DIR   the build folder of the test module: guest/ and schedule/
#   --expect WORD  lost, kept, or auto (default): what the sources say
#   --work DIR     where the images and logs go (default: a temporary folder)
#
# Exit status: 0 all as expected, 1 not, 2 wrong use.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# before 6.0 an iotest is called by a number
number=400
tree='' build='' module='' work='' expect=auto
wrong() { echo "run.sh: $*" >&2; exit 2; }
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) sed -n '4,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --tree) tree=${2:-} ;;
    --build) build=${2:-} ;;
    --module) module=${2:-} ;;
    --expect) expect=${2:-} ;;
    --work) work=${2:-} ;;
    *) wrong "unknown word $1" ;;
    esac
    shift
    [ $# -eq 0 ] || shift
done
[ -f "$tree/tests/qemu-iotests/iotests.py" ] || wrong "'$tree' is no QEMU tree with iotests"
for program in qemu-system-x86_64 qemu-img qemu-io; do
    [ -x "$build/$program" ] || wrong "'$build' has no $program"
done
[ -d "$module/guest" ] || wrong "'$module' is no build folder of the test module"
case $expect in
lost | kept) ;;
auto)
    expect=kept
    [ "$("$here/../unit/tree-state.sh" "$tree")" != stock ] || expect=lost
    ;;
*) expect=kept ;; # a state of the series
esac
tree=$(cd "$tree" && pwd -P)
build=$(cd "$build" && pwd -P)
module=$(cd "$module" && pwd -P)
if [ -z "$work" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
rm -rf "${work:?}"/{src,build}
mkdir -p "$work"
work=$(cd "$work" && pwd -P)

# Two folders of links: the tree's sources with our case among them, and a build
# folder with the programs.  The links are what ./check goes by.
sources=$work/src/tests/qemu-iotests
builds=$work/build/tests/qemu-iotests
mkdir -p "$sources" "$builds" "$work/build/storage-daemon"
ln -s "$tree/python" "$work/src/"
for file in "$tree"/tests/qemu-iotests/*; do
    case ${file##*/} in
    tests | group) ;;
    *) ln -s "$file" "$sources/" ;;
    esac
done
if [ -d "$tree/tests/qemu-iotests/tests" ]; then
    name=aio-wakeup
    mkdir "$sources/tests"
    cp "$here/aio-wakeup" "$here/aio-wakeup.out" "$sources/tests/"
else
    name=$number
    cp "$here/aio-wakeup" "$sources/$name"
    cp "$here/aio-wakeup.out" "$sources/$name.out"
    { cat "$tree/tests/qemu-iotests/group"; echo "$name rw auto quick"; } >"$sources/group"
    echo 'PYTHON=/usr/bin/python3' >"$builds/common.env"
fi
ln -s "$sources/check" "$builds/check"
for program in qemu-system-x86_64 qemu-img qemu-io; do
    ln -s "$build/$program" "$work/build/$program"
done
# ./check wants these to be there; the case uses neither
ln -s /bin/false "$work/build/qemu-nbd"
ln -s /bin/false "$work/build/storage-daemon/qemu-storage-daemon"

count=0
bad=0
# usage: run_case TITLE EXPECTED SCHEDULE FORMAT
run_case() {
    local title=$1 wanted=$2 log=$work/log got
    count=$((count + 1))
    (cd "$builds" && AIO_WAKEUP_DIR=$module AIO_WAKEUP_SCHEDULE=$3 \
        ./check "-$4" "$name") >"$log" 2>&1 </dev/null || :
    if grep -q '^Not run: ' "$log"; then
        printf 'ok %s %s # SKIP %s\n' "$count" "$title" "$(grep -o 'no guest.*\|the guest is.*' "$log" | head -n 1)"
        return
    elif grep -q '^Passed all 1 ' "$log"; then
        got=kept
    elif grep -qx '+a read was lost' "$log"; then
        got=lost
    else
        got='no verdict'
    fi
    if [ "$got" = "$wanted" ]; then
        printf 'ok %s %s: %s\n' "$count" "$title" "$got"
    else
        printf 'not ok %s %s: %s, must be %s\n' "$count" "$title" "$got" "$wanted"
        sed 's/^/# /' "$log"
        bad=$((bad + 1))
    fi
}

echo 1..4
for format in raw qcow2; do
    run_case "iotest $format under lost-bh" "$expect" lost-bh "$format"
    run_case "iotest $format, nothing forced" kept none "$format"
done
[ "$bad" -eq 0 ] || exit 1
