#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# PID 1 of the small initrd for aarch64: what variables.c does, without the
# marks (there is no port to write them to), by Debian's busybox-static for
# arm64, so that no cross compiler is needed.  Report lines go to the console.

box=/bin/busybox
$box mkdir -p /dev /sys /variables
$box mount -t devtmpfs dev /dev
$box mount -t sysfs sys /sys
echo "aio-wakeup guest 1 variables"
while read -r module; do
    $box insmod "$module" || echo "error $module"
done </modules
$box mount -t efivarfs variables /variables || echo "error no UEFI variables"
tries=0
while [ ! -b /dev/sda ] && [ $tries -lt 100 ]; do
    $box usleep 50000
    tries=$((tries + 1))
done
[ -b /dev/sda ] || echo "error /dev/sda"
exec 3>/variables/AioWakeup-6c1ab3ae-5d6f-4d7a-9b1e-0a9d6b6f3c55
echo ready
round=0
# shellcheck disable=SC2154 # the kernel's command line
while [ "$round" -lt "${aio_rounds:-20}" ]; do
    round=$((round + 1))
    $box dd if=/dev/sda of=/dev/null bs=4096 count=64 iflag=direct 2>/dev/null &
    $box printf '\007\000\000\000%064d' "$round" >&3 || echo "error writing a variable"
    wait
    echo "round $round kept us 0"
done
echo "end rounds $round lost 0 us 0"
$box poweroff -f
