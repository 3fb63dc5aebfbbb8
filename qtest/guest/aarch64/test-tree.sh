#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Does the guest for aarch64 go by the device tree?  It is booted with QEMU's own
# tree, and with trees in which one address is another.
#
# usage: test-tree.sh DIR [QEMU]
#
#   DIR    has lost-bh.bin
#   QEMU   default: the installed qemu-system-aarch64
#
# Prints TAP.  Exit status: 0 as expected, 1 a case failed, 2 wrong use, 77 no QEMU.

# The functions are called by name, through is().
# shellcheck disable=SC2317

set -euo pipefail

case ${1-} in
-h | --help) sed -n '4,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
if [ $# -lt 1 ] || [ $# -gt 2 ] || [ ! -f "$1/lost-bh.bin" ]; then
    echo "test-tree.sh: a folder with lost-bh.bin, and perhaps a QEMU" >&2
    exit 2
fi
images=$1
qemu=${2:-qemu-system-aarch64}
if ! command -v "$qemu" >/dev/null; then
    echo "1..0 # SKIP no $qemu here (Debian: apt-get install qemu-system-arm)"
    exit 77
fi

dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid"; rm -rf "$dir"' EXIT
cp "$images/lost-bh.bin" "$dir/firmware.img"
truncate -s 64M "$dir/firmware.img" "$dir/flash.img"
truncate -s 1M "$dir/disk.img"

machine=virt,secure=on,accel=tcg
# shellcheck disable=SC2054
options=(-cpu cortex-a57 -m 16 -nodefaults -no-user-config -display none -monitor none
    -drive "if=pflash,unit=0,format=raw,readonly=on,file=$dir/firmware.img"
    -drive "if=pflash,unit=1,format=raw,file=$dir/flash.img"
    -drive "if=none,id=disk,format=raw,file=$dir/disk.img"
    -device virtio-blk-device,drive=disk
    -chardev "file,id=report,path=$dir/report" -serial chardev:report
    -chardev "file,id=marks,path=$dir/marks" -serial chardev:marks)

# usage: boot LINE [OPTION...]: runs the guest until it has said LINE, a pattern, or
# for 10 s; without LINE for 2 s; $alive says whether QEMU was there then
boot() {
    local line=$1 i tenths=100
    shift
    rm -f "$dir/report" "$dir/marks"
    "$qemu" -machine "$machine" "${options[@]}" "$@" >"$dir/stderr" 2>&1 &
    pid=$!
    [ -n "$line" ] || tenths=20
    for ((i = 0; i < tenths; i++)); do
        [ -z "$line" ] || ! grep -Eqsx "$line" "$dir/report" || break
        sleep 0.1
        [ -d "/proc/$pid" ] || break
    done
    alive=no
    ! kill -KILL "$pid" 2>/dev/null || alive=yes
    wait "$pid" 2>/dev/null || :
    pid=
}

number=0
failed=0
# usage: is TITLE COMMAND...: one TAP line
is() {
    local title=$1
    shift
    number=$((number + 1))
    if "$@"; then
        echo "ok $number $title"
    else
        failed=1
        echo "not ok $number $title"
        sed 's/^/# /' "$dir/report" "$dir/stderr" || :
    fi
}

# usage: says PATTERN: the newest line of the guest
says() { tail -n 1 "$dir/report" | grep -Eqx "$1"; }

silent() { [ "$alive" = yes ] && [ ! -s "$dir/report" ]; }

# usage: with FROM TO: the tree with these bytes, in hexadecimal, changed; fails if
# they are nowhere
with() {
    perl -0777 -e '
        my ($from, $to) = map { pack "H*", $_ } @ARGV[0, 1];
        open my $tree, "<:raw", $ARGV[2] or die;
        $_ = <$tree>;
        s/\Q$from\E/$to/g or exit 1;
        binmode STDOUT;
        print' "$1" "$2" "$dir/tree.dtb" >"$dir/wrong.dtb"
}

# usage: at ADDRESS SIZE: a "reg" of the tree
at() { printf '%016x%016x' "$1" "$2"; }

# usage: hex TEXT
hex() { printf '%s' "$1" | od -An -tx1 | tr -d ' \n'; }

# usage: wrong TITLE FROM TO LINE: with an address changed the guest says LINE, or
# nothing
wrong() {
    if ! with "$2" "$3"; then
        is "$1: it is in the tree" false
        return
    fi
    boot "$4" -dtb "$dir/wrong.dtb"
    if [ -n "$4" ]; then
        is "$1" says "$4"
    else
        is "$1" silent
    fi
}

: >"$dir/report"
"$qemu" -machine "$machine,dumpdtb=$dir/tree.dtb" "${options[@]}" >"$dir/stderr" 2>&1 || :
echo 1..8
is "QEMU writes its device tree" [ -s "$dir/tree.dtb" ]

rounds='round 3 (kept|lost .*)'
boot "$rounds"
is "rounds with QEMU's own tree" grep -Eqx "$rounds" "$dir/report"
boot "$rounds" -dtb "$dir/tree.dtb"
is "rounds with the same tree from a file" grep -Eqx "$rounds" "$dir/report"

wrong "no PL011 in the tree: the guest says nothing" \
    "$(hex arm,pl011)" "$(hex arm,no011)" ""
wrong "the first PL011 is elsewhere: the guest says nothing" \
    "$(at 0x09000000 0x1000)" "$(at 0x09020000 0x1000)" ""
wrong "the secure PL011 is where nothing is: an exception" \
    "$(at 0x09040000 0x1000)" "$(at 0x3f000000 0x1000)" 'error exception [0-9]+ at [0-9]+'
wrong "the flash is where RAM is" \
    "$(at 0x04000000 0x04000000)" "$(at 0x40800000 0x04000000)" \
    'error no flash where the device tree says'
# the last slot has the disk
wrong "the disk is in a slot that is elsewhere" \
    "$(at 0x0a003e00 0x200)" "$(at 0x0a000000 0x200)" \
    'error no virtio-blk-device with the legacy interface'
exit $failed
