#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs a command that starts QEMUs (a test suite, a CI job), unchanged, and
# reports each QEMU below it that has lost a wakeup of its main loop.
#
# usage: watch.sh [OPTION...] [--] COMMAND...
#
#   --after SECONDS   look at a QEMU whose main thread has not run for so long
#                     (default 3)
#   --wake            wake those that have lost a wakeup: the command goes on
#   --report FILE     append the findings to FILE, too
#   --leave           leave running what the command leaves running; otherwise
#                     that is ended
#
# One line on stderr for each finding.  Exit status: that of COMMAND (128 + N
# when signal N ended it), but 1 after a finding; 2 wrong use.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case ${1:-} in
-h | --help) print_help "$0"; exit 0 ;;
esac

"$SCRIPTS/module.sh"
exec "$BUILD/module/diagnose/aio-wakeup-watch" "$@"
