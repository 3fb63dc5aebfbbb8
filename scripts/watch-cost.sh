#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What does `watch --all` cost a host?  Starts sleeping QEMUs, in a PID namespace
# of their own, and measures the watch's processor time and memory.
#
# usage: watch-cost.sh [N [SECONDS]]
#
#   N         how many QEMUs (default 100; each takes some 15 MiB)
#   SECONDS   how long to measure (default 90), after 50 s in which it opens them
#
# Needs root, for the namespace.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case ${1:-} in
-h | --help) print_help "$0"; exit 0 ;;
esac
n=${1:-100} seconds=${2:-90}
[[ $n =~ ^[0-9]+$ && $seconds =~ ^[0-9]+$ ]] || die "N and SECONDS are numbers"
need_commands "the measurement" qemu-system-x86_64=qemu-system-x86 unshare=util-linux
unshare --pid --fork true 2>/dev/null || cannot "no right to make a PID namespace; run this as root"
"$SCRIPTS/module.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/aio-wakeup-cost.XXXXXX")
at_end "$work"

cat >"$work/inside" <<'END'
cd "$1" && n=$2 seconds=$3 watch=$4
# cli; mov $0x30, %al; out %al, $0x43 (no tick); hlt
truncate -s 65520 idle.bin
printf '\xfa\xb0\x30\xe6\x43\xf4\xeb\xfd' >>idle.bin
truncate -s 65536 idle.bin
for ((i = 1; i <= n; i++)); do
    qemu-system-x86_64 -machine pc,accel=tcg -m 4 -nodefaults -no-user-config -vga none -display none \
        -bios idle.bin -name "guest=vm$i" >/dev/null 2>&1 </dev/null &
    ((i % 10)) || sleep 1
done
"$watch" --all --metrics metrics & pid=$!
sleep 50
read -r before _ <"/proc/$pid/schedstat"
begin=$(date +%s%N)
sleep "$seconds"
read -r after _ <"/proc/$pid/schedstat"
end=$(date +%s%N)
echo "$(grep -c 'looks_total{' metrics) QEMUs, $(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status") KiB, $(((after - before) / 1000)) us of processor time in $(((end - begin) / 1000000)) ms"
kill -TERM "$pid" && wait "$pid"
END
unshare --pid --fork --mount-proc --kill-child bash "$work/inside" "$work" "$n" "$seconds" \
    "$BUILD/module/diagnose/aio-wakeup-watch"
