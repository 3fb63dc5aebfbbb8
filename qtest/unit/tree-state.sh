#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a QEMU tree has of the series, by its content: prints one word
#
#   stock     whoever clears the notifier takes the main loop's wakeup with it
#   rule      and gives it back, through glib
#   awake     and counts the main loop as awake from then on
#   requests  qemu_notify_event() wakes glib's poll, too
# and from 10.2 on, for the ring:
#   armed     the main loop is woken up for polls that nobody has submitted
#   submitted and for requests, and nobody else is
#   batch     nobody sleeps with completions that wait for their handlers
#   failed    a poll that failed is no set of events
#
# usage: tree-state.sh TREE

set -euo pipefail

case ${1:-} in
-h | --help)
    sed -n '4,/^$/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
[ -f "${1:-}/util/async.c" ] || { echo "tree-state.sh: '${1:-}' is not a QEMU tree" >&2; exit 2; }

state=stock
while read -r word file mark; do
    grep -qF -- "$mark" "$1/$file" || break
    state=$word
done <<'EOT'
rule util/async.c g_main_context_wakeup(
awake util/async.c aio_ctx_awake(
requests util/main-loop.c g_main_context_wakeup(
armed util/fdmon-io_uring.c aio_notify_gsource(ctx);
submitted util/aio-posix.c aio_notify_gsource(ctx);
batch util/async.c if (!QSIMPLEQ_EMPTY(&ctx->cqe_handler_ready_list)) {
failed util/fdmon-io_uring.c FDMON_IO_URING_FAILED
EOT
printf '%s\n' "$state"
