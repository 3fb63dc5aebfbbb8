#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The shim where users put it: who starts QEMU, under which restrictions, and
# what else gets it into its environment.
#
# AIO_WAKEUP_CHECK_BUILD   build folder with the test module
# SHIM_QEMU                a QEMU; default: the installed one

bats_require_minimum_version 1.5.0
load ../../scripts/tests/common
# shellcheck disable=SC2030,SC2031,SC2154

begin() {
    needs_module
    shim=$built/module/shim/libaio-wakeup-shim.so
    tool=$built/module/diagnose/aio-wakeup-diagnose
    script=("$top/scripts/shim.sh" --library "$shim")
    qemu=${SHIM_QEMU:-$(command -v qemu-system-x86_64)} || skip "no installed qemu-system-x86_64"
    pids=()
}

teardown() {
    local pid
    for pid in "${pids[@]:-}"; do
        [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || :
    done
}

plain=(-machine none -display none -monitor none -serial none -parallel none)

# usage: said WORDS: they stand in the file err, or come within 20 s
said() {
    local i
    for ((i = 0; i < 200; i++)); do
        ! grep -q "$1" err || return 0
        sleep 0.1
    done
    cat err
    return 1
}

# usage: seen PID: diagnose finds the shim at work in it, or does within 20 s
seen() {
    local i
    for ((i = 0; i < 50; i++)); do
        run "$tool" "$1"
        [[ $output != *"shim       loaded, "*" wakeups given back"* ]] || return 0
        sleep 0.1
    done
    printf '%s\n' "$output"
    return 1
}

# usage: start COMMAND...: in the background, the shim preloaded; sets $pid
start() {
    LD_PRELOAD=$shim AIO_WAKEUP_SHIM=verbose "$@" >out 2>err 3>&- &
    pid=$!
    pids+=("$pid")
}

@test "a QEMU: loaded, seen by diagnose, gone with a summary" {
    begin
    start "$qemu" "${plain[@]}"
    said ': loaded'
    seen "$pid"
    kill -TERM "$pid"
    wait "$pid"
    said 'iterations; taken'
}

@test "silent unless it is asked to speak" {
    begin
    LD_PRELOAD=$shim "$qemu" "${plain[@]}" 2>err 3>&- &
    pid=$!
    pids+=("$pid")
    for ((i = 0; i < 200; i++)); do
        ! "$tool" "$pid" | grep -q 'shim  *loaded' || break
        sleep 0.1
    done
    kill -TERM "$pid"
    wait "$pid"
    [[ $(cat err) != *aio-wakeup* ]]
}

@test "off: it does nothing" {
    begin
    start env AIO_WAKEUP_SHIM=off,verbose "$qemu" "${plain[@]}" -chardev file,id=f,path=there
    for ((i = 0; i < 200; i++)); do
        [ ! -e there ] || break
        sleep 0.1
    done
    run "$tool" "$pid"
    [[ $output != *shim* ]]
    [ ! -s err ]
}

@test "other programs: not a word, and nothing in their maps" {
    begin
    for program in "qemu-img --version" "qemu-nbd --version" "qemu-io --version" "bash -c :" "cat /dev/null" \
        "python3 -c pass"; do
        command -v "${program%% *}" >/dev/null || continue
        # shellcheck disable=SC2086
        run --separate-stderr env LD_PRELOAD="$shim" AIO_WAKEUP_SHIM=verbose $program
        [ "$status" -eq 0 ]
        [ -z "$stderr" ]
    done
    LD_PRELOAD=$shim run cat /proc/self/maps
    [[ $output == *libaio-wakeup-shim.so* && $output != *memfd* ]]
}

@test "a sandbox with everything denied" {
    begin
    "$qemu" -sandbox on -version >/dev/null 2>&1 || skip "this QEMU has no seccomp"
    start "$qemu" "${plain[@]}" -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
    said ': loaded'
    sleep 0.5
    kill -TERM "$pid"
    wait "$pid"
    said 'iterations; taken'
}

@test "another user, in a chroot" {
    begin
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    start "$qemu" "${plain[@]}" -runas nobody -chroot "$here"
    said ': loaded'
    seen "$pid"
    [[ $(stat -c %U "/proc/$pid") != root || $(awk '/^Uid/ { print $2 }' "/proc/$pid/status") -ne 0 ]]
    kill -TERM "$pid"
    wait "$pid"
}

@test "-daemonize: the child is the one that is helped" {
    begin
    LD_PRELOAD=$shim "$qemu" "${plain[@]}" -daemonize -pidfile pid 3>&-
    pid=$(cat pid)
    pids+=("$pid")
    seen "$pid"
}

@test "a child of QEMU has no LD_PRELOAD of ours, but keeps another one" {
    begin
    cat >child <<'EOF'
#!/bin/sh
env >child.env.new
mv child.env.new child.env
EOF
    chmod +x child
    other=$built/module/shim/libfake-uring.so
    for preload in "$shim" "$shim:$other"; do
        rm -f child.env
        LD_PRELOAD=$preload "$qemu" "${plain[@]}" -incoming "exec:$here/child" 2>err 3>&- &
        pid=$!
        pids+=("$pid")
        for ((i = 0; i < 200; i++)); do
            [ ! -e child.env ] || break
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null || :
        [ "$(sed -n 's/^LD_PRELOAD=//p' child.env)" = "$(sed "s,^$shim:*,," <<<"$preload")" ]
    done
}

@test "a wrapper" {
    begin
    "${script[@]}" --wrapper "$qemu" >qemu-kept
    chmod +x qemu-kept
    AIO_WAKEUP_SHIM=verbose ./qemu-kept "${plain[@]}" 2>err 3>&- &
    pid=$!
    pids+=("$pid")
    said ': loaded'
    seen "$pid"
}

@test "shim -- COMMAND, through a shell" {
    begin
    AIO_WAKEUP_SHIM=verbose "${script[@]}" -- sh -c 'exec "$@"' sh "$qemu" "${plain[@]}" 2>err 3>&- &
    pid=$!
    pids+=("$pid")
    said ': loaded'
    [ "$(grep -c loaded err)" -eq 1 ]
}

@test "patchelf --add-needed" {
    begin
    command -v patchelf >/dev/null || skip "patchelf is missing; apt-get install patchelf"
    cp "$qemu" qemu-system-x86_64
    patchelf --add-needed "$shim" qemu-system-x86_64
    # the copy does not find its modules by itself
    for modules in /usr/lib/*/qemu; do
        [ ! -d "$modules" ] || export QEMU_MODULE_DIR=$modules
    done
    AIO_WAKEUP_SHIM=verbose ./qemu-system-x86_64 "${plain[@]}" 2>err 3>&- &
    pid=$!
    pids+=("$pid")
    said ': loaded'
    seen "$pid"
}

@test "wrong use is told" {
    begin
    run "${script[@]}" --
    [ "$status" -eq 2 ]
    run "$top/scripts/shim.sh" --library ./not-there
    [ "$status" -eq 2 ]
    run "${script[@]}" --wrapper not-there
    [ "$status" -eq 2 ]
    run "${script[@]}" qemu-system-x86_64
    [[ $status -eq 2 && $output == *"comes after --"* ]]
}
