#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Front door of aio-wakeup: one word per job, each a script under scripts/.
#
#   ./build.sh                the main job: packages, source, stock and patched
#                             QEMU, the guest under its schedules, the table
#   ./build.sh check          every test; the last line counts them
#   ./build.sh unit           cases without a guest, on any tree, stock or patched
#   ./build.sh qtest, iotest  cases with a guest: under libqtest, under ./check
#   ./build.sh tools          SIGTERM before the sleep of qemu-storage-daemon and others
#   ./build.sh explore [SCENARIO...]
#                             every interleaving of the compiled event loop, in small
#                             scenarios
#   ./build.sh mutants        QEMU with known bugs in it: which case notices?
#   ./build.sh verdict [BIN]  is this QEMU affected?  (no QEMU source, no root)
#   ./build.sh verdict --suite NAME
#                             is the QEMU that this Debian release would install?
#   ./build.sh release --tree DIR
#                             a row of the table of releases: fits, builds, tests
#   ./build.sh shim -- COMMAND
#                             run it with a library that keeps QEMU's wakeups
#   ./build.sh package        Debian packages of the tools and of that library
#   ./build.sh diagnose PID   is this hung QEMU that hang?  --wake frees it
#   ./build.sh watch CMD...   run a test suite; report each QEMU in it that hangs so;
#                             watch --all: every QEMU of the host
#   ./build.sh apply --tree DIR [--upto STATE | --with-tests] [--dry-run] [--reverse]
#                             put the series on a QEMU tree, or take it off
#   ./build.sh libguestfs     the original hang: libguestfs, UEFI variables in flash
#   ./build.sh soak [BIN...]  many such boots, resumable, on many hosts
#   ./build.sh refresh [--tree DIR]
#                             rebase a series on a newer source of its generation
#   ./build.sh bench          what the series costs, stock against the states of a tree
#   ./build.sh compare-unit, compare-iotests, tsan
#                             QEMU's own tests, stock against patched
#   ./build.sh windows        the same on Windows: cross-built, the cases under Wine
#   ./build.sh generations    which QEMU is affected, and which series it takes
#   ./build.sh clean          remove what was built; --cache: the downloads too
#
# Every word takes --help; so does the main job (./build.sh main --help), whose
# options may also follow ./build.sh itself (--tree DIR).
#
# Exit status: 0 as expected, 1 a finding, 2 wrong use, 77 not possible here.

set -euo pipefail

scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/scripts
word=${1:-main}
case $word in
-h | --help)
    sed -n '4,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
-*) word=main ;;
*) [ $# -eq 0 ] || shift ;;
esac

if [ ! -x "$scripts/$word.sh" ]; then
    echo "build.sh: there is no word '$word'; ./build.sh --help lists them" >&2
    exit 2
fi
exec "$scripts/$word.sh" "$@"
