#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Replays a counterexample of the model on a real QEMU: turns spin's shortest
# trail of a variant into a schedule, and runs the guest under it.
#
#   ./build.sh replay [--property bh|rearm] [--runs N] [--print] VARIANT [BINARY]
#
#   VARIANT     of docs/aio_wakeup.promela: 2020 (5.2 and later) or 2015-late
#   BINARY      a qemu-system-x86_64; default: the installed one
#   --property  bh: a bottom half is forgotten (the default); rearm: a timer is
#   --runs N    so many runs; each is a verdict of its own (default 1)
#   --print     print the schedule and stop
#
# A trail is finer than what the schedule engine can hold.  Which steps were
# merged into one point is said in the schedule that is printed first.
#
# Exit status: 1 it hangs in every run, 0 it hangs in none (each run met the
# points of the schedule), 77 neither can be said, 2 wrong use.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
property=bh
runs=1
print=no
die() { echo "replay.sh: $*" >&2; exit 2; }
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) awk 'NR > 3 && !/^#/ { exit } NR > 3 { sub(/^# ?/, ""); print }' "$0"; exit 0 ;;
    --property | --runs)
        [ $# -ge 2 ] || die "$1 needs a value"
        if [ "$1" = --runs ]; then runs=$2; else property=$2; fi
        shift 2 ;;
    --print) print=yes; shift ;;
    -*) die "unknown word '$1'; see --help" ;;
    *) break ;;
    esac
done
[[ $# -eq 1 || $# -eq 2 ]] || die "see --help"
[[ $runs =~ ^[1-9][0-9]*$ ]] || die "--runs wants a number"
variant=$1
binary=${2:-}
case $property in
bh) scenario=lost-bh world=() marks=brdflqQe ;;
# the guest's vCPU arms the timer itself, and nothing else is in flight
rearm) scenario=lost-timer world=(TIMER=3 LONE) marks=brflqQe ;;
*) die "unknown property '$property'" ;;
esac

work=$(mktemp -d "${TMPDIR:-/tmp}/aio-wakeup-replay.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "looking for the shortest counterexample of $variant, $property ..." >&2
status=0
"$here/model-trail.sh" --steps "$work/steps" "$variant" "$property" "${world[@]}" >"$work/columns" ||
    status=$?
case $status in
0) ;;
1) echo "replay.sh: the model has no counterexample for $variant, $property: nothing to replay" >&2; exit 2 ;;
*) exit "$status" ;;
esac

# The steps of the trail become events that the engine can see, each with the
# place where its thread can be held before it and the point that follows it.
# A thread is held until the last event before its own has come, if that was
# another thread's.
{
    echo "# Made by scripts/replay.sh from spin's trail: $variant, $property${world[*]:+, ${world[*]}}"
    echo "#"
    sed 's/^/#   /' "$work/columns"
    awk -F'\t' -v scenario="$scenario" -v marks="$marks" '
        function event(who, what, hold, after, merged) {
            n++
            thread[n] = who; name[n] = what; held[n] = hold; then[n] = after; fused[n] = merged
        }
        { process[NR] = $1; number[NR] = $2; text[NR] = $3; tag[NR] = $4 }
        END {
            clear = "vcpu before-clear after flash-worker after-io"
            # the first worker is the one that the waiter waits for
            for (i = 1; i <= NR; i++)
                if (process[i] == "worker") {
                    if (!(number[i] in role)) { role[number[i]] = 1; if (!low || number[i] < low) low = number[i] }
                    final[number[i]] = i
                }
            for (i = 1; i <= NR; i++) {
                t = tag[i]
                if (process[i] == "main_loop") {
                    if (t ~ /^(G1|G2)$/) before = before (before ? ", " : "") text[i]
                    if (t == "M1") event("main-loop", "drops the BQL", "", "main-loop before-sleep", before)
                    if (t == "M9") event("main-loop", "sleeps", "main-loop before-sleep", "", "")
                } else if (process[i] == "temporary_waiter") {
                    if (t ~ /^(R1|S1|N2|N3|N4|X5|Y5)$/ && !started) arms = arms (arms ? ", " : "") text[i]
                    if (t == "V3") { started = 1; event("vcpu", "waits", "vcpu mark r", "vcpu asleep", arms) }
                    if (t ~ /^(P9|A1|Q1|Q5|B3|C1|C2|C3|C4|E2|S1|N2|N3|N4|X5|Y5)$/ && started)
                        serves = serves (serves ? ", " : "") text[i]
                    # the BHs have run: the next point that shows is the clear
                    if (t == "C4") event("vcpu", "has run its BHs", "", clear " or vcpu mark f", "")
                    if (t ~ /^(H1|A3|A5)$/) {
                        event("vcpu", "clears", clear " or vcpu mark f", "vcpu after-clear after flash-worker after-io or vcpu mark f", serves)
                    }
                    if (t == "V2") event("vcpu", "returns to the guest", "", "vcpu mark f", "")
                } else if (process[i] == "worker") {
                    w = (number[i] == low) ? "flash-worker" : "disk-worker"
                    publishes[w] = publishes[w] (publishes[w] ? ", " : "") text[i]
                    if (final[number[i]] == i) {
                        event(w, "is done", w " before-io", w " done", publishes[w])
                        have[w] = 1
                    }
                }
            }
            print "#"
            print "# Merged into one point, because the engine cannot hold in between:"
            for (i = 1; i <= n; i++)
                if (fused[i] != "") printf "#   %s %s: %s\n", thread[i], name[i], fused[i]
            print ""
            print "schedule " scenario
            print ""
            print "role main-loop     main-thread"
            print "role vcpu          marks " marks
            print "role flash-worker  writes flash.img"
            if (have["disk-worker"]) print "role disk-worker   reads disk.img"
            print ""
            print "round     vcpu mark b to vcpu mark e"
            print "evidence  vcpu mark l"
            print "quiet     vcpu mark q to vcpu mark Q"
            print ""
            # the guest kicks the disk first, and goes on once the worker has it
            if (have["disk-worker"]) print "hold vcpu at-mark d until disk-worker before-io"
            for (i = 1; i <= n; i++) {
                if (held[i] == "") continue
                for (p = i - 1; p >= 1 && thread[p] == thread[i]; p--)
                    ;
                # a waiter needs no order to be woken by its own operation
                if (p < 1 || (thread[p] == "flash-worker" && thread[i] == "vcpu")) continue
                print "hold " held[i] " until " then[p]
            }
        }' "$work/steps"
} >"$work/$scenario.schedule"
cat "$work/$scenario.schedule"
[ $print = no ] || exit 0

hung=0 kept=0
for ((i = 1; i <= runs; i++)); do
    status=0
    "$here/verdict.sh" --rounds 30 --schedule-dir "$work" --scenario "$scenario" ${binary:+"$binary"} \
        >"$work/verdict" 2>&1 || status=$?
    # a status alone may be a build that failed
    case $status:$(grep -o "^ *$scenario  *[A-Z][A-Z ]*" "$work/verdict" | tail -n 1) in
    0:*' NOT AFFECTED'*) kept=$((kept + 1)) ;;
    1:*' AFFECTED'*) hung=$((hung + 1)) ;;
    esac
    sed "s/^/    $i | /" "$work/verdict"
done
echo "$variant $property on ${binary:-the installed QEMU}: $runs runs, $hung hang, $kept do not"
[ "$hung" -ne "$runs" ] || exit 1
[ "$kept" -ne "$runs" ] || exit 0
exit 77
