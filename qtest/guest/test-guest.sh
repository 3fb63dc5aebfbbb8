#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The guest firmware by itself, under no schedule: it counts its rounds, calls
# a round lost when its patience is over, and says what a machine lacks.
#
# A QEMU that loses wakeups may lose some here too, so no case wants a round
# to be kept.

# The functions are called by name, through is().
# shellcheck disable=SC2317

set -euo pipefail

usage()
{
    cat <<END
Usage: test-guest.sh DIR [QEMU]

Boots the images in DIR (lost-bh.bin and so on) on QEMU, by default the
installed qemu-system-x86_64, and prints TAP.

Exit status: 0 as expected, 1 a case failed, 2 wrong use, 77 no QEMU.
END
}

if [ "${1-}" = --help ]; then
    usage
    exit 0
fi
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    usage >&2
    exit 2
fi
images=$1
qemu=${2:-qemu-system-x86_64}
if ! command -v "$qemu" >/dev/null; then
    echo "1..0 # SKIP no $qemu here (Debian: apt-get install qemu-system-x86)"
    exit 77
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
truncate -s 64K "$dir/flash.img"
truncate -s 1M "$dir/disk.img"
: >"$dir/empty.img"

number=0
failed=0

# is TITLE COMMAND...: one TAP line
is()
{
    local title=$1

    shift
    number=$((number + 1))
    if "$@"; then
        echo "ok $number $title"
    else
        failed=1
        echo "not ok $number $title"
        sed 's/^/# /' "$dir/report" "$dir/stderr"
        echo "# exit status $status, marks $(cat "$dir/marks")"
    fi
}

# le32 NUMBER: as four little-endian bytes
le32()
{
    local i bytes=

    for ((i = 0; i < 32; i += 8)); do
        bytes+=$(printf '\\x%02x' $(($1 >> i & 255)))
    done
    printf '%b' "$bytes"
}

machine=(-machine "pc,accel=tcg" -m 16)
flash=(-drive "if=pflash,unit=1,format=raw,file=$dir/flash.img")
disk=(-drive "if=none,id=disk,format=raw,file=$dir/disk.img,aio=threads"
      -device "virtio-blk-pci,drive=disk,ioeventfd=off")

# boot SCENARIO ROUNDS PATIENCE_MS QEMU-OPTION...: sets $status; $flags are for
# the guest, $limit is in seconds
boot()
{
    local scenario=$1 rounds=$2 patience=$3

    shift 3
    cp "$images/$scenario.bin" "$dir/image"
    { le32 "$rounds"; le32 "$patience"; le32 500; le32 "${flags:-0}"; } |
        dd of="$dir/image" bs=4 seek=2 conv=notrunc status=none
    rm -f "$dir/report" "$dir/marks"
    touch "$dir/report" "$dir/marks"
    status=0
    timeout -k 2 "${limit:-15}" "$qemu" -nodefaults -no-user-config -vga none -display none \
        -serial none -parallel none -monitor none \
        -drive "if=pflash,unit=0,format=raw,readonly=on,file=$dir/image" \
        -chardev "file,id=report,path=$dir/report" \
        -device isa-debugcon,iobase=0xe9,chardev=report \
        -chardev "file,id=marks,path=$dir/marks" \
        -device isa-debugcon,iobase=0xea,chardev=marks \
        -device isa-debug-exit,iobase=0xf4,iosize=4 \
        "$@" >"$dir/stderr" 2>&1 || status=$?
}

# ended ROUNDS LOST: both may be patterns
ended()
{
    [ "$status" = 1 ] && [ "$(sed -n 2p "$dir/report")" = ready ] &&
        tail -n 1 "$dir/report" | grep -Eqx "end rounds $1 lost $2 us [0-9]+"
}

counted()
{
    ended "$1" "[0-9]+" &&
        [ "$(grep -Ecx "round [0-9]+ (kept|lost .*)" "$dir/report")" = "$1" ]
}

# marks_are PATTERN
marks_are()
{
    grep -Eqx "$1" "$dir/marks"
}

says_error()
{
    [ "$status" = 3 ] && [ "$(tail -n 1 "$dir/report")" = "error $1" ]
}

echo "1..23"
rounds=20
all=("${machine[@]}" "${flash[@]}" "${disk[@]}")

boot lost-bh $rounds 2000 "${all[@]}"
is "lost-bh counts its rounds" counted $rounds
is "lost-bh marks its rounds" marks_are "(brdfl?l?qQe){$rounds}"

boot lost-timer $rounds 2000 "${all[@]}"
is "lost-timer counts its rounds" counted $rounds
is "lost-timer marks its rounds" marks_are "(brfl?qQe){$rounds}"

boot lost-reset $rounds 2000 "${all[@]}" -smp 2
is "lost-reset counts its rounds over resets" counted $rounds
is "lost-reset marks its rounds" marks_are "(br(wf?l?)?e){$rounds}"

# Before 8.1 a QEMU may hang here by a bug of another kind, see README.md; it
# does not heed SIGTERM then.
for _ in 1 2 3; do
    boot lost-shutdown 1 2000 "${all[@]}"
    if [ "$status" != 124 ] && [ "$status" != 137 ]; then
        break
    fi
done
is "lost-shutdown ends QEMU" [ "$status" = 0 ]
is "lost-shutdown marks its round" marks_are "br?f?l?"

boot free-run 1000 200 "${all[@]}"
is "free-run ends" ended 1000 "[0-9]+"
is "free-run tells its progress" \
    grep -Eqx "progress 1000 lost [0-9]+ us [0-9]+" "$dir/report"
is "free-run gives no marks" [ ! -s "$dir/marks" ]

flags=0 boot iops 1000 2000 "${all[@]}"
is "iops reads one at a time" ended 1000 0
flags=$((32 << 8)) boot iops 1001 2000 "${all[@]}"
is "iops reads 32 at a time" ended 1001 0
limit=3 flags=2 boot idle 0 2000 "${all[@]}"
is "idle sleeps" [ "$status,$(tail -n 1 "$dir/report")" = 124,ready ]

for scenario in lost-bh lost-timer free-run; do
    boot $scenario 3 0 "${all[@]}"
    is "$scenario without patience loses each round" ended 3 3
done

boot lost-bh 3 1000 "${machine[@]}" "${flash[@]}"
is "no disk" \
    says_error "no virtio-blk device with the legacy interface on PCI bus 0"
boot lost-bh 3 1000 "${machine[@]}" "${flash[@]}" \
    "${disk[@]/disk.img/empty.img}"
is "an empty disk" says_error "the virtio-blk device has no sectors"
boot lost-bh 3 1000 "${machine[@]}" "${disk[@]}"
is "no second flash" says_error "no flash unit 1 of 64 KiB or more"
boot lost-bh 3 1000 "${machine[@]}" "${disk[@]}" \
    "${flash[@]/%.img/.img,readonly=on}"
is "a read-only flash" says_error "flash unit 1 is read-only"
boot lost-bh 3 1000 -machine q35,accel=tcg -m 16 "${flash[@]}" "${disk[@]}"
is "another chip set" \
    says_error "no PIIX4 power management, start QEMU with -machine pc"
boot lost-reset 3 1000 "${all[@]}"
is "one vCPU only" says_error "no second vCPU, start QEMU with -smp 2"

exit $failed
