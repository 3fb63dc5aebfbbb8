#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One boot of a guest that the bug was met with; what the words libguestfs and
# soak are made of.
#
# usage: boot.sh [OPTION...] --mode MODE BINARY
#
#   --mode as-is             libguestfs: add a disk, launch, shut down
#   --mode uefi              OVMF with fresh variables in pflash, Debian's kernel,
#                            and an initrd that writes variables while disk reads
#                            are in flight
#   --mode aarch64           the same on -M virt, AAVMF and virtio-scsi; BINARY is
#                            a qemu-system-aarch64; one of QEMU 2.x leaves the
#                            firmware (Debian's kernel does not run on it)
#   --mode aarch64-firmware  -M virt and AAVMF; a UEFI program writes variables
#                            and waits for timers; no disk, no kernel
#   --mode forced            libguestfs with OVMF in pflash, under the schedule
#                            lost-bh
#   --mode forced-uefi       as uefi, under that schedule
#   --limit SECONDS          longest boot (default 60, with libguestfs 150)
#   --firmware-only          the boot is over when the kernel takes over
#   --no-count               do not preload the library that counts polls
#   --slow-main              QEMU's main thread runs only when nobody else wants
#                            to (SCHED_IDLE)
#   --stress                 stress-ng --cpu 4 beside it
#   --keep DIR               leave the files of the boot in DIR
#   --fields                 only print the names of the fields
#
# Prints one line, tab-separated: outcome, seconds, CPU seconds, rounds of the
# guest, those of them that took longer than half a second (stalls; some 40 ms
# are usual), the longest in ms, polls of the main context by vCPUs (or - when
# not counted), and a note.  The outcome is one of
#   ok      the boot came to its end
#   hang    nothing moves any more, and diagnose says LOST WAKEUP
#   stuck   nothing moves any more, but diagnose says something else (the note)
#   slow    the time limit came, and QEMU was still at work
#   unmet   the boot came to its end, but not under its schedule: the threads did
#           not meet, which says nothing about QEMU (the note)
#   failed  QEMU or libguestfs gave up (the note)
# The files that a boot needs are made by libguestfs.sh --prepare.
# AIO_WAKEUP_FIRMWARE: the folder with OVMF/ and AAVMF/ (default /usr/share).

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

FIELDS=(outcome seconds cpu rounds stalls longest_ms polls note)
STALL_US=500000
# QEMU 10.2's HPET goes on ticking when the kernel has turned to its local timer,
# which wakes the main loop every 4 ms; libguestfs turns it off where it can.
NO_HPET=hpet=disable
QUIET_S=10   # nothing has moved for so long: it hangs
firmware=${AIO_WAKEUP_FIRMWARE:-/usr/share}

# ---- what is started ------------------------------------------------------

# The preloaded library, as variables before a command
preload=()
use_engine() {
    local module=$BUILD/module/schedule
    preload=("LD_PRELOAD=$module/aio-wakeup-schedule.so" "AIO_WAKEUP_LOG=$dir/log")
    [ "$1" = count ] || preload+=("AIO_WAKEUP_SCHEDULE=$module/$1.schedule")
}

# The lowest common denominator: -L may stand more than once
roms() { printf '%s\n' -L /usr/share/qemu -L /usr/share/seabios; }

# Debian's ROMs are younger than these binaries, and so is -cpu max.
is_old() { [[ $version == 2.* ]]; }

# usage: fresh_variables NAME: OVMF or AAVMF
fresh_variables() {
    cp --sparse=always "$firmware/$1/$1_VARS.fd" "$dir/flash.img" 2>/dev/null ||
        cannot "no room for the UEFI variables in $dir"
}

pflash() {
    printf '%s\n' -drive "if=pflash,unit=0,format=raw,readonly=on,file=$firmware/$1/$1_CODE.fd" \
        -drive "if=pflash,unit=1,format=raw,file=$dir/flash.img"
}

marks() {
    printf '%s\n' -chardev "file,id=report,path=$dir/report" \
        -device isa-debugcon,iobase=0xe9,chardev=report \
        -chardev "file,id=marks,path=$dir/marks" \
        -device isa-debugcon,iobase=0xea,chardev=marks
}

drive() {
    printf '%s\n' -drive "if=none,id=disk,format=raw,file=$dir/disk.img,cache=writeback,aio=threads"
}

boot_x86() {
    local rounds=40 wait=3 machine=pc words=()
    [ "$mode" = uefi ] || { rounds=20 wait=30; }
    ! is_old || words=(-cpu qemu64)
    fresh_variables OVMF
    mapfile -t -O "${#words[@]}" words < <(roms; pflash OVMF; marks; drive)
    start "$binary" -machine "$machine,accel=tcg" -m 256 -nodefaults -no-user-config -vga none \
        -display none -monitor none -parallel none -serial "file:$dir/serial" "${words[@]}" \
        -device virtio-blk-pci,drive=disk,ioeventfd=off \
        -kernel "$linux/vmlinuz" -initrd "$linux/initrd" \
        -append "console=ttyS0 quiet panic=-1 $NO_HPET aio_rounds=$rounds aio_wait=$wait"
}

boot_aarch64() {
    local words
    fresh_variables AAVMF
    mapfile -t words < <(pflash AAVMF; drive)
    ln -s serial "$dir/report"
    start "$binary" -M virt -cpu cortex-a57 -m 512 -nodefaults -display none -monitor none \
        -serial "file:$dir/serial" "${words[@]}" \
        -device virtio-scsi-pci -device scsi-hd,drive=disk \
        -kernel "$linux/vmlinuz" -initrd "$linux/initrd" \
        -append "console=ttyAMA0 panic=-1 aio_rounds=20"
}

boot_aarch64_firmware() {
    local words
    fresh_variables AAVMF
    mapfile -t words < <(pflash AAVMF)
    ln -s serial "$dir/report"
    start "$binary" -M virt -cpu cortex-a57 -m 512 -nodefaults -display none -monitor none \
        -serial "file:$dir/serial" "${words[@]}" -kernel "$BUILD/uefi/variables.efi"
}

# libguestfs asks a QEMU what it can do before it starts one with a kernel.
write_wrapper() {
    local words=() old=
    ! is_old || old=yes
    mapfile -t words < <(roms)
    if [ "$mode" = forced ]; then
        fresh_variables OVMF
        mapfile -t -O "${#words[@]}" words < <(pflash OVMF; marks
            printf '%s\n' -global virtio-scsi-pci.ioeventfd=off)
    fi
    {
        printf '#!/bin/bash\nbinary=%q old=%q dir=%q\n' "$binary" "$old" "$dir"
        printf 'extra=('
        printf '%q ' "${words[@]}"
        printf ')\nenvironment=('
        [ ${#preload[@]} -eq 0 ] || printf '%q ' "${preload[@]}"
        cat <<'WRAPPER'
)
words=()
while [ $# -gt 0 ]; do
    if [ -n "$old" ]; then
        case $1 in
        -cpu) words+=(-cpu qemu64); shift 2; continue ;;
        -machine) words+=(-machine "${2%,graphics=off}"); shift 2; continue ;;
        esac
    fi
    words+=("$1")
    shift
done
[[ " ${words[*]} " == *" -kernel "* ]] || exec "$binary" -L /usr/share/qemu -L /usr/share/seabios "${words[@]}"
echo $$ >"$dir/pid"
exec env "${environment[@]}" "$binary" "${words[@]}" "${extra[@]}"
WRAPPER
    } >"$dir/hv"
    chmod +x "$dir/hv"
    # libguestfs keeps its answers by the size and the age of this file
    touch -r "$binary" "$dir/hv"
}

boot_appliance() {
    # the kernel may name disks in any order; disk.img is the first on the bus
    # shellcheck disable=SC2016
    local commands=(run : list-devices) first='$(ls /sys/bus/scsi/devices/*:0:0:0/block)'
    truncate -s 64M "$dir/program.img"
    [ "$mode" = as-is ] ||
        commands=(run : mkfs ext2 /dev/sdb : mount /dev/sdb / :
            upload "$linux/variables" /variables : chmod 0755 /variables :
            debug sh "modprobe efivarfs; sync; sleep 1; exec /sysroot/variables /dev/$first 20 30")
    write_wrapper
    export LIBGUESTFS_BACKEND=direct LIBGUESTFS_BACKEND_SETTINGS=force_tcg
    export LIBGUESTFS_HV=$dir/hv LIBGUESTFS_CACHEDIR=$BUILD/libguestfs TMPDIR=$dir
    local modules=("$linux"/lib/modules/*)
    export SUPERMIN_KERNEL=$linux/vmlinuz SUPERMIN_MODULES=${modules[0]}
    export SUPERMIN_KERNEL_VERSION=${modules[0]##*/}
    export LIBGUESTFS_APPEND=$NO_HPET
    mkdir -p "$LIBGUESTFS_CACHEDIR"
    preload=()
    start guestfish --verbose --format=raw -a "$dir/disk.img" --format=raw -a "$dir/program.img" "${commands[@]}"
}

# usage: start COMMAND...: in a process group of its own; it ends with us
start() {
    set -m
    env "${preload[@]}" setpriv --pdeathsig KILL "$@" </dev/null >"$dir/output" 2>&1 &
    started=$!
    set +m
}

stress=
stop_stress() {
    [ -z "$stress" ] || { kill "$stress" && wait "$stress"; } 2>/dev/null || :
    stress=
}

# ---- what is seen ---------------------------------------------------------

# usage: qemu_pid: sets $pid once there is a QEMU
qemu_pid() {
    case $mode in
    as-is | forced) pid=$(cat "$dir/pid" 2>/dev/null || :) ;;
    *) pid=$started ;;
    esac
}

# usage: look: sets $ticks (of CPU time) and $written (bytes that the guest said)
look() {
    local fields
    [ -z "$pid" ] || ! read -r fields 2>/dev/null <"/proc/$pid/stat" || {
        read -ra fields <<<"${fields##*) }"
        ticks=$((fields[11] + fields[12]))
    }
    written=$(($(stat -Lc %s "$dir/report" "$dir/serial" "$dir/output" 2>/dev/null | tr '\n' + || :)0))
}

# The main thread sleeps in poll or ppoll (x86_64 and aarch64 have other numbers).
main_sleeps() {
    local nr
    [ -n "$pid" ] && read -r nr _ 2>/dev/null <"/proc/$pid/syscall" || return 1
    case $(uname -m)/$nr in
    x86_64/7 | x86_64/271 | aarch64/73) return 0 ;;
    esac
    return 1
}

diagnose() {
    local status=0 answer
    answer=$(timeout 20 "$BUILD/module/diagnose/aio-wakeup-diagnose" "$pid" 2>&1) || status=$?
    note=$(head -n 1 <<<"$answer")
    outcome=stuck
    [ "$status" -ne 1 ] || outcome=hang
    printf '%s\n' "$answer" >"$dir/diagnosis"
}

# usage: watch_boot: returns when it is over; sets $outcome unless it ended itself
watch_boot() {
    local moved=$SECONDS seen_ticks=0 seen_written=0 slowed=
    while kill -0 "$started" 2>/dev/null; do
        sleep 0.2
        qemu_pid
        look
        if [ "$slow_main" = yes ] && [ -z "$slowed" ] && [ "$written" -gt 0 ] && [ -n "$pid" ]; then
            slowed=$(chrt -R -i -p 0 "$pid" 2>&1 || :)x
        fi
        if [ "$firmware_only" = yes ] && grep -qa 'Exiting boot services\|guest 1 variables' "$dir/serial" 2>/dev/null; then
            outcome=ok
            return
        fi
        # a tenth of a second of CPU time in ten seconds is no work
        if ((ticks - seen_ticks > 10 || written != seen_written)); then
            seen_ticks=$ticks seen_written=$written moved=$SECONDS
        elif ((SECONDS - moved >= QUIET_S)) && main_sleeps; then
            diagnose
            return
        fi
        if ((SECONDS - began >= limit)); then
            outcome=slow note="no end within $limit s"
            ! main_sleeps || { diagnose; [ "$outcome" = hang ] || outcome=slow; }
            return
        fi
    done
}

# usage: stop_boot: QEMU is told, then made, to end; what it counted is logged
stop_boot() {
    local i
    [ -n "$started" ] || return 0
    [ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null || :
    kill -TERM -- "-$started" 2>/dev/null || :
    for ((i = 0; i < 20; i++)); do
        kill -0 "$started" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL -- "-$started" ${pid:+"$pid"} 2>/dev/null || :
    wait "$started" 2>/dev/null || :
    started=
}

guest_lines() { [ ! -e "$dir/report" ] || tr -d '\r' <"$dir/report"; }

# usage: judge_end STATUS: it ended by itself; did it come to its end?
judge_end() {
    local error
    error=$(guest_lines | sed -n 's/^error //p' | head -n 1)
    outcome=failed
    if [ -n "$error" ]; then
        note="the guest says: $error"
    elif [ "$1" -ne 0 ]; then
        note=$(grep -avE '^ *$|GLib-WARNING|^Do:|export LIBGUESTFS|and run the|libguestfs.org|test-tool|into a bug|^libguestfs: command:|^libguestfs: closing|^guestfsd: |^supermin: [^e]' "$dir/output" | tail -n 1 || :)
        note=${note:-exit status $1}
    elif [ "$mode" != as-is ] && ! grep -q '^end rounds ' <(guest_lines); then
        note="QEMU ended in the middle of the boot: $(grep -av GLib-WARNING "$dir/output" | tail -n 1 || :)"
    else
        outcome=ok
        [[ $mode != forced* ]] || judge_schedule
    fi
}

# An affected QEMU hangs in the first or second round that meets the schedule.
judge_schedule() {
    local met all
    met=$(grep -c '^round [0-9]* met' "$dir/log" || :)
    all=$(grep -c '^round ' "$dir/log" || :)
    ((met < 3)) || return 0
    outcome=unmet
    note="only $met of $all rounds met the schedule; $(grep '^missed\|^unreachable' "$dir/log" | tail -n 1 || :)"
}

# ---- one boot -------------------------------------------------------------

mode='' binary='' limit='' keep='' firmware_only=no count=yes slow_main=no with_stress=no
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --fields) (IFS=$'\t'; printf '%s\n' "${FIELDS[*]}"); exit 0 ;;
    --mode) mode=$(value_of "$@"); shift ;;
    --limit) limit=$(value_of "$@"); shift ;;
    --keep) keep=$(value_of "$@"); shift ;;
    --firmware-only) firmware_only=yes ;;
    --no-count) count=no ;;
    --slow-main) slow_main=yes ;;
    --stress) with_stress=yes ;;
    -*) die "unknown option $1" ;;
    *) [ -z "$binary" ] || die "one binary at a time, not '$1' as well"; binary=$1 ;;
    esac
    shift
done
arch=amd64
case $mode in
as-is | forced) limit=${limit:-150} ;;
uefi | forced-uefi) limit=${limit:-60} ;;
aarch64) limit=${limit:-60} arch=arm64 ;;
aarch64-firmware) limit=${limit:-60} arch= ;;
*) die "--mode is as-is, uefi, aarch64, aarch64-firmware, forced or forced-uefi, not '$mode'" ;;
esac
[[ $limit =~ ^[1-9][0-9]*$ ]] || die "--limit takes seconds, not '$limit'"
[ -n "$binary" ] || die "which QEMU?"
[ -x "$binary" ] || die "$binary cannot be executed"
version=$("$binary" --version 2>/dev/null | sed -n 's/^QEMU emulator version \([^ ,]*\).*/\1/p') || :
[ -n "$version" ] || die "$binary is no QEMU system emulator: its --version does not say so"
[ "$mode" != aarch64 ] || ! is_old || firmware_only=yes
linux=$BUILD/linux/$arch
made=$linux/initrd
[ -n "$arch" ] || made=$BUILD/uefi/variables.efi
[[ -e $made && -e $BUILD/module/schedule/aio-wakeup-schedule.so &&
    -e $BUILD/module/diagnose/aio-wakeup-diagnose ]] ||
    cannot "what a boot needs is not made yet; run: ./build.sh libguestfs --prepare --mode $mode"

dir=$(mktemp -d "${TMPDIR:-/tmp}/aio-wakeup-boot-XXXXXX") || cannot "no folder can be made in ${TMPDIR:-/tmp}"
at_end "$dir"
truncate -s 16M "$dir/disk.img" || cannot "no room for a disk in $dir"
case $mode in
forced | forced-uefi) use_engine lost-bh ;;
*) [ "$count" = no ] || use_engine count ;;
esac
started=''
on_failure stop_stress
if [ "$with_stress" = yes ]; then
    command -v stress-ng >/dev/null || cannot "stress-ng is missing; install it with: apt-get install stress-ng"
    setpriv --pdeathsig KILL stress-ng --quiet --cpu 4 --timeout "$((limit + 30))" &
    stress=$!
fi

outcome='' note='' pid='' ticks=0 written=0
on_failure stop_boot
began=$SECONDS
begin=$EPOCHREALTIME
case $mode in
uefi | forced-uefi) boot_x86 ;;
aarch64) boot_aarch64 ;;
aarch64-firmware) boot_aarch64_firmware ;;
*) boot_appliance ;;
esac
watch_boot
seconds=$((${EPOCHREALTIME/./} - ${begin/./}))
if [ -z "$outcome" ]; then
    status=0
    wait "$started" || status=$?
    started=
    judge_end "$status"
else
    stop_boot
fi
stop_stress
on_failure_clear

read -r rounds stalls longest < <(guest_lines | awk -v stall=$STALL_US '
    /^round [0-9]+ kept us/ { n++; stalls += $5 > stall; if ($5 > most) most = $5 }
    END { printf "%d %d %d\n", n, stalls, most / 1000 }')
polls=$(sed -n 's/^counts .*waiter-clears=\([0-9]*\) waiter-polls=\([0-9]*\).*/\1 \2/p' "$dir/log" 2>/dev/null |
    awk '{ n = $1 > $2 ? $1 : $2; if (n > most) most = n } END { if (NR) print most }') || :
printf '%s\t%d.%d\t%d.%02d\t%s\t%s\t%s\t%s\t%s\n' "$outcome" $((seconds / 1000000)) $((seconds / 100000 % 10)) \
    $((ticks / 100)) $((ticks % 100)) "$rounds" "$stalls" "$longest" "${polls:--}" "$(tr '\t' ' ' <<<"${note:--}")"
[ -z "$keep" ] || { mkdir -p "$keep" && cp -r "$dir/." "$keep/"; }
