#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# diagnose and watch on QEMUs that hang for a known reason, or do not hang.
#
# AIO_WAKEUP_CHECK_BUILD   build folder with the test module
# DIAGNOSE_QEMU            QEMU that loses wakeups; default: the installed one
# DIAGNOSE_PATCHED         one that does not, or nothing
# DIAGNOSE_DEBUG_INFO      one with debug information, or nothing

bats_require_minimum_version 1.5.0
load common

@test "diagnose: a bottom half that was lost, and --wake" {
    begin
    hang lost-bh 3 "$tool \$AIO_WAKEUP_PID; echo status \$?; $tool --wake \$AIO_WAKEUP_PID >freed; echo freed \$?; grep woken freed"
    [ "$(grep -c '^freed 0' held)" -eq 3 ]
    [ "$(grep -c '^LOST WAKEUP: PID' held)" -eq 3 ]
    [ "$(grep -c '^status 1' held)" -eq 3 ]
    grep -q 'bottom half .* is scheduled' held
    [ "$(grep -c 'woken .*the pending work is done' held)" -eq 3 ]
    [[ $output == *"3 were freed"* ]]
}

@test "diagnose: --wake fails when the thread merely runs" {
    begin
    wrap=(env --default-signal=ALRM AIO_WAKEUP_BLOCK=deaf LD_PRELOAD="$modules/diagnose/test-block.so")
    boot "$(image lost-bh 0 600000)"
    within_10_s lost "$pid"
    run "$tool" --wake "$pid"
    says 1 "LOST WAKEUP" "no effect; still pending: bottom half"
    run "$tool" --json --wake "$pid"
    [ "$status" -eq 1 ]
    [ "$(jq .freed <<<"$output")" = false ]
}

@test "diagnose: a true loss stays one while another thread is in aio_poll" {
    begin
    tools=$BATS_TEST_DIRNAME
    # shellcheck source=qtest/diagnose/faults.bash
    . "$tools/faults.bash"
    # the guest's first report has an "r": the main loop is deaf from then on
    preload=(AIO_WAKEUP_BLOCK=deaf,flash LD_PRELOAD="$modules/diagnose/test-block.so")
    args=()
    truncate -s 1M disk.img
    guest lost-timer
    flashes
    start -drive if=none,id=disk,format=raw,file=disk.img -device virtio-blk-pci,drive=disk,ioeventfd=off
    within_10_s grep -q lost-timer report
    until_10_s settled "$pid"
    # a request that nobody but the main loop serves
    kill -TERM "$pid"
    within_10_s lost "$pid"
    run "$tool" "$pid"
    says 1 "LOST WAKEUP" "the main loop is armed, a thread is in aio_poll"
    [[ $output == *"request of the guest or a user: shutdown"* ]]
}

@test "diagnose: it changes nothing unless told" {
    begin
    hang lost-bh 1 "$tool \$AIO_WAKEUP_PID; $tool \$AIO_WAKEUP_PID"
    [ "$(grep -c '^LOST WAKEUP: PID' held)" -eq 2 ]
    [[ $output == *"0 were freed"* ]]
}

@test "diagnose: a timer that was lost" {
    begin
    hang lost-timer 1 "$tool --wake \$AIO_WAKEUP_PID"
    grep -q '^LOST WAKEUP' held
    grep -q 'timer .* ms overdue' held
    [[ $output == *"1 were freed"* ]]
}

@test "diagnose: a request to power off that was lost" {
    begin
    hang lost-shutdown 1 "$tool --wake \$AIO_WAKEUP_PID"
    grep -q '^LOST WAKEUP' held
    grep -q 'request .*: shutdown' held
}

@test "diagnose: without symbols the context is found in memory" {
    begin
    cp "$qemu" qemu-system-x86_64
    strip --strip-all qemu-system-x86_64 2>/dev/null || skip "no strip"
    # what is exported cannot be stripped: its name is spoiled
    sed -i 's/\x00qemu_get_aio_context\x00/\x00qemu_got_aio_context\x00/' qemu-system-x86_64
    qemu=$here/qemu-system-x86_64
    QEMU_MODULE_DIR=/usr/lib/$(gcc -dumpmachine)/qemu
    export QEMU_MODULE_DIR
    hang lost-bh 1 "$tool --wake \$AIO_WAKEUP_PID"
    grep -q '^LOST WAKEUP' held
    grep -q 'context found in memory' held
    [[ $output == *"1 were freed"* ]]
}

@test "diagnose: a core file" {
    begin
    command -v gcore >/dev/null || skip "no gcore; install gdb"
    hang lost-bh 1 "gcore -o $here/core \$AIO_WAKEUP_PID >/dev/null; $tool --wake \$AIO_WAKEUP_PID"
    grep -q '^LOST WAKEUP' held
    run "$tool" --core core.*
    says 1 "LOST WAKEUP" "bottom half"
    run "$tool" --core core.* "$qemu"
    says 1 "LOST WAKEUP" "asleep in ppoll"
    boot "$(image idle 0 1000)"
    comes_to "$pid" "NOT THIS" "idle"
    gcore -o "$here/idle" "$pid" >/dev/null
    run "$tool" --core "idle.$pid"
    says 77 "CANNOT TELL" "no bottom half is pending"
    run "$tool" --core core.* /bin/true
    [ "$status" -eq 2 ]
    run "$tool" --core "$qemu"
    [ "$status" -eq 2 ]
    head -c 100000 core.* >short
    run "$tool" --core short "$qemu"
    [ "$status" -eq 77 ] || [ "$status" -eq 2 ]
    run "$tool" --core nothing
    [ "$status" -eq 2 ]
    [[ $output == *nothing* ]]
}

@test "diagnose: a QEMU that works is not lost" {
    begin
    boot "$(image free-run 0 1000)"
    comes_to "$pid" "NOT THIS" "the main loop runs"
    for _ in 1 2 3; do
        run "$tool" "$pid"
        says 0 "NOT THIS" "the main loop runs"
    done
    run "$tool" --wake "$pid"
    says 0 "NOT THIS" "the main loop runs"
    [[ $output != *"  woken "* ]]
}

@test "diagnose: an idle guest is not lost" {
    begin
    boot "$(image idle 0 1000)"
    comes_to "$pid" "NOT THIS" "idle"
    for _ in 1 2 3; do
        run "$tool" "$pid"
        says 0 "NOT THIS" "idle"
    done
}

@test "diagnose: a guest that is paused" {
    begin
    boot "$BATS_FILE_TMPDIR/halt.bin" -S
    comes_to "$pid" "NOT THIS" "the guest is stopped"
}

@test "diagnose: a QEMU that is stopped by a signal" {
    begin
    boot "$(image free-run 0 1000)"
    kill -STOP "$pid"
    sleep 0.2
    comes_to "$pid" "NOT THIS" "stopped by a signal"
    kill -CONT "$pid"
    comes_to "$pid" "NOT THIS" "the main loop runs"
    # a hang may be stopped as well: that comes first
    hang lost-bh 1 "kill -STOP \$AIO_WAKEUP_PID; sleep 0.2; $tool \$AIO_WAKEUP_PID; kill -CONT \$AIO_WAKEUP_PID; $tool --wake \$AIO_WAKEUP_PID"
    [[ $(grep -m 1 PID held) == "NOT THIS"* ]]
    grep -q '^LOST WAKEUP' held
}

@test "diagnose: a deadlock on the BQL, with its owner" {
    begin
    wrap=(env --default-signal=ALRM AIO_WAKEUP_BLOCK=bql LD_PRELOAD="$modules/diagnose/test-block.so")
    boot "$(image lost-bh 0 600000)"
    kill -ALRM "$pid"       # any event: the main loop wants the BQL
    sleep 0.2
    comes_to "$pid" "NOT THIS" "deadlock: the main loop waits for the BQL, which thread "
    owner=$(sed -n 's/.*which thread \([0-9]*\) holds; that one .*/\1/p' <<<"$output")
    [ -d "/proc/$pid/task/$owner" ] && [ "$owner" != "$pid" ]
    [[ $output == *"that one in pause"* ]]
}

@test "diagnose: I/O that the kernel does not complete" {
    begin
    wrap=(env --default-signal=ALRM AIO_WAKEUP_BLOCK=io LD_PRELOAD="$modules/diagnose/test-block.so")
    boot "$(image lost-bh 0 600000)"
    comes_to "$pid" "NOT THIS" "does not complete"
    # the only worker sits in it: a write to the flash may wait for one
    [[ $output == *"in flight "*"read of 512 bytes at "*" of node "*" (file, disk.img)"* ]]
}

@test "diagnose: across a PID namespace" {
    begin
    unshare --pid --fork true 2>/dev/null || skip "no right to make a PID namespace"
    wrap=(unshare --pid --fork --kill-child env --default-signal=ALRM AIO_WAKEUP_BLOCK=bql LD_PRELOAD="$modules/diagnose/test-block.so")
    boot "$(image lost-bh 0 600000)"
    inner=$(cat "/proc/$pid/task/$pid/children")
    kill -ALRM "${inner% }"
    sleep 0.2
    comes_to "${inner% }" "NOT THIS" "deadlock: the main loop waits for the BQL, which thread "
    number=$(awk '/^NSpid/ { print $NF }' "/proc/${inner% }/status")
    if [ ! -d "/proc/$number" ]; then
        run "$tool" "$number"
        [ "$status" -eq 2 ]
        [[ $output == *"process ${inner% } has this number in another PID namespace"* ]]
    fi
    # and a hang in there is seen and freed from here
    TMPDIR=$here unshare --pid --fork --mount-proc --kill-child timeout 60 "$verdict" --scenario lost-bh --rounds 1 \
        --hold "touch $here/hung; while [ ! -e $here/done ]; do sleep 0.1; done" "$qemu" >namespace.out 2>&1 3>&- &
    runner=$!
    within_10_s [ -e hung ] || within_10_s [ -e hung ]
    for file in /proc/[0-9]*/cmdline; do
        ! tr '\0' ' ' 2>/dev/null <"$file" | grep -q "^$qemu .*$here/aio-wakeup-" || hung=${file//[!0-9]/}
    done
    run "$tool" --wake "$hung"
    touch done
    says 0 "LOST WAKEUP" "the pending work is done"
    wait "$runner" || :
    cat namespace.out
    grep -q '1 were freed' namespace.out
}

# usage: other_root: $qemu is run in user and mount namespaces of its own, where its
# file has the name of another program out here, as in a container
other_root() {
    mkdir outside inside
    cp /bin/true outside/qemu-system-x86_64
    cp "$qemu" inside/
    # which it seeks beside itself
    QEMU_MODULE_DIR=$(find /usr/lib -path '*/qemu/accel-tcg-x86_64.so' -printf '%h\n' -quit)
    export QEMU_MODULE_DIR
    cat >launcher <<EOF
#!/bin/sh
exec unshare --user --map-root-user --mount sh -c '
mount --bind $here/inside $here/outside && exec "\$@"' sh $here/outside/qemu-system-x86_64 "\$@"
EOF
    chmod +x launcher
    qemu=$here/launcher
    "$qemu" --version || skip "no right to make user and mount namespaces"
}

@test "diagnose: in another mount namespace, where file names are the process's own" {
    begin
    other_root
    hang lost-bh 1 "readlink /proc/\$AIO_WAKEUP_PID/exe; $tool --wake \$AIO_WAKEUP_PID"
    grep -qx "$here/outside/qemu-system-x86_64" held
    grep -q '^LOST WAKEUP: PID' held
    grep -q 'bottom half .* is scheduled' held
    [[ $output == *"1 were freed"* ]]
}

@test "watch: a QEMU in another mount namespace" {
    begin
    other_root
    run timeout 60 "$watcher" --after 1 --wake -- "$verdict" --scenario lost-bh --rounds 1 --patience 20000 "$qemu"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"watch: LOST WAKEUP: PID "*"the pending work is done"* ]]
    [[ $output == *"1 QEMU processes seen, 1 lost wakeups"* ]]
}

@test "diagnose: wrong use, one line each" {
    begin
    boot "$BATS_FILE_TMPDIR/halt.bin"
    thread=$(ls "/proc/$pid/task" | grep -vx "$pid" | head -n 1)
    sleep 300 3>&- &
    other=$!
    pids+=("$other")
    for bad in "$thread" "$other" 4194304 0 -5 hello "" 1x; do
        run "$tool" "$bad"
        echo "$bad: $status: $output"
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
    run "$tool" "$thread"
    [[ $output == *"is a thread of process $pid"* ]]
    run "$tool" "$other"
    [[ $output == *"is no QEMU"* ]]
    run "$tool"
    [ "$status" -eq 2 ]
    run "$tool" "$pid" "$pid"
    [ "$status" -eq 2 ]
}

@test "diagnose: the wrapper of a QEMU is told from it" {
    begin
    boot "$BATS_FILE_TMPDIR/halt.bin"
    bash -c "\"\$@\" & wait" wrapper "$qemu" -machine none -nodefaults -display none >/dev/null 2>&1 3>&- &
    wrapper=$!
    pids+=("$wrapper")
    within_10_s first_child "$wrapper"
    pids+=("$child")
    run "$tool" "$wrapper"
    [ "$status" -eq 2 ]
    [[ $output == *"its child $child is"* ]]
}

@test "diagnose: a zombie" {
    begin
    boot "$BATS_FILE_TMPDIR/halt.bin"
    perl -e 'if (!fork) { exec @ARGV } sleep 30' "$qemu" -machine none -nodefaults -display none >/dev/null 2>&1 3>&- &
    parent=$!
    pids+=("$parent")
    within_10_s first_child "$parent"
    kill -KILL "$child"
    within_10_s grep -q '^State:.Z' "/proc/$child/status"
    run "$tool" "$child"
    says 0 "NOT THIS" "a zombie"
}

@test "diagnose: a process that ends while it is looked at" {
    begin
    boot "$BATS_FILE_TMPDIR/halt.bin"
    "$tool" "$pid" >ended 2>&1 3>&- &
    looking=$!
    # it looks for a while once it has the program open
    within_10_s grep -q qemu "/proc/$looking/maps"
    kill -KILL "$pid"
    wait "$looking" && status=0 || status=$?
    cat ended
    [ "$status" -eq 0 ]
    grep -q "NOT THIS: PID $pid" ended
    grep -q "has ended just now" ended
}

@test "diagnose: a kernel without pidfd_getfd" {
    begin
    command -v strace >/dev/null || skip "no strace"
    hang lost-bh 1 "strace -f --seccomp-bpf -o /dev/null -e trace=pidfd_getfd -e inject=pidfd_getfd:error=ENOSYS $tool --wake \$AIO_WAKEUP_PID; echo status \$?"
    grep -q '^LOST WAKEUP' held
    grep -q 'could not be written: .*(Linux 5.6 or later is needed).*sent SIGALRM, for its signalfd: the pending work is done' held
    grep -qx 'status 0' held
}

@test "diagnose: no right to look" {
    begin
    boot "$BATS_FILE_TMPDIR/halt.bin"
    setpriv --reuid=65534 --clear-groups true 2>/dev/null || skip "not root"
    cp "$tool" /tmp/aio-wakeup-diagnose.$$
    run setpriv --reuid=65534 --clear-groups "/tmp/aio-wakeup-diagnose.$$" "$pid"
    rm -f /tmp/aio-wakeup-diagnose.$$
    says 77 "CANNOT TELL" "run this as that user or as root"
    run setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace "$tool" "$pid"
    says 77 "CANNOT TELL" "CAP_SYS_PTRACE"
}

@test "diagnose: nothing stops the process" {
    begin
    command -v strace >/dev/null || skip "no strace"
    hang lost-bh 1 "strace -f -o $here/trace -e trace=ptrace,kill,tkill,tgkill,pidfd_send_signal,write $tool --json \$AIO_WAKEUP_PID; $tool --wake \$AIO_WAKEUP_PID"
    grep -q '"verdict" : "LOST WAKEUP"' held
    [ -z "$(grep -E 'ptrace|kill|send_signal' trace)" ]
    [ -z "$(grep 'write(' trace | grep -v 'write([12],')" ]
}

@test "diagnose: JSON" {
    begin
    hang lost-bh 1 "$tool --json --wake \$AIO_WAKEUP_PID"
    run jq -r '[.verdict, .["asleep-in-poll"], .freed, (.pending | length > 0)] | join(" ")' held
    [ "$output" = "LOST WAKEUP true true true" ]
}

@test "diagnose: a patched QEMU at work is not lost" {
    begin
    [ -n "${DIAGNOSE_PATCHED:-}" ] || skip "no patched QEMU"
    qemu=$DIAGNOSE_PATCHED
    boot "$(image free-run 0 1000)"
    comes_to "$pid" "NOT THIS" "the main loop runs"
    kill -KILL "$pid"       # it has the images locked
    wait "$pid" || :
    boot "$(image idle 0 1000)"
    comes_to "$pid" "NOT THIS" "idle"
}

@test "diagnose: debug information says what is found by content" {
    begin
    qemu=${DIAGNOSE_DEBUG_INFO:-$qemu}
    readelf -SW "$qemu" | grep -q debug_info || skip "no debug information in $qemu; name one with it as DIAGNOSE_DEBUG_INFO"
    command -v gdb >/dev/null || skip "no gdb"
    boot "$(image idle 0 1000)"
    comes_to "$pid" "NOT THIS" "idle"
    rm -rf "$AIO_WAKEUP_CACHE/offsets"
    run "$tool" --debug-info "$pid"
    says 0 "NOT THIS" "offsets from debug information, the same by content"
    comes_to "$pid" "NOT THIS" "offsets from debug information (cached), the same by content"
    kill -KILL "$pid"       # it has the images locked
    wait "$pid" || :
    strip --strip-debug -o qemu-system-x86_64 "$qemu"
    qemu=$here/qemu-system-x86_64
    boot "$(image idle 0 1000)"
    comes_to "$pid" "NOT THIS" "idle"
    run "$tool" --debug-info "$pid"
    says 0 "NOT THIS" "offsets found by content"
}

# usage: hold_until_found: sets $hold, for --hold: until the file "findings" has one
# more than after the hang before, or for 30 s
hold_until_found() {
    : >findings
    echo 0 >count
    hold="for i in \$(seq 300); do [ \$(wc -l <$here/findings) -le \$(cat $here/count) ] || break; sleep 0.1; done; wc -l <$here/findings >$here/count"
}

@test "watch: a finding under a schedule, and none with a patched QEMU" {
    begin
    hold_until_found
    run timeout 60 "$watcher" --after 1 --report findings "$verdict" --scenario lost-bh --rounds 1 --hold "$hold" "$qemu"
    echo "$status: $output"
    [ "$status" -eq 1 ]
    [ "$(grep -c 'watch: LOST WAKEUP: PID .*bottom half' <<<"$output")" -eq 1 ]
    [ -n "${DIAGNOSE_PATCHED:-}" ] || skip "no patched QEMU for the other half"
    # 3 ms a round or more: it lives for several of the watch's scans
    run timeout 60 "$watcher" --after 1 "$verdict" --scenario lost-bh --rounds 1000 --hold "$hold" "$DIAGNOSE_PATCHED"
    echo "$status: $output"
    [ "$status" -eq 0 ]
    [[ $output =~ [1-9][0-9]*" QEMU processes seen, 0 lost wakeups" ]]
}

@test "watch: --wake lets the command go on, --report keeps the findings" {
    begin
    hold_until_found
    # after the runner has left the hang to its command, which it does in 1.5 s
    run timeout 60 "$watcher" --after 2 --wake --report findings -- "$verdict" --scenario lost-bh --rounds 2 \
        --hold "$hold" "$qemu"
    echo "$status: $output"
    [ "$status" -eq 1 ]
    [[ $output == *"2 were freed"* ]]
    # one that was freed early may hang again before the runner looks
    [ "$(grep -c '^LOST WAKEUP.*the pending work is done' findings)" -ge 2 ]
}

@test "watch: the exit status is the command's" {
    begin
    run "$watcher" true
    [ "$status" -eq 0 ]
    run "$watcher" sh -c 'exit 7'
    [ "$status" -eq 7 ]
    run "$watcher" sh -c 'kill -KILL $$'
    [ "$status" -eq 137 ]
    run "$watcher" "$here/nothing"
    [ "$status" -eq 2 ]
    run "$watcher"
    [ "$status" -eq 2 ]
    run "$watcher" --after 0 true
    [ "$status" -eq 2 ]
}

@test "watch: a QEMU that daemonizes itself is found, and ended" {
    begin
    run timeout 60 "$watcher" --after 1 "$qemu" -machine none -nodefaults -display none -daemonize \
        -pidfile "$here/pid" -S
    echo "$status: $output"
    [ "$status" -eq 0 ]
    [[ $output =~ [1-9][0-9]*" QEMU processes seen" ]]
    [[ $output == *"ending 1 processes"* ]]
    [ ! -e "$here/pid" ] || gone "$(cat "$here/pid")"
    run timeout 60 "$watcher" --leave "$qemu" -machine none -nodefaults -display none -daemonize \
        -pidfile "$here/pid2" -S
    [ -d "/proc/$(cat "$here/pid2")" ]
    kill -KILL "$(cat "$here/pid2")"
}

@test "watch: nothing is left when it is told to stop" {
    begin
    "$watcher" sh -c "sleep 301 & setsid sleep 302 & echo \$\$ >$here/shell; wait" >out 2>&1 3>&- &
    watch=$!
    for ((i = 0; i < 50; i++)); do [ ! -s shell ] || break; sleep 0.1; done
    children=$(cat "/proc/$(cat shell)/task/$(cat shell)/children")
    kill -TERM "$watch"
    status=0
    wait "$watch" || status=$?
    [ "$status" -eq 143 ]
    gone "$(cat shell)"
    for child in $children; do gone "$child"; done
}
