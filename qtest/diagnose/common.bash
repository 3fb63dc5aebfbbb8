# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154
#
# What the tests of diagnose and watch share.

# shellcheck source=scripts/tests/common.bash
load ../../scripts/tests/common

setup_file() {
    # 16 bytes at the reset vector: halt for ever
    truncate -s 65520 "$BATS_FILE_TMPDIR/halt.bin"
    printf '\xfa\xf4\xeb\xfd' >>"$BATS_FILE_TMPDIR/halt.bin"
    truncate -s 65536 "$BATS_FILE_TMPDIR/halt.bin"
}

begin() {
    needs_module
    modules=$built/module
    tool=$modules/diagnose/aio-wakeup-diagnose
    watcher=$modules/diagnose/aio-wakeup-watch
    qemu=${DIAGNOSE_QEMU:-$(command -v qemu-system-x86_64)} || skip "no installed qemu-system-x86_64"
    pids=()
}

teardown() {
    local pid
    for pid in "${pids[@]:-}"; do
        [ -z "$pid" ] || { kill -KILL "$pid" && wait "$pid"; } 2>/dev/null || :
    done
}

# usage: boot FIRMWARE [OPTION...]: a QEMU beside the test; sets $pid
boot() {
    local firmware=$1 i
    shift
    rm -f marks
    truncate -s 1M disk.img
    head -c 65536 /dev/zero | tr '\0' '\377' >flash.img
    "${wrap[@]}" "$qemu" -machine pc,accel=tcg -m 16 -nodefaults -no-user-config -vga none -display none \
        -serial none -parallel none -monitor none \
        -drive if=pflash,unit=0,format=raw,readonly=on,file="$firmware" \
        -drive if=pflash,unit=1,format=raw,file=flash.img \
        -drive if=none,id=disk,format=raw,file=disk.img \
        -device virtio-blk-pci,drive=disk,ioeventfd=off \
        -chardev null,id=report -device isa-debugcon,iobase=0xe9,chardev=report \
        -chardev file,id=marks,path="$here/marks" -device isa-debugcon,iobase=0xea,chardev=marks \
        -device isa-debug-exit,iobase=0xf4,iosize=4 "$@" >/dev/null 2>qemu.err 3>&- &
    pid=$!
    pids+=("$pid")
    # QEMU opens it after its event loop is there; a busy host takes a while
    for ((i = 0; i < 100; i++)); do
        [ ! -e marks ] || break
        sleep 0.1
    done
    sleep 0.6
}
# an ignored SIGALRM crashes QEMU, and GNU parallel may ignore it
wrap=(env --default-signal=ALRM)

# usage: image SCENARIO ROUNDS PATIENCE_MS: firmware with these numbers
image() {
    cp "$modules/guest/$1.bin" "$1.bin"
    perl -e 'print pack("V2", @ARGV)' "$2" "$3" | dd of="$1.bin" bs=1 seek=8 conv=notrunc status=none
    echo "$here/$1.bin"
}

# usage: hang SCENARIO N COMMAND: run COMMAND beside N hangs; its output is in
# the file "held", the runner's in $output
hang() {
    run timeout 60 env --default-signal=ALRM "$verdict" --scenario "$1" --rounds "$2" --hold "{ $3; } >>$here/held 2>&1" "$qemu"
    echo "$output"
    cat held
}

# usage: says STATUS VERDICT TEXT: what the last run of the tool did
says() {
    echo "$status: $output"
    [ "$status" -eq "$1" ]
    [[ ${lines[0]} == "$2: "* ]]
    [[ $output == *"$3"* ]]
}

# usage: comes_to PID VERDICT TEXT: the tool says so, sooner or later: a busy host
# takes a while to start a QEMU.  Never is a wakeup lost.
comes_to() {
    local try
    for ((try = 0; try < 40; try++)); do
        run "$tool" "$1"
        [[ $output != "LOST WAKEUP"* ]] || break
        [[ ${lines[0]} != "$2: "* || $output != *"$3"* ]] || break
        sleep 0.3
    done
    says 0 "$2" "$3"
}

# usage: lost PID: the tool says so
lost() { [ "$("$tool" "$1" | head -n 1 | cut -d: -f1)" = "LOST WAKEUP" ]; }

# usage: within_10_s COMMAND...: waits until it succeeds
within_10_s() {
    local try
    for ((try = 0; try < 100; try++)); do
        ! "$@" || return 0
        sleep 0.1
    done
    return 1
}

# usage: is_qemu PID: it has become one
is_qemu() { [ "$(readlink "/proc/$1/exe")" = "$(readlink -f "$qemu")" ]; }

# usage: first_child PID: sets $child, when that is a QEMU
first_child() {
    child=$(cat "/proc/$1/task/$1/children")
    child=${child%% *}
    [ -n "$child" ] && is_qemu "$child"
}
