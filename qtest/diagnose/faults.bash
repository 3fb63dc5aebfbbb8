# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
#
# QEMUs that hang for another reason than a lost wakeup, or do not hang: for the
# tests of diagnose and for diagnose-sweep.  To be sourced, in a folder of their
# own, with
#
#   modules   the folder of the built module
#   qemu      the QEMU
#   tools     the folder of this file
#
# fault KIND boots one; afterwards $pid is it, $pids all that have to be killed,
# $reason a pattern (of [[ == ]]) of what diagnose has to say.

# kind: what it is
fault_kinds=(
    free-run        # works
    idle            # its guest has nothing to do
    paused          # -S
    sigstop         # stopped by a signal
    spin            # the guest spins
    loadvm          # idle, on a clock that was moved
    bql             # deadlock on the BQL
    io              # a read that the kernel does not complete
    short-read      # io_uring: a short read is not submitted again (to 10.1)
    dead-realize    # storage that takes a request and never answers: at start
    dead-handshake  # one that does not even greet
    dead-guest      # during a request of the guest
    dead-stop       # and then: stop
    dead-reset      # system_reset
    dead-quit       # quit
    dead-resize     # block_resize
    dead-migrate    # migrate
    dead-device-del # device_del
    throttle        # a request held back by a throttle filter, in an iothread
    vhost-user      # a device whose other process does not answer
    postcopy        # the page of a vCPU does not come
    postcopy-stop   # and then: stop
    rcu             # device_add fails while the guest waits for its disk (up to 10.0)
)

# usage: until_10_s COMMAND...: waits until it succeeds
until_10_s() {
    local end=$((SECONDS + 10))
    while [ "$SECONDS" -le "$end" ]; do
        ! "$@" || return 0
        sleep 0.05
    done
    return 1
}

# usage: guest NAME [PATIENCE_MS]: makes firmware.bin
guest() {
    cp "$modules/guest/$1.bin" firmware.bin
    perl -e 'print pack("V2", @ARGV)' 0 "${2:-600000}" |
        dd of=firmware.bin bs=1 seek=8 conv=notrunc status=none
}

# usage: code BYTES: firmware.bin that does this from the reset vector on; first it
# has to stop the tick (mov $0x30, %al; out %al, $0x43), which wakes the main loop
code() {
    truncate -s 65520 firmware.bin
    printf '%b' "$1" >>firmware.bin
    truncate -s 65536 firmware.bin
}

# usage: flashes: an option for each flash
flashes() {
    head -c 65536 /dev/zero | tr '\0' '\377' >flash.img
    args+=(-drive if=pflash,unit=0,format=raw,readonly=on,file=firmware.bin
        -drive if=pflash,unit=1,format=raw,file=flash.img)
}

# usage: start OPTION...: a QEMU in the background; sets $pid
start() {
    rm -f marks qmp report
    env --default-signal=ALRM "${preload[@]}" "$qemu" -machine "pc,accel=tcg$machine" -m 16 \
        -nodefaults -no-user-config -vga none -display none -serial none -parallel none -monitor none \
        -chardev file,id=report,path=report -device isa-debugcon,iobase=0xe9,chardev=report \
        -chardev file,id=marks,path=marks -device isa-debugcon,iobase=0xea,chardev=marks \
        -device isa-debug-exit,iobase=0xf4,iosize=4 -qmp unix:qmp,server=on,wait=off \
        "${args[@]}" "$@" >/dev/null 2>qemu.err </dev/null 3>&- &
    pid=$!
    pids+=("$pid")
}

ready() { until_10_s [ -e marks ]; }
qmp() { timeout 20 python3 "$tools/qmp.py" "$@"; }
# usage: begins_and_hangs COMMAND: its answer is waited for one second
begins_and_hangs() { qmp --no-wait qmp "$1" >/dev/null; }

# usage: server [MODE]: storage that dies when the file nbd.dead exists
server() {
    rm -f nbd nbd.*
    python3 "$tools/dead-server.py" nbd "$@" 3>&- &
    pids+=("$!")
    until_10_s [ -S nbd ]
}

# a guest that reads from storage which is dead by now
dead_guest() {
    server
    guest lost-bh
    flashes
    start -blockdev nbd,node-name=net,server.type=unix,server.path=nbd \
        -device virtio-blk-pci,drive=net,id=disk,ioeventfd=off
    until_10_s [ -s marks ]
    touch nbd.dead
    until_10_s [ -e nbd.asked ]
    reason="*because*a read of 512 bytes at * of node net (nbd*) does not complete*"
}

# what waits may be a flush: only reads and writes are seen in flight
or_a_flush() { reason="*because*node net (nbd*) does not co[m]*"; }

postcopy() {
    local source on='{"execute":"migrate-set-capabilities","arguments":{"capabilities":[{"capability":"postcopy-ram","state":true}]}}'
    # the guest writes to each page of its first MiB, over and over
    code '\xb0\x30\xe6\x43\x8e\xd8\xfe\x06\x00\x00\x05\x00\x01\xeb\xf5'
    args+=(-bios firmware.bin)
    start
    source=$pid
    until_10_s [ -S qmp ]
    mv qmp qmp-source
    start -incoming defer -S
    until_10_s [ -S qmp ]
    qmp qmp "$on" "{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"unix:$PWD/migration\"}}" >/dev/null
    qmp qmp-source "$on" \
        '{"execute":"migrate-set-parameters","arguments":{"max-bandwidth":65536,"max-postcopy-bandwidth":4096,"downtime-limit":1}}' \
        "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"unix:$PWD/migration\"}}" migrate-start-postcopy >/dev/null
    until_10_s status_is qmp-source '"postcopy-active"'
    kill -STOP "$source"
    begins_and_hangs cont   # only now: it must not have got the pages already
    until_10_s faults_in "$pid" || return
    reason="*because*userfaultfd*postcopy*"
}

# usage: status_is SOCKET STATUS: of a migration
status_is() { [[ $(qmp "$1" query-migrate) == *"$2"* ]]; }

# usage: faults_in PID: one of its threads waits for a page
faults_in() { cat "/proc/$1"/task/*/wchan 2>/dev/null | grep -q handle_userfault; }

# usage: settled PID: its main thread has not run for 0.4 s
settled() {
    local before
    before=$(grep ctxt "/proc/$1/task/$1/status")
    sleep 0.4
    [ "$before" = "$(grep ctxt "/proc/$1/task/$1/status")" ]
}

# usage: no_answer COMMAND: it is not answered within a second
no_answer() { [ -z "$(qmp --no-wait qmp "$1")" ]; }

# usage: fault KIND; fails when this QEMU does not have it
fault() {
    preload=() machine='' args=()
    case $1 in
    dead-* | postcopy* | vhost-user | rcu | short-read) ;;
    *) truncate -s 1M disk.img ;;
    esac
    case $1 in
    free-run | idle | paused | sigstop | bql | io)
        case $1 in
        bql | io) guest lost-bh ;;
        idle) guest idle ;;
        *) guest free-run ;;
        esac
        flashes
        args+=(-drive if=none,id=disk,format=raw,file=disk.img -device virtio-blk-pci,drive=disk,ioeventfd=off)
        [[ $1 != @(bql|io) ]] || preload=(AIO_WAKEUP_BLOCK="$1" LD_PRELOAD="$modules/diagnose/test-block.so")
        [ "$1" != paused ] || args+=(-S)
        start
        ready
        ;;
    spin | loadvm)
        if [ "$1" = spin ]; then code '\xb0\x30\xe6\x43\xeb\xfe'; else code '\xfa\xb0\x30\xe6\x43\xf4\xeb\xfd'; fi
        args+=(-bios firmware.bin)
        ;;
    esac
    case $1 in
    free-run) reason="*because*the main loop runs*" ;;
    idle) reason="*because*the guest is idle*" ;;
    paused) reason="*because*the guest is stopped*" ;;
    sigstop)
        kill -STOP "$pid"
        reason="*because*stopped by a signal*"
        ;;
    spin)
        start
        ready
        reason="*because*the guest runs: thread *if it does not get on, it spins*"
        ;;
    loadvm)
        qemu-img create -q -f qcow2 snapshot.qcow2 1M || return
        args+=(-drive if=none,id=snapshot,format=qcow2,file=snapshot.qcow2 -device virtio-blk-pci,drive=snapshot)
        start
        until_10_s [ -S qmp ]
        sleep 2             # the guest's clock is older than the second QEMU
        qmp qmp "hmp:savevm now" >/dev/null
        kill -KILL "$pid"
        wait "$pid" 2>/dev/null || :
        start -loadvm now
        ready
        reason="*because*are on clocks that cannot be read*"
        ;;
    bql)
        sleep 0.3
        kill -ALRM "$pid"       # any event: the main loop wants the BQL
        reason="*because*deadlock: the main loop waits for the BQL, which thread *"
        ;;
    io) # the only worker sits in it: a write to the flash may wait for one
        reason="*because*a * of 512 bytes at * of node * (file, *.img)* does not complete*"
        ;;
    short-read)
        truncate -s 256 short.img
        code '\xfa\xf4\xeb\xfd'
        args+=(-bios firmware.bin)
        start -drive if=none,id=short,format=raw,file=short.img,aio=io_uring
        until_10_s [ -S qmp ]
        no_answer 'hmp:qemu-io short "read 0 512"' || return
        reason="*because*a read of 512 bytes at 0 of node * (file, short.img) does not complete*nested aio_poll*"
        ;;
    dead-realize)
        server
        touch nbd.dead
        code '\xf4'
        start -bios firmware.bin -blockdev nbd,node-name=net,server.type=unix,server.path=nbd -device virtio-blk-pci,drive=net
        until_10_s [ -e nbd.asked ]
        reason="*because*a read of 512 bytes at 0 of node net (nbd*) does not complete*nested aio_poll*"
        ;;
    dead-handshake)
        server handshake
        code '\xf4'
        start -bios firmware.bin -blockdev nbd,node-name=net,server.type=unix,server.path=nbd -device virtio-blk-pci,drive=net
        sleep 0.5
        reason="*because*an answer * (socket to *nested aio_poll*"
        ;;
    dead-guest) dead_guest ;;
    dead-stop) dead_guest; begins_and_hangs stop ;;
    dead-reset) dead_guest; begins_and_hangs system_reset ;;
    dead-quit) dead_guest; begins_and_hangs quit ;;
    dead-resize)
        dead_guest
        begins_and_hangs '{"execute":"block_resize","arguments":{"node-name":"net","size":2097152}}'
        ;;
    dead-migrate)
        dead_guest
        begins_and_hangs '{"execute":"migrate","arguments":{"uri":"exec:cat >/dev/null"}}'
        or_a_flush
        ;;
    dead-device-del)
        dead_guest
        begins_and_hangs '{"execute":"device_del","arguments":{"id":"disk"}}'
        begins_and_hangs system_reset
        or_a_flush
        ;;
    throttle)
        guest free-run
        flashes
        start -object iothread,id=io -object throttle-group,id=slow,x-iops-total=1,x-iops-total-max=1 \
            -blockdev driver=throttle,node-name=slowed,throttle-group=slow,file.driver=file,file.filename=disk.img \
            -device virtio-blk-pci,drive=slowed,iothread=io
        ready
        sleep 0.5
        reason="*because*of node slowed (throttle*) is held back by that filter*"
        ;;
    vhost-user)
        server handshake
        machine=,memory-backend=memory
        code '\xf4'
        start -bios firmware.bin -object memory-backend-memfd,id=memory,size=16M,share=on -chardev socket,id=other,path=nbd \
            -device vhost-user-blk-pci,chardev=other
        sleep 0.5
        reason="*because*main thread *socket*"
        ;;
    postcopy) postcopy ;;
    postcopy-stop) postcopy && begins_and_hangs stop ;;
    rcu)
        guest free-run
        flashes
        truncate -s 1M disk.img
        args+=(-drive if=none,id=disk,format=raw,file=disk.img -device virtio-blk-pci,drive=disk,ioeventfd=off)
        start
        ready
        until_10_s no_answer '{"execute":"device_add","arguments":{"driver":"virtio-net-pci","netdev":"none"}}' || return
        # a busy host answers late
        until_10_s settled "$pid" || return
        reason="*because*drain_call_rcu*"
        ;;
    esac
    # one that has ended was not made: a device that it lacks
    kill -0 "$pid" 2>/dev/null
}
