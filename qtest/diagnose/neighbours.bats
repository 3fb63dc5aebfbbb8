#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# diagnose on QEMUs that hang for another reason: it names that one, and never a
# lost wakeup.  The faults are those of diagnose-sweep.

bats_require_minimum_version 1.5.0
load common

# usage: neighbour KIND: diagnose gives the reason, sooner or later
neighbour() {
    local try
    begin
    export tools=$BATS_TEST_DIRNAME
    # shellcheck source=qtest/diagnose/faults.bash
    . "$tools/faults.bash"
    fault "$1" || skip "this QEMU does not have it"
    for ((try = 0; try < 10; try++)); do
        run "$tool" "$pid"
        echo "$status: $output"
        [[ $output != "LOST WAKEUP"* ]]
        # shellcheck disable=SC2154,SC2053
        [[ $output != $reason ]] || return 0
        sleep 0.3
    done
    echo "expected: $reason"
    return 1
}

@test "neighbour: the guest spins" { neighbour spin; }
@test "neighbour: timers on a clock that loadvm has moved are not judged" { neighbour loadvm; }
@test "neighbour: a short read of io_uring that is never submitted again" {
    neighbour short-read
    [[ $output == *"the main loop is not armed"* ]]
    command -v gcore >/dev/null || skip "no gcore for the other half; install gdb"
    gcore -o core "$pid" >/dev/null
    # shellcheck disable=SC2154
    run "$tool" --core core.* "$qemu"
    says 0 "NOT THIS" "does not complete"
}
@test "neighbour: storage that never answers, at start" { neighbour dead-realize; }
@test "neighbour: storage that does not even greet" { neighbour dead-handshake; }
@test "neighbour: storage that never answers the guest" { neighbour dead-guest; }
@test "neighbour: storage that never answers, then stop" { neighbour dead-stop; }
@test "neighbour: storage that never answers, then system_reset" { neighbour dead-reset; }
@test "neighbour: storage that never answers, then quit" { neighbour dead-quit; }
@test "neighbour: storage that never answers, then block_resize" { neighbour dead-resize; }
@test "neighbour: storage that never answers, then migrate" { neighbour dead-migrate; }
@test "neighbour: storage that never answers, then device_del" { neighbour dead-device-del; }
@test "neighbour: a request that a throttle filter holds back" { neighbour throttle; }
@test "neighbour: a device whose other process does not answer" { neighbour vhost-user; }
@test "neighbour: a page that postcopy does not bring" { neighbour postcopy; }
@test "neighbour: a page that postcopy does not bring, then stop" { neighbour postcopy-stop; }
@test "neighbour: device_add fails while the guest waits for its disk" { neighbour rcu; }
