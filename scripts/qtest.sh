#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs the cases with a guest under qtest/qtest on a QEMU, stock or patched: each
# must lose where that tree must, and keep where it must.
#
# usage: qtest.sh [--tree DIR | --suite NAME] [--variant NAME] [--only PATTERN]
#
#   --tree DIR      a QEMU tree (a copy is built, DIR is only read)
#   --suite NAME    this Debian release's package; the default is the machine's
#                   own release
#   --variant NAME  stock (default), rule, awake, requests, patched, mutants/NAME:
#                   see qemu.sh
#   --arch ARCH     x86_64 (default) or aarch64
#   --binary FILE   run this qemu-system-x86_64 or -aarch64 instead of the one
#                   built here; --expect says what it must show
#   --expect WORD   instead of what the tree's content says: lost, kept, or as in
#                   qtest/unit/judge.sh
#   --only PATTERN  only cases that this matches, as in virtio-blk/lost-*
#   --table         CASE, lost or kept, expected, ms; tabs between them
#
# A case whose device is not in this QEMU skips itself: AIO_WAKEUP_DEVICES=all
# builds one with all.  AIO_WAKEUP_KEEP=1 leaves the files of each case, the log
# of the schedule too.
#
# Output is TAP otherwise.  Exit status: 0 all as expected, 1 not, 2 wrong use,
# 77 not possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

which=()
variant=stock
binary=
arch=x86_64
judge=()
only=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree | --suite) which=("$1" "$(value_of "$@")"); shift ;;
    --variant) variant=$(value_of "$@"); shift ;;
    --arch) arch=$(value_of "$@"); shift ;;
    --binary) binary=$(realpath -e -- "$(value_of "$@")") || die "there is no file $2"; shift ;;
    --expect) judge+=(--expect "$(value_of "$@")"); shift ;;
    --only) only=(--only "$(value_of "$@")"); shift ;;
    --table) judge+=(--table) ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
if [ -n "$binary" ]; then
    case $binary in
    *-system-x86_64) arch=x86_64 ;;
    *-system-aarch64) arch=aarch64 ;;
    *) die "libqtest wants a file name that ends in -system-x86_64 or -system-aarch64, not $binary" ;;
    esac
    [[ " ${judge[*]} " == *' --expect '* ]] || die "what must $binary show? --expect lost or --expect kept"
fi
case $arch in
x86_64) module=() ;;
aarch64) module=(--aarch64) judge+=(--arch aarch64) ;;
*) die "--arch is x86_64 or aarch64, not '$arch'" ;;
esac
take_build_folder
guarded "$SCRIPTS/module.sh" "${module[@]}"
target=tests/qtest/machine-none-test
[ -n "$binary" ] || [ "$arch" = x86_64 ] ||
    binary=$(guarded "$SCRIPTS/qemu.sh" "${which[@]}" --variant "$variant" "qemu-system-$arch")/qemu-system-$arch
built=$(guarded "$SCRIPTS/qemu.sh" "${which[@]}" --variant "$variant" qemu-system-x86_64 qemu-img)
work=$(guarded "$SCRIPTS/qemu.sh" "${which[@]}" --variant "$variant" --work "$target")
use_ccache

build_cases qtest "$work"

export QTEST_QEMU_BINARY=${binary:-$built/qemu-system-x86_64}
export QTEST_QEMU_IMG=$built/qemu-img AIO_WAKEUP_DIR=$BUILD/module
export AIO_WAKEUP_LIMIT=900
guarded "$ROOT/qtest/unit/judge.sh" --tree "$work/src" "${judge[@]}" "${only[@]}" \
    "$ROOT/qtest/qtest/aio-wakeup-test.c" "$dir/qtest/aio-wakeup-test"
