#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The hang that the bug was found by: libguestfs, UEFI variables in flash.
#
# usage: libguestfs.sh [--mode MODE] [--boots N] [OPTION...] [BINARY]
#
#   --mode forced       (default) libguestfs with OVMF in pflash; the appliance
#                       writes UEFI variables while disk reads are in flight, under
#                       a schedule: an affected QEMU hangs in each boot
#   --mode forced-uefi  the same with Debian's kernel and a small initrd: quicker
#   --mode uefi         that boot with nothing forced: ten thousand chances, but
#                       few of them lose, unless the host is busy: --slow-main --stress
#   --mode as-is        libguestfs as it is: add a disk, launch, shut down
#   --mode aarch64      -M virt, AAVMF, virtio-scsi; BINARY is a qemu-system-aarch64
#   --mode aarch64-firmware  the same without disk and kernel: a UEFI program
#                       writes variables and waits for timers; for old binaries too
#   --boots N           default 1
#   --limit SECONDS     longest boot
#   --slow-main, --stress, --firmware-only   of boot.sh
#   --prepare           only make what the boots need
#   BINARY              default: the installed QEMU; one built here needs
#                       AIO_WAKEUP_DEVICES=all (see docs/reproduce.md)
#
# Prints a line a boot, then the sums, and what diagnose says of each hang.
# Installs nothing: scripts/packages.sh libguestfs does.
#
# Exit status: 0 every boot came to its end, 1 one hung, 2 wrong use, 77 it is
# not possible here, or the boots failed for another reason.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

firmware=${AIO_WAKEUP_FIRMWARE:-/usr/share}

need_firmware() {
    [[ -e $firmware/$1/$1_CODE.fd && -e $firmware/$1/$1_VARS.fd ]] ||
        cannot "no UEFI firmware in $firmware/$1; install it with: apt-get install --no-install-recommends $2"
}

prepare() {
    local arch=amd64
    need_commands "a boot" setpriv=util-linux chrt=util-linux
    case $mode in
    uefi | forced-uefi | forced) need_firmware OVMF ovmf ;;
    aarch64) need_firmware AAVMF qemu-efi-aarch64; arch=arm64 ;;
    aarch64-firmware) need_firmware AAVMF qemu-efi-aarch64; arch= ;;
    esac
    case $mode in
    as-is | forced)
        need_commands "libguestfs" guestfish=guestfish supermin=supermin
        [ -e /lib/udev/rules.d/60-persistent-storage.rules ] || [ -e /usr/lib/udev/rules.d/60-persistent-storage.rules ] ||
            cannot "libguestfs's appliance needs the package udev; install it with: apt-get install --no-install-recommends udev"
        [ -d /lib/modules ] ||
            cannot "supermin wants the folder /lib/modules, whatever kernel it is told to take; make it, as root: mkdir /lib/modules"
        need_space "$BUILD" 700 "libguestfs's appliance"
        ;;
    esac
    guarded "$SCRIPTS/module.sh"
    if [ -n "$arch" ]; then
        guarded "$SCRIPTS/linux.sh" "$arch" >/dev/null
    else
        guarded "$SCRIPTS/uefi.sh" >/dev/null
    fi
}

# usage: need_device NAME
need_device() {
    [[ $devices == *"\"$1\""* ]] ||
        cannot "$binary has no $1; it was built with few devices: build it with AIO_WAKEUP_DEVICES=all (docs/reproduce.md)"
}

check_binary() {
    local devices
    [ -x "$binary" ] || die "$binary cannot be executed"
    [[ $("$binary" --version 2>/dev/null || :) == "QEMU emulator"* ]] ||
        die "$binary is no QEMU system emulator: its --version does not say so"
    devices=$("$binary" -machine none -device help 2>&1 </dev/null || :)
    case $mode in
    as-is | forced) need_device virtio-scsi-pci; need_device virtio-serial-pci; need_device virtio-rng-pci ;;
    aarch64) need_device virtio-scsi-pci ;;
    aarch64-firmware)
        "$binary" -machine help 2>/dev/null | grep -q '^virt ' ||
            cannot "$binary has no machine virt; this mode is for a qemu-system-aarch64"
        ;;
    *) need_device virtio-blk-pci ;;
    esac
}

explain() {
    case $mode in
    as-is)
        say "libguestfs as it is: firmware in ROM, disks on virtio-scsi.  A vCPU polls the main"
        say "context hardly ever, so there is next to no chance to lose a wakeup: this shows why"
        say "the bug is not met every day."
        ;;
    uefi | aarch64)
        say "UEFI with fresh variables in pflash: each write of the flash makes the vCPU poll the"
        say "main context, thousands of times a boot, while the disk's workers notify it.  Nothing"
        say "is forced.  On x86 a timer of 10 ms rescues what is lost in the firmware; later, a"
        say "round of the guest that takes half a second instead of 40 ms is a stall.  On an idle"
        say "host hangs are rare; --slow-main --stress makes the main loop late."
        ;;
    aarch64-firmware)
        say "A UEFI program writes variables, which are kept in pflash: each write of the flash"
        say "makes the vCPU poll the main context.  The tick of the firmware is armed by the vCPU:"
        say "when its wakeup is lost, the program's next timer never fires.  Nothing is forced; on"
        say "an idle host hangs are rare, --slow-main --stress makes the main loop late."
        ;;
    *)
        say "The guest writes UEFI variables while a disk read is in flight.  A preloaded library"
        say "holds the main loop before its poll, and a worker until the vCPU is about to clear the"
        say "notifier (schedule lost-bh): what a busy host may do as well.  An affected QEMU sleeps"
        say "for ever with the read's completion forgotten; a good one comes to the end."
        ;;
    esac
}

time_left() {
    local left=$(((SECONDS - began) * (boots - i) / i))
    ((i == boots)) || printf '; %d min %d s left' $((left / 60)) $((left % 60))
}

print_sums() {
    local of="of $boots boots"
    awk -F'\t' -v of="$of" '
        { n[$1]++; stalls += $5 }
        $7 != "-" { polls[++p] = $7 }
        { time[NR] = $2 }
        function median(list, count,    i, j, t) {
            for (i = 2; i <= count; i++)
                for (j = i; j > 1 && list[j] + 0 < list[j - 1] + 0; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
            return list[int((count + 1) / 2)]
        }
        END {
            printf "%d %s came to their end, %d hung with a lost wakeup, %d hung otherwise, %d were slow, %d did not meet the schedule, %d failed\n",
                   n["ok"], of, n["hang"], n["stuck"], n["slow"], n["unmet"], n["failed"]
            printf "boot time: median %s s, longest %s s; rounds that stalled for half a second or more: %d\n",
                   median(time, NR), time[NR], stalls
            if (p) printf "polls of the main context by a vCPU: median %d a boot, most %d\n", median(polls, p), polls[p]
        }' "$results"
}

mode=forced boots=1 binary='' only_prepare=no options=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --mode) mode=$(value_of "$@"); shift ;;
    --boots) boots=$(value_of "$@"); shift ;;
    --limit) options+=(--limit "$(value_of "$@")"); shift ;;
    --slow-main | --stress | --firmware-only) options+=("$1") ;;
    --prepare) only_prepare=yes ;;
    -*) die "unknown option $1" ;;
    *) [ -z "$binary" ] || die "one binary at a time, not '$1' as well"; binary=$1 ;;
    esac
    shift
done
[[ $mode == @(as-is|uefi|aarch64|aarch64-firmware|forced|forced-uefi) ]] ||
    die "--mode is as-is, uefi, aarch64, aarch64-firmware, forced or forced-uefi, not '$mode'"
[[ $boots =~ ^[1-9][0-9]*$ ]] || die "--boots takes a number from 1, not '$boots'"
if [ "$only_prepare" = no ]; then
    name=qemu-system-x86_64 package=qemu-system-x86
    [[ $mode != aarch64* ]] || name=qemu-system-aarch64 package=qemu-system-arm
    [ -n "$binary" ] || need_commands "a boot" "$name=$package"
    binary=${binary:-$(command -v "$name")}
    check_binary
    binary=$(realpath "$binary")
fi
take_build_folder
prepare
[ "$only_prepare" = no ] || exit 0

work=$(mktemp -d) || cannot "no folder can be made in ${TMPDIR:-/tmp}"
at_end "$work"
results=$work/results
: >"$results"
explain
say "$boots boots of $binary ($("$binary" --version | sed -n '1s/QEMU emulator version //p')), mode $mode"
began=$SECONDS
for ((i = 1; i <= boots; i++)); do
    status=0
    rm -rf "${work:?}/boot"
    guarded "$SCRIPTS/boot.sh" --mode "$mode" --keep "$work/boot" "${options[@]}" "$binary" >"$work/line" || status=$?
    [ "$status" -eq 0 ] || exit "$status"
    IFS=$'\t' read -r outcome seconds cpu rounds stalls longest polls note <"$work/line"
    cat "$work/line" >>"$results" || cannot "no room for the results in $work"
    text="boot $i of $boots: $outcome after $seconds s ($cpu s of CPU)"
    [ "$polls" = - ] || text+=", a vCPU polled the main context $polls times"
    [ "$rounds" -eq 0 ] || text+=", $rounds rounds, the longest ${longest} ms${stalls:+, $stalls stalls}"
    [ "$note" = - ] || text+=": $note"
    say "$text$(time_left)"
    [ ! -e "$work/boot/diagnosis" ] || sed "s/^/    | /" "$work/boot/diagnosis"
    # What cannot start now will not start the next time.
    if [ "$outcome" = failed ] && [ "$i" -eq 1 ]; then
        cannot "the first boot failed: $note"
    fi
done
print_sums
! grep -q '^hang' "$results" || exit "$FINDING"
! grep -qv '^ok' "$results" || exit "$NOT_POSSIBLE"
