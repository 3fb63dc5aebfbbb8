#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# libguestfs, and boot under it, where something is missing or goes wrong: one
# clear line, nothing left running, nothing half made.

bats_require_minimum_version 1.5.0
load common

word() { "$top/scripts/libguestfs.sh" "$@"; }

# usage: fake_qemu <<TEXT: a "QEMU" that answers questions, and else does TEXT
fake_qemu() {
    {
        cat <<'EOF'
#!/bin/bash
case "$*" in
*--version*) echo "QEMU emulator version 7.2.22"; exit ;;
*help*)
    for device in ${DEVICES-virtio-blk-pci virtio-scsi-pci virtio-serial-pci virtio-rng-pci}; do
        echo "name \"$device\", bus PCI"
    done
    exit
    ;;
esac
EOF
        cat
    } >"$here/qemu"
    chmod +x "$here/qemu"
}

# What libguestfs.sh --prepare makes, as far as boot looks at it
fake_prepared() {
    mkdir -p "$here/build/linux/amd64/lib/modules/6.1" "$here/build/linux/arm64" \
        "$here/build/module/schedule" "$here/build/module/diagnose" "$here/firmware/OVMF" "$here/tmp"
    touch "$here"/build/linux/a{md,rm}64/{initrd,vmlinuz,variables} \
        "$here/build/module/schedule/aio-wakeup-schedule.so" "$here/build/module/diagnose/aio-wakeup-diagnose" \
        "$here"/firmware/OVMF/OVMF_{CODE,VARS}.fd
    export AIO_WAKEUP_FIRMWARE=$here/firmware TMPDIR=$here/tmp
}

boot() { "$top/scripts/boot.sh" --no-count "$@" "$here/qemu"; }

nothing_is_left() {
    local i
    [ -z "$(ls -A "$here/tmp")" ]
    for ((i = 0; i < 30; i++)); do
        [ -n "$(pgrep -f "$here/qemu|$here/tmp")" ] || return 0
        sleep 0.1
    done
    pgrep -af "$here/qemu|$here/tmp"
    return 1
}

one_line() {
    echo "$status: $output"
    [ "$status" -eq "$1" ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"$2"* ]]
}

@test "libguestfs: no UEFI firmware for x86" {
    fake_qemu </dev/null
    AIO_WAKEUP_FIRMWARE=$here/none run word --mode uefi "$here/qemu"
    one_line 77 "apt-get install --no-install-recommends ovmf"
}

@test "libguestfs: no UEFI firmware for aarch64" {
    fake_qemu </dev/null
    AIO_WAKEUP_FIRMWARE=$here/none run word --mode aarch64 "$here/qemu"
    one_line 77 "apt-get install --no-install-recommends qemu-efi-aarch64"
}

@test "libguestfs: no libguestfs" {
    fake_qemu </dev/null
    fake_prepared
    hide guestfish
    run word --mode forced "$here/qemu"
    one_line 77 "apt-get install --no-install-recommends guestfish"
}

@test "libguestfs: no packages for arm64 in the archive" {
    command -v cpio depmod >/dev/null || skip "cpio or depmod is missing (packages cpio, kmod)"
    fake apt-get <<'EOF'
echo "E: Unable to locate package linux-image-cloud-arm64" >&2
exit 100
EOF
    run "$top/scripts/linux.sh" arm64
    echo "$output"
    [ "$status" -eq 77 ]
    [[ ${lines[-1]} == *"arm64"*"out of reach"* ]]
    [ ! -e "$here/cache/linux-arm64" ]
    [ ! -e "$here/build/linux/arm64" ]
}

@test "libguestfs: a program that is no QEMU, a file that is none" {
    run word /bin/true
    one_line 2 "no QEMU"
    run word "$here/nothing"
    one_line 2 "cannot be executed"
}

@test "libguestfs: a QEMU that was built with few devices" {
    fake_qemu </dev/null
    DEVICES=virtio-blk-pci run word --mode forced "$here/qemu"
    one_line 77 "AIO_WAKEUP_DEVICES=all"
}

@test "libguestfs: a QEMU for another machine than the UEFI program's" {
    fake_qemu </dev/null
    run word --mode aarch64-firmware "$here/qemu"
    one_line 77 "no machine virt"
}

@test "libguestfs: no lld for the UEFI program" {
    hide lld-link
    run "$top/scripts/uefi.sh"
    one_line 77 "apt-get install --no-install-recommends lld"
    [ ! -e "$here/build/uefi/variables.efi" ]
}

# That it does with the program, on a patched QEMU, is for check.sh to see: a stock
# one may lose the tick here, with nothing forced.
@test "libguestfs: the firmware without the UEFI program does not come to its end" {
    command -v clang lld-link qemu-system-aarch64 >/dev/null ||
        skip "clang, lld-link or qemu-system-aarch64 is missing (packages clang, lld, qemu-system-arm)"
    [ -e /usr/share/AAVMF/AAVMF_CODE.fd ] || skip "no UEFI firmware for aarch64 (package qemu-efi-aarch64)"
    run "$top/scripts/uefi.sh"
    [ "$status" -eq 0 ]
    fake_prepared
    ln -s /usr/share/AAVMF "$here/firmware/AAVMF"
    cat >"$here/qemu" <<'EOF'
#!/bin/bash
[ "$1" = --version ] || set -- "${@:1:$#-2}" # no -kernel
exec qemu-system-aarch64 "$@"
EOF
    chmod +x "$here/qemu"
    run boot --mode aarch64-firmware --limit 15
    echo "$output"
    [[ $output == @(slow|stuck)* ]]
    nothing_is_left
}

@test "libguestfs: wrong words" {
    for words in "--mode other" "--boots 0" "--boots x" "--what" "/bin/true /bin/true"; do
        # shellcheck disable=SC2086
        run word $words
        one_line 2 ""
    done
}

@test "boot: the appliance cannot be built" {
    fake_qemu </dev/null
    fake_prepared
    fake guestfish <<'EOF'
echo "supermin: error: lstat: No such file or directory: /lib/modules" >&2
echo "libguestfs: error: /usr/bin/supermin exited with error status 1" >&2
exit 1
EOF
    run boot --mode as-is
    one_line 0 "supermin exited with error status 1"
    [[ $output == failed* ]]
    nothing_is_left
}

@test "boot: QEMU ends at its start, or in the middle" {
    fake_prepared
    fake_qemu <<<'echo "qemu: out of luck" >&2; exit 1'
    run boot --mode uefi
    one_line 0 "out of luck"
    [[ $output == failed* ]]
    fake_qemu <<<'exit 0'
    run boot --mode uefi
    one_line 0 "middle of the boot"
    nothing_is_left
}

@test "boot: the guest says what is wrong" {
    fake_prepared
    fake_qemu <<'EOF'
report=$(sed 's/.*file,id=report,path=\([^ ]*\).*/\1/' <<<"$*")
echo "error no UEFI variables: No such device" >"$report"
EOF
    run boot --mode uefi
    one_line 0 "the guest says: no UEFI variables"
    [[ $output == failed* ]]
}

@test "boot: rounds and stalls are counted" {
    fake_prepared
    fake_qemu <<'EOF'
report=$(sed 's/.*file,id=report,path=\([^ ]*\).*/\1/' <<<"$*")
printf 'round %d kept us %d\n' 1 41000 2 2610000 3 39000 >"$report"
echo "end rounds 3 lost 0 us 99" >>"$report"
EOF
    run --separate-stderr boot --mode uefi
    echo "$output"
    IFS=$'\t' read -ra fields <<<"$output"
    [ "${fields[0]}" = ok ]
    [ "${fields[3]}" -eq 3 ]
    [ "${fields[4]}" -eq 1 ]
    [ "${fields[5]}" -eq 2610 ]
}

@test "boot: at its limit a QEMU that is at work is slow, and ended" {
    fake_prepared
    fake_qemu <<<'while :; do :; done'
    run boot --mode uefi --limit 2
    one_line 0 "no end within 2 s"
    [[ $output == slow* ]]
    nothing_is_left
}

@test "boot: stopped in the middle it leaves nothing" {
    fake_prepared
    fake_qemu <<<'sleep 300; :'
    for signal in TERM INT; do
        env --default-signal=INT "$top/scripts/boot.sh" --no-count --mode uefi "$here/qemu" 3>&- >out 2>&1 &
        pid=$!
        for ((i = 0; i < 50; i++)); do
            ! pgrep -f "$here/qemu -machine" >/dev/null || break
            sleep 0.1
        done
        kill -$signal $pid
        result=0
        wait $pid || result=$?
        [ "$result" -gt 128 ]
        nothing_is_left
    done
}

@test "boot: disk full" {
    fake_qemu <<<'exit 0'
    fake_prepared
    head -c 300k /dev/zero >firmware/OVMF/OVMF_VARS.fd
    tr '\0' x <firmware/OVMF/OVMF_VARS.fd >full && mv full firmware/OVMF/OVMF_VARS.fd
    unshare -rm true 2>/dev/null || skip "no private mounts here (unshare -rm)"
    run unshare -rm bash -c 'mount -t tmpfs -o size=64k none "$TMPDIR" && exec "$0" --no-count --mode uefi "$1"' \
        "$top/scripts/boot.sh" "$here/qemu"
    echo "$output"
    [ "$status" -eq 77 ]
    [[ ${lines[-1]} == *"no room"* ]]
}

@test "boot: nothing is prepared: the command that does it" {
    fake_qemu </dev/null
    run boot --mode uefi
    one_line 77 "./build.sh libguestfs --prepare"
}
