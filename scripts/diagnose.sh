#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Has this hung QEMU lost a wakeup of its main loop?
#
# usage: diagnose.sh [--json] [--capture FILE [--with-core]] [--wake] PID
#        diagnose.sh [--json] --core FILE [BINARY]
#
#   PID      a running QEMU; it is looked at, and never stopped
#   --core   look at a core file (of gcore, or of the kernel)
#   --capture FILE
#            write all that a bug report needs to a tar file, before anything is
#            woken: no guest memory, no secrets of the command line; --with-core: a
#            core of gcore in it as well, which has both
#   --wake   free it, if a wakeup is lost: writes 8 bytes to the eventfd that the main
#            loop sleeps on; if the pending work is still there, to the io-handler's;
#            if it is still there, sends SIGALRM, where that can do no harm.  Exit
#            status 0 when the work is done; nothing is restarted or changed
#
# Answers LOST WAKEUP (exit status 1), NOT THIS (0) or CANNOT TELL (77) within 2
# seconds, with what was seen: docs/diagnose.md explains it.  Needs gcc, meson,
# ninja and glib; works on a distribution's own QEMU, without debug symbols.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case ${1:-} in
-h | --help) print_help "$0"; exit 0 ;;
esac

"$SCRIPTS/module.sh"
exec "$BUILD/module/diagnose/aio-wakeup-diagnose" "$@"
