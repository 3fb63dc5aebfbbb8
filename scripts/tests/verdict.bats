#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# verdict, given what is no QEMU that it can judge: one clear line, and CANNOT
# TELL or wrong use, never AFFECTED and never NOT AFFECTED.

bats_require_minimum_version 1.5.0
load common

judge() {
    needs_module
    run timeout 60 "$verdict" "$@"
}

# usage: refused: neither verdict was given, and one line says why
refused() {
    echo "$status: $output"
    [ "$status" -eq 2 ] || [ "$status" -eq 77 ]
    [ "${#lines[@]}" -le 2 ]
    [[ $output != AFFECTED* && $output != "NOT AFFECTED"* ]]
}

# usage: slow_worker BOUND: a schedule that holds the disk's worker for so long, for
# a mark that no guest makes
slow_worker() {
    mkdir slow
    cat >slow/lost-bh.schedule <<EOF
schedule slow-worker
bound $1
role vcpu         marks brdflqQe
role disk-worker  reads disk.img
round     vcpu mark b to vcpu mark e
evidence  vcpu mark l
hold disk-worker before-io until vcpu mark z
EOF
}

real() { command -v qemu-system-x86_64 || skip "no installed qemu-system-x86_64"; }

@test "a file that is not there" {
    judge "$here/nothing"
    refused
    [[ $output == *"$here/nothing"* ]]
}

@test "a folder" {
    judge "$here"
    refused
}

@test "a text file that may not be run" {
    echo hello >file
    judge "$here/file"
    refused
}

@test "a program that is not QEMU" {
    judge /bin/true
    refused
    judge "$(command -v gcc)"
    refused
    [[ $output == *"QEMU"* ]]
}

@test "a program that never answers" {
    printf '#!/bin/bash\nsleep 300\n' >slow
    chmod +x slow
    judge "$here/slow"
    refused
    [ -z "$(pgrep -f "$here/slow")" ]
}

@test "a program that crashes at start" {
    printf '#!/bin/bash\nkill -SEGV $$\n' >crash
    chmod +x crash
    judge "$here/crash"
    refused
}

@test "a QEMU without the x86 machine" {
    cat >qemu-system-arm <<'EOF'
#!/bin/bash
case "$*" in
*--version*) echo "QEMU emulator version 7.2.0" ;;
*-machine*) printf 'Supported machines are:\nvirt  ARM\n' ;;
*) exit 1 ;;
esac
EOF
    chmod +x qemu-system-arm
    judge "$here/qemu-system-arm"
    refused
    [ "$status" -eq 77 ]
    [[ $output == *x86* ]]
}

@test "a QEMU without virtio-blk" {
    cat >qemu <<'EOF'
#!/bin/bash
case "$*" in
*--version*) echo "QEMU emulator version 7.2.0" ;;
*-machine*) printf 'Supported machines are:\npc  PC\n' ;;
*-device*help*) echo 'name "e1000", bus PCI' ;;
*) exit 1 ;;
esac
EOF
    chmod +x qemu
    judge "$here/qemu"
    refused
    [ "$status" -eq 77 ]
    [[ $output == *virtio-blk* ]]
}

@test "a QEMU that answers questions, but exits when it should run" {
    cat >qemu <<EOF
#!/bin/bash
case "\$*" in
*--version* | *help*) exec $(real) "\$@" ;;
*) echo "qemu: out of luck" >&2; exit 1 ;;
esac
EOF
    chmod +x qemu
    judge "$here/qemu"
    echo "$output"
    [ "$status" -eq 77 ] || [ "$status" -eq 2 ]
    [[ $output == *"CANNOT TELL"* || $output == *verdict:* ]]
}

@test "a wrapper script that runs QEMU is judged like QEMU" {
    printf '#!/bin/sh\nexec %s "$@"\n' "$(real)" >qemu
    chmod +x qemu
    judge --scenario lost-bh "$here/qemu"
    echo "$output"
    [ "$status" -eq 1 ]
}

@test "a worker that is slow for longer than the guest's patience loses nothing" {
    slow_worker "900 ms"
    judge --seconds 4 --scenario lost-bh --schedule-dir "$here/slow" "$(real)"
    echo "$output"
    [ "$status" -eq 77 ]
    [[ $output == *"CANNOT TELL"* && $output != *" AFFECTED"* ]]
}

@test "native AIO and io_uring: no worker reads, a timer is lost all the same" {
    real >/dev/null
    for aio in native io_uring; do
        judge --aio "$aio" --scenario lost-timer
        if [ "$status" -eq 77 ] && [[ $output == *"io_uring"* ]]; then
            continue # the kernel has none
        fi
        [ "$status" -eq 1 ]
        [[ $output == *"timer lost: main thread asleep"* ]]
        judge --aio "$aio" --scenario lost-bh
        [ "$status" -eq 77 ]
        [[ $output == *"NOT REACHABLE"*"aio=$aio"* ]]
    done
}

@test "rounds that never meet come to an end" {
    slow_worker "1 ms"
    judge --rounds 5 --scenario lost-bh --schedule-dir "$here/slow" "$(real)"
    echo "$output"
    [ "$status" -eq 77 ]
    [[ $output == *"5000 rounds in a row did not meet the schedule; missed: "* ]]
}

@test "a static binary: nothing can be preloaded" {
    echo 'int main(void) { return 0; }' >static.c
    gcc -static -o static static.c 2>/dev/null || skip "no static libc (package libc6-dev)"
    judge "$here/static"
    refused
    [[ $output == *static* ]]
}

@test "a setuid binary: nothing can be preloaded" {
    cp /bin/true setuid
    chmod u+s setuid
    judge "$here/setuid"
    refused
    [[ $output == *set*uid* ]]
}

@test "no compiler for 32-bit code: said when the module is configured" {
    fake gcc <<EOF
[[ " \$* " != *" -m32 "* ]] || { echo "gcc: -m32 is not supported" >&2; exit 1; }
exec $(command -v gcc) "\$@"
EOF
    run env CC="$here/bin/gcc" "$top/scripts/module.sh"
    echo "$output"
    [ "$status" -eq 77 ]
    [[ $output == *-m32* ]]
}

@test "Ctrl-C: no QEMU is left running" {
    needs_module
    printf '#!/bin/sh\nexec %s "$@"\n' "$(real)" >qemu
    chmod +x qemu
    mkdir keep
    "$verdict" --rounds 100000 --keep "$here/keep" "$here/qemu" 3>&- >/dev/null 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        ! pgrep -f "$here/keep" >seen || [ "$(wc -l <seen)" -lt 2 ] || break
        sleep 0.1
    done
    [ "$(wc -l <seen)" -ge 2 ]
    kill -INT $pid
    wait $pid || :
    for _ in $(seq 50); do
        [ -n "$(pgrep -f "$here/keep")" ] || return 0
        sleep 0.1
    done
    false
}
