#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a QEMU tree has of the series, by its content: prints one word
#
#   stock   the notifier is cleared after bottom halves ran
#   early   it is cleared before (patch 1)
#   split   one notifier for each kind of waiter (patch 3)
#   once    both are written at most once per sleep (patch 5)
#   whole   and the preconditions are asserted (patch 7)
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
early util/aio-posix.c aio_clear_notifier(
split util/async.c aio_context_init_source_notifier(
once util/async.c aio_notifier_set(&ctx->notifier,
whole util/async.c aio_ctx_assert_exclusive(
EOT
printf '%s\n' "$state"
