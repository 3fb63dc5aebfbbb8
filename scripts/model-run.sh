#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One row of the table of scripts/models.sh: checks one variant of one model.
#
#   scripts/model-run.sh FILE VARIANT PROPERTY EXPECTED [WORLD...]
#
# Prints one line, with tabs between: model, variant, property, world, states,
# seconds, expected, found.  What is found is one of
#   holds        no violation, and the search was complete
#   lost         a BH, a re-arm, a socket or a waiter is left behind
#   spins        a cycle: an event that nobody clears
#   unlocked     a precondition is violated (notify_me without its lock)
#   unarmed      io_uring: the main loop sleeps, and what is queued is not submitted
#   unfinished   out of time, memory or depth
#   broken       spin or the compiler does not take the model
# With MODEL_TRAILS=FOLDER the trail of a violation is left there.

set -euo pipefail

case ${1:-} in
-h | --help) awk 'NR > 3 && !/^#/ { exit } NR > 3 { sub(/^# ?/, ""); print }' "$0"; exit 0 ;;
esac
[ $# -ge 4 ] || { echo "model-run.sh: see --help" >&2; exit 2; }

file=$(realpath "$1") variant=$2 property=$3 expected=$4
shift 4
world="$*"
dir=$(mktemp -d "${TMPDIR:-/tmp}/aio-wakeup-model.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$dir"

define=()
if [ "$(basename "$file")" = aio_wakeup.promela ]; then
    define+=("-DV$(tr 'a-z.-' 'A-Z__' <<<"$variant")")
fi
compile=(-DSAFETY) check=(-E)
case $property in
bh | rearm | sockets | armed) define+=("-D${property^^}") ;;
weak | all) ;;
livelock) compile=(-DNP) check+=(-l) ;;
livelock-fair) compile=(-DNP -DNFAIR=3) check+=(-l -f) ;;
wakeup | served) define+=("-D${property^^}") compile=(-DNFAIR=3) check=(-a -f) ;;
*) echo "model-run.sh: unknown property '$property'" >&2; exit 2 ;;
esac
for word in $world; do define+=("-D$word"); done

# what runs for seconds is worth optimising, the rest is compiled longer than run
optimise=-O0
case "$property $variant $world" in
all* | *BUG1* | rearm* | *WAITERS* | *SOCKET* | *KICK*) optimise=-O1 ;;
esac
found=broken states=- begin=$(date +%s.%N)
if spin -a "${define[@]}" "$file" >spin.log 2>&1 &&
   gcc $optimise -w "${compile[@]}" -DMEMLIM=6000 pan.c -o pan >>spin.log 2>&1; then
    timeout "${MODEL_TIMEOUT:-280}" nice ./pan "${check[@]}" -m100000 -w22 >pan.log 2>&1 || :
    states=$(awk '/states, stored/ { print $1; exit }' pan.log)
    found=unfinished
    if grep -q 'non-progress cycle (at' pan.log; then
        found=spins
    elif grep -q 'acceptance cycle (at' pan.log; then
        found=lost
    elif grep -q 'assertion violated' pan.log; then
        case $(grep -m1 'assertion violated' pan.log) in
        *bql* | *'me>='* | *'me<='*) found=unlocked ;;
        *sqe*) found=unarmed ;;
        *) found=lost ;;
        esac
    elif grep -q 'errors: 0' pan.log &&
         ! grep -Eq 'out of memory|search depth too small|not completed' pan.log; then
        found=holds
    fi
    trail=$(basename "$file").trail
    if [ -n "${MODEL_TRAILS:-}" ] && [ -f "$trail" ]; then
        cp "$trail" "$MODEL_TRAILS/$variant-$property${world:+-${world// /-}}.trail"
    fi
else
    sed "s|^|model-run.sh: $variant $property: |" spin.log >&2
fi
seconds=$(awk -v b="$begin" -v e="$(date +%s.%N)" 'BEGIN { printf "%.1f", e - b }')
printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$(basename "$file" .promela)" "$variant" \
    "$property" "${world:--}" "${states:--}" "$seconds" "$expected" "$found"
