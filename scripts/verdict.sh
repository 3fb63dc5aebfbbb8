#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Is this QEMU affected?
#
# usage: verdict.sh [OPTION...] [BINARY]
#
#   BINARY   a qemu-system-x86_64; default: the installed one
#   OPTION   of the verdict program: --json, --rounds N, --scenario NAME, ...;
#            verdict.sh --options lists them all
#
# Answers AFFECTED (exit status 1), NOT AFFECTED (0) or CANNOT TELL (77).  Needs
# gcc, meson, ninja and glib; no QEMU source and no root.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[[ ${1:-} != -h && ${1:-} != --help ]] || { print_help "$0"; exit 0; }
[ "${1:-}" != --options ] || set -- --help

"$SCRIPTS/module.sh"
exec "${AIO_WAKEUP_VERDICT:-$BUILD/module/run/aio-wakeup-verdict}" "$@"
