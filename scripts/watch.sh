#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs a command that starts QEMUs (a test suite, a CI job), unchanged, and
# reports each QEMU below it that has lost a wakeup of its main loop; or watches
# every QEMU of the host.
#
# usage: watch.sh [OPTION...] [--] COMMAND...
#        watch.sh [OPTION...] --all
#
#   --after SECONDS   look at a QEMU whose main thread has not run for so long
#                     (default 3)
#   --wake            wake those that have lost a wakeup: the command goes on
#   --report FILE     append the findings to FILE, too
#   --leave           leave running what the command leaves running; otherwise
#                     that is ended
#   --kill-after SECONDS
#                     kill a QEMU whose main thread has not run for so long, whatever
#                     it waits for, after its answer and its stacks
#   --capture DIR     of one that is killed, write DIR/qemu-PID.tar instead
#
#   --interval SECONDS  with --all: look so often (default 20)
#   --metrics FILE    with --all: keep FILE up to date for Prometheus
#   --wake-limit N    with --all --wake: wake one VM at most N times an hour (default 6)
#   --scans N         with --all: end after N scans
#
# One line on stderr for each finding.  Exit status: that of COMMAND (128 + N
# when signal N ended it), but 1 after a finding; 2 wrong use.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case ${1:-} in
-h | --help) print_help "$0"; exit 0 ;;
esac

"$SCRIPTS/module.sh"
exec "$BUILD/module/diagnose/aio-wakeup-watch" "$@"
