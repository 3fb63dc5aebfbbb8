#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# diagnose --capture, watch --all, watch --kill-after.

bats_require_minimum_version 1.5.0
load common

# an idle QEMU whose tick is off: its main loop sleeps; sets $pid
sleeper() {
    truncate -s 65520 idle.bin
    printf '\xfa\xb0\x30\xe6\x43\xf4\xeb\xfd' >>idle.bin
    truncate -s 65536 idle.bin
    rm -f marks
    sleeping=("$qemu" -machine pc,accel=tcg -m 16 -nodefaults -no-user-config -vga none -display none -serial none
        -parallel none -monitor none -bios idle.bin -chardev "file,id=marks,path=marks"
        -device isa-debugcon,iobase=0xea,chardev=marks "$@")
}

start_sleeper() {
    sleeper "$@"
    "${sleeping[@]}" >/dev/null 2>qemu.err </dev/null 3>&- &
    pid=$!
    pids+=("$pid")
    within_10_s [ -e marks ]
    sleep 0.5
}

# usage: alone SCRIPT: run it where it sees no process but its own
alone() {
    unshare --pid --fork true 2>/dev/null || skip "no right to make a PID namespace"
    printf '%s\n' "set -eu; cd '$here'" "$1" >script
    run timeout 120 unshare --pid --fork --mount-proc --kill-child bash -x script 3>&-
    echo "$output"
}

@test "capture: one archive, whole, without secrets and without guest memory" {
    begin
    start_sleeper -object secret,id=s,data=hunter2 -name guest=web1
    run "$tool" --capture hang.tar "$pid"
    says 0 "NOT THIS" "hang.tar ("
    [[ $output == *"left out: "*"core: only with --with-core"* ]]
    tar xf hang.tar
    for file in answer-1.json answer-2.json system command threads descriptors README; do
        [ -s "qemu-$pid/$file" ]
    done
    [ "$(jq -r .verdict "qemu-$pid/answer-2.json")" = "NOT THIS" ]
    grep -q 'eventfd-count' "qemu-$pid/descriptors"
    grep -qx 'secret,id=s,data=\*\*\*' "qemu-$pid/command"
    run ! grep -rq hunter2 "qemu-$pid"
    ! command -v gdb >/dev/null || grep -q '^#0' "qemu-$pid/backtraces"
    [ "$(stat -c %a hang.tar)" = 600 ]
}

@test "capture: what cannot be written leaves nothing" {
    begin
    start_sleeper
    touch there.tar
    for file in there.tar nowhere/hang.tar; do
        run "$tool" --capture "$file" "$pid"
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
    [ ! -s there.tar ]
    unshare --mount true 2>/dev/null || skip "no right to mount a full disk"
    run unshare --mount sh -c "mkdir full && mount -t tmpfs -o size=8k none full && ! $tool --capture full/x.tar $pid && ls -A full"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ ${lines[0]} == *"No space left"*"nothing of it is left"* ]]
}

@test "watch --all: finds a hang that comes later, frees it, keeps metrics; two do not fight" {
    begin
    hold="for i in \\\$(seq 200); do ! grep -q 'pending work is done' $here/findings-? 2>/dev/null || break; sleep 0.1; done; sleep 1"
    alone "
        touch findings-1 findings-2
        for i in 1 2; do
            '$watcher' --all --wake --after 1 --interval 0.3 --metrics m\$i.prom --report findings-\$i &
        done
        for i in \$(seq 100); do [ ! -s m2.prom ] || break; sleep 0.1; done
        timeout 60 '$verdict' --scenario lost-bh --rounds 1 --hold \"$hold\" '$qemu' || :
        cp m1.prom m1.kept; cp m2.prom m2.kept
        kill -TERM %1; wait %1
        kill -TERM %2; wait %2
        echo both have ended well"
    [[ $output == *"1 were freed"* ]]
    [[ $output == *"both have ended well"* ]]
    [ "$(cat findings-1 findings-2 | grep -c '^LOST WAKEUP: .*wrote the notifier (fd [0-9]*): the pending work is done')" -eq 1 ]
    grep -q '^aio_wakeup_looks_total{pid="[0-9]*",name="[^"]*",uuid=""} [0-9]' m1.prom
    [ "$(cat m?.kept | grep -c '^aio_wakeup_woken_total{.*} 1$')" -ge 1 ]
    [ -z "$(ls | grep tmp)" ]
}

@test "watch --all: a VM is woken at most so often in an hour" {
    begin
    hold="for i in \\\$(seq 60); do [ \\\$(grep -c 'pending work is done' $here/findings) -eq 0 ] || ! grep -q 'left alone' $here/findings || break; sleep 0.1; done"
    alone "
        touch findings
        '$watcher' --all --wake --wake-limit 1 --after 1 --interval 0.3 --report findings &
        timeout 60 '$verdict' --scenario lost-bh --rounds 2 --hold \"$hold\" '$qemu' || :
        kill -TERM %1; wait %1"
    cat findings
    [ "$(grep -c 'pending work is done' findings)" -eq 1 ]
    grep -q 'has been woken 1 times within an hour: left alone' findings
}

@test "watch --all: it does not grow, and sleeping QEMUs are not a finding" {
    begin
    sleeper -name guest=web1 -uuid 00000000-0000-0000-0000-000000000001
    # rss LOOKS: of the watch, once it has looked so often
    alone "
        rss() {
            for i in \$(seq 600); do
                looks=\$(sed -n 's/^aio_wakeup_looks_total{.*name=\"web1\".*} //p' m.prom)
                [ \"\${looks:-0}\" -lt \$1 ] || break
                sleep 0.1
            done
            sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/\$watch/status
        }
        ${sleeping[*]} >/dev/null 2>&1 & qemu=\$!
        for i in \$(seq 100); do [ ! -e marks ] || break; sleep 0.1; done
        '$watcher' --all --after 0.1 --interval 0.00001 --metrics m.prom --report findings & watch=\$!
        first=\$(rss 500)
        last=\$(rss 5000)
        kill -TERM \$watch; wait \$watch
        kill -KILL \$qemu
        echo grown by \$((last - first)) KiB"
    [ ! -e findings ]
    grown=$(sed -n 's/^grown by \(-*[0-9]*\) KiB$/\1/p' <<<"$output")
    [ "$grown" -le 256 ]
    grep -q '^aio_wakeup_asleep_seconds{pid="[0-9]*",name="web1",uuid="00000000-0000-0000-0000-000000000001"}' m.prom
}

@test "watch --all: systemd hears that it is ready, and that it ends" {
    begin
    python3 -c 'import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("notify"); s.settimeout(30)
print(s.recv(99).decode(), flush=True); print(s.recv(99).decode())' >heard 3>&- &
    within_10_s [ -S notify ]
    NOTIFY_SOCKET=$here/notify run "$watcher" --all --interval 0.1 --scans 2
    [ "$status" -eq 0 ]
    wait
    [ "$(paste -sd' ' heard)" = "READY=1 STOPPING=1" ]
    ! command -v systemd-analyze >/dev/null ||
        [ -z "$(systemd-analyze verify "$BATS_TEST_DIRNAME/aio-wakeup-watch.service" 2>&1 | grep 'aio-wakeup-watch.service:[0-9]')" ]
}

@test "watch --kill-after: the job's log says why" {
    begin
    sleeper
    run timeout 60 "$watcher" --kill-after 1 --report findings "${sleeping[@]}"
    echo "$status: $output"
    [ "$status" -eq 1 ]
    [[ $output == *"killing PID "*": NOT THIS: the guest is idle"* ]]
    ! command -v gdb >/dev/null || [[ $output == *"#0 "*ppoll* ]]
    run timeout 60 "$watcher" --kill-after 1 --capture "$here" "${sleeping[@]}"
    [ "$status" -eq 1 ]
    [ "$(ls qemu-*.tar | wc -l)" -eq 1 ]
}

@test "watch: wrong use, one line each" {
    begin
    for bad in "" "--all true" "--all --kill-after 5" "--all --leave" "--metrics m true" "--all --interval 0" \
        "--all --wake-limit -1" "--all --metrics $here/nowhere/m" "--kill-after -1 true"; do
        # shellcheck disable=SC2086
        run timeout 20 "$watcher" $bad
        echo "$bad: $status: $output"
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}
