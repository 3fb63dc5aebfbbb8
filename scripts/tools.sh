#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# SIGTERM just before the main loop of one of QEMU's programs sleeps: of
# qemu-storage-daemon, qemu-nbd, qemu-pr-helper and QEMU itself.  Each must lose it
# where that tree must, and keep it where it must.
#
# usage: tools.sh [--tree DIR | --suite NAME] [--variant NAME] [--only PATTERN]
#
#   --tree DIR      a QEMU tree (a copy is built, DIR is only read)
#   --suite NAME    this Debian release's package; the default is the machine's
#                   own release
#   --variant NAME  stock (default), patched and others: see qemu.sh
#   --expect WORD   instead of what the tree's content says: lost, kept, or as in
#                   qtest/unit/judge.sh
#   --only PATTERN  only cases that this matches, as in tools/qemu-nbd
#   --table         CASE, lost or kept, expected, ms; tabs between them
#
# Output is TAP otherwise.  Exit status: 0 all as expected, 1 not, 2 wrong use,
# 77 not possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

which=()
variant=stock
judge=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree | --suite) which=("$1" "$(value_of "$@")"); shift ;;
    --variant) variant=$(value_of "$@"); shift ;;
    --expect | --only) judge+=("$1" "$(value_of "$@")"); shift ;;
    --table) judge+=(--table) ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
take_build_folder
guarded "$SCRIPTS/module.sh"
programs=(qemu-system-x86_64 qemu-nbd qemu-pr-helper storage-daemon/qemu-storage-daemon)
AIO_WAKEUP_BIN=$(guarded "$SCRIPTS/qemu.sh" "${which[@]}" --variant "$variant" "${programs[@]}")
export AIO_WAKEUP_BIN AIO_WAKEUP_DIR=$BUILD/module
work=$(guarded "$SCRIPTS/qemu.sh" "${which[@]}" --variant "$variant" --work "${programs[@]}")
guarded "$ROOT/qtest/unit/judge.sh" --tree "$work/src" "${judge[@]}" \
    "$ROOT/qtest/tools/test-signal.c" "$BUILD/module/tools/test-signal"
