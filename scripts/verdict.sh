#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Is this QEMU affected?
#
# usage: verdict.sh [OPTION...] [BINARY]
#        verdict.sh [OPTION...] --suite NAME[=VERSION] [--update]
#
#   BINARY        a qemu-system-x86_64; default: the installed one
#   --suite NAME  the one that this Debian release would install (sid, forky,
#                 trixie-backports, ...), in a private root, see root.sh; nothing
#                 is installed
#   --update      ask the archive even if the cache holds it
#   OPTION        of the verdict program: --json, --rounds N, --scenario NAME, ...;
#                 verdict.sh --options lists them all
#
# Answers AFFECTED (exit status 1), NOT AFFECTED (0) or CANNOT TELL (77).  Needs
# gcc, meson, ninja and glib; no QEMU source and no root.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

words=()
suite=
update=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --options) words+=(--help) ;;
    --suite) suite=$(value_of "$@"); shift ;;
    --update) update=(--update) ;;
    *) words+=("$1") ;;
    esac
    shift
done
[ ${#update[@]} -eq 0 ] || [ -n "$suite" ] || die "--update goes with --suite"

"$SCRIPTS/module.sh"
if [ -n "$suite" ]; then
    # the program itself refuses a second binary
    binary=$(guarded "$SCRIPTS/root.sh" "${update[@]}" "$suite")
    words+=("$binary")
fi
exec "${AIO_WAKEUP_VERDICT:-$BUILD/module/run/aio-wakeup-verdict}" "${words[@]}"
