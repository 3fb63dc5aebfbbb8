#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Does `verdict` say the same thing every time, on a busy machine as well?
#
# Usage: repeat.sh [--runs N] [--expect WORDS] [--json FILE] [BINARY]
#
#   --runs N        how often (default 100); every second run has
#                   `stress-ng --cpu 4` beside it
#   --expect WORDS  AFFECTED (default) or "NOT AFFECTED"
#   BINARY          as for `verdict`
#
# Prints each answer that was not expected, then the count of each answer and
# the median and worst time of a run.  Exit status: 0 all as expected, 1 not,
# 2 wrong use, 77 stress-ng is missing.

set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

runs=100 expect=AFFECTED binary=()
while [ $# -gt 0 ]; do
    case $1 in
    --runs) runs=$(value_of "$@"); shift ;;
    --expect) expect=$(value_of "$@"); shift ;;
    -h | --help) print_help "$0"; exit 0 ;;
    -*) die "$1 is no option; see --help" ;;
    *) binary=("$1") ;;
    esac
    shift
done
[[ $runs =~ ^[1-9][0-9]*$ ]] || die "--runs takes a number, not '$runs'"
command -v stress-ng >/dev/null ||
    cannot "stress-ng is missing; install it with: apt-get install stress-ng"

work=$(mktemp -d)
at_end "$work"
stress=
stop_stress() {
    [ -z "$stress" ] || { kill "$stress" && wait "$stress"; } 2>/dev/null || :
    stress=
}
on_failure stop_stress

for ((i = 1; i <= runs; i++)); do
    kind=idle
    if ((i % 2 == 0)); then
        kind=stress
        stress-ng --quiet --cpu 4 --timeout 60 &
        stress=$!
    fi
    begin=$EPOCHREALTIME
    answer=$("$SCRIPTS/verdict.sh" --json "${binary[@]}" 2>"$work/err" |
        tee "$work/json" | jq -r .verdict) || :
    end=$EPOCHREALTIME
    stop_stress
    printf '%s\t%s\t%s\n' "$kind" "$((${end/./} - ${begin/./}))" \
        "${answer:-no answer}" >>"$work/runs"
    if [ "$answer" != "$expect" ]; then
        say "run $i ($kind): ${answer:-no answer}"
        jq -r '.scenarios[]? | "  \(.name): \(.verdict) \(.reason // "")"' \
            "$work/json" >&2 || cat "$work/err" >&2
    fi
    [ ! -t 2 ] || printf '\r%d of %d ' "$i" "$runs" >&2
done
[ ! -t 2 ] || printf '\r' >&2

awk -F '\t' '{ n[$3]++ } END { for (a in n) print n[a] " " a }' "$work/runs"
for kind in idle stress; do
    awk -F '\t' -v kind=$kind '$1 == kind { print $2 / 1e6 }' "$work/runs" |
        sort -n | awk -v kind=$kind '{ t[NR] = $1 }
            END { if (NR) printf "%s: %d runs, median %.1f s, worst %.1f s\n",
                                 kind, NR, t[int((NR + 1) / 2)], t[NR] }'
done
on_failure_clear
! grep -qv "	$expect\$" "$work/runs" || exit "$FINDING"
