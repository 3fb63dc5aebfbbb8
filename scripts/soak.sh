#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Many boots of one or more QEMUs, side by side; goes on where it was stopped.
#
# usage: soak.sh [OPTION...] [BINARY...]
#
#   --mode MODE      of boot.sh (uefi; as-is, aarch64, aarch64-firmware, forced,
#                    forced-uefi)
#   --boots N        of each binary (200)
#   --jobs N         boots at the same time on each host (one a processor)
#   --for SECONDS    start no boot after so long; the next run goes on
#   --journal DIR    where the journal is (build/soak/MODE)
#   --stress         stress-ng --cpu 4 beside each boot
#   --slow-main      QEMU's main thread runs only when nobody else wants to
#   --limit SECONDS  longest boot
#   --sshlogin HOST  of GNU parallel, may stand more than once; ":" is this one.
#                    Each host has this repository and the binaries in the same
#                    folders, and ./build.sh libguestfs --prepare was run there
#   --summary        only print what the journal holds
#   --command CMD    run CMD BINARY instead of boot.sh for a boot; it prints one
#                    line of the fields that boot.sh --fields names.  For tests
#
# BINARY: default is the installed qemu-system-x86_64 (or -aarch64).
#
# The journal DIR/journal.tsv has one line a boot; lines are only ever added, and
# a boot that was cut short is none.  At the end: for each binary the boots, the
# hangs, and the rate of hangs that 95 % of such soaks would not exceed, which is
# exact (Clopper-Pearson, one-sided): the p at which P(at most k hangs in n boots)
# = sum over i <= k of C(n,i) p^i (1-p)^(n-i) is 0.05; with k = 0 that is
# 1 - 0.05^(1/n), about 3/n.  DIR/times.svg has the boot times (needs gnuplot).
#
# Exit status: 0 no hang, 1 at least one, 2 wrong use, 77 not possible here,
# 130 stopped by Ctrl-C.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# ---- the journal ----------------------------------------------------------

# key of a boot (binary's number, boot's number), when, where, and boot.sh's line
JOURNAL_FIELDS=12

# The plan says what the boots of a journal have in common.
plan_text() {
    local i
    printf 'mode %s%s%s limit %s command %s\n' "$mode" "$stress" "$slow_main" "${limit:-default}" "${command:-boot.sh}"
    for i in "${!binaries[@]}"; do
        printf 'binary %s %s %s\n' "$((i + 1))" "${sums[i]}" "${binaries[i]}"
    done
}

open_journal() {
    mkdir -p "$journal" 2>/dev/null || die "cannot make the folder $journal"
    exec {journal_lock}<>"$journal/lock"
    flock -n "$journal_lock" || die "another soak writes to $journal; wait for it, or use --journal another folder"
    if [ -e "$journal/plan" ]; then
        cmp -s "$journal/plan" <(plan_text) ||
            die "$journal holds a soak of something else (see $journal/plan); use --journal another folder, or remove that one"
    else
        { plan_text >"$journal/plan.new" && mv "$journal/plan.new" "$journal/plan"; } 2>/dev/null || full
    fi
    # A line that was cut short by a full disk or a power cut is no boot.
    if [ -s "$journal/journal.tsv" ] && [ -n "$(tail -c 1 "$journal/journal.tsv")" ]; then
        sed -i '$d' "$journal/journal.tsv"
    fi
    touch "$journal/journal.tsv" 2>/dev/null || full
}

full() { cannot "the journal in $journal cannot be written (disk full?); make room and start again: nothing that stands in it is lost"; }

# What is still to be done, "BINARY-NUMBER BOOT-NUMBER", the binaries in turn
todo() {
    awk -F'\t' -v boots="$boots" -v binaries="${#binaries[@]}" -v fields=$JOURNAL_FIELDS '
        NF == fields { done[$1] = 1 }
        END { for (boot = 1; boot <= boots; boot++)
                  for (b = 1; b <= binaries; b++)
                      if (!((b "." boot) in done)) print b "." boot }' "$journal/journal.tsv"
}

# usage: take_line LINE: one boot's line goes to the journal, once
take_line() {
    local fields
    IFS=$'\t' read -ra fields <<<"$1"
    if [ ${#fields[@]} -ne "$JOURNAL_FIELDS" ]; then
        bad=$((bad + 1)) last_bad=$1
        return
    fi
    printf '%s\n' "$1" >>"$journal/journal.tsv" 2>/dev/null || { writable=no; return; }
    finished=$((finished + 1))
    case ${fields[4]} in
    hang) hangs=$((hangs + 1)) ;;
    failed) failures=$((failures + 1)); last_failure=${fields[11]} ;;
    esac
}

# ---- progress -------------------------------------------------------------

left_text() {
    local left=$(((SECONDS - began) * (wanted - finished) / (finished > 0 ? finished : 1)))
    [ "$finished" -gt 0 ] || { printf 'time left not known yet'; return; }
    if [ "$left" -ge 120 ]; then
        printf '%d min left' $((left / 60))
    else
        printf '%d s left' "$left"
    fi
}

draw() {
    local width=30 full_part
    full_part=$((wanted ? finished * width / wanted : width))
    if [ -t 2 ]; then
        printf '\r  [%-*s] %d of %d boots, %d hangs, %s   ' "$width" \
            "$(printf '%*s' "$full_part" '' | tr ' ' '#')" "$finished" "$wanted" "$hangs" "$(left_text)" >&2
    elif ((finished * 10 / wanted > drawn)); then
        drawn=$((finished * 10 / wanted))
        say "    $finished of $wanted boots, $hangs hangs, $(left_text)"
    fi
}

# ---- the boots ------------------------------------------------------------

# What GNU parallel runs for a key, on whatever host
shard() {
    local words=("${command:-$SCRIPTS/boot.sh}")
    [ -n "$command" ] || words+=(--mode "$mode" --no-count)
    [ -n "$command" ] || [ -z "$limit" ] || words+=(--limit "$limit")
    # shellcheck disable=SC2206
    [ -n "$command" ] || words+=($stress $slow_main)
    printf 'AIO_WAKEUP_BUILD=%q AIO_WAKEUP_HOLDS=%q %q --shard {} ' "$BUILD" "$BUILD" "$SCRIPTS/soak.sh"
    printf '%q ' "${#binaries[@]}" "${binaries[@]}" "${words[@]}"
}

# usage: run_shard KEY N BINARY... COMMAND...: one boot, one line
run_shard() {
    local key=$1 n=$2 index=${1%%.*} binary line status=0 out
    shift 2
    binary=${!index}
    shift "$n"
    out=$(mktemp)
    at_end "$out"
    guarded "$@" "$binary" >"$out" || status=$?
    line=$(tail -n 1 "$out")
    # a boot that cannot be made here is no boot
    [ "$status" -eq 0 ] || exit "$status"
    printf '%s\t%s\t%s\t%s\t%s\n' "$key" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(hostname)" "${binary##*/}" "$line"
}

run_all() {
    local logins=() login
    for login in "${hosts[@]}"; do
        logins+=(--sshlogin "$login")
    done
    # --will-cite: its request for a citation is in docs/reproduce.md
    parallel --will-cite --line-buffer --halt soon,fail=3 --termseq TERM,5000,KILL \
        ${jobs:+--jobs "$jobs"} "${logins[@]}" "$(shard)" <"$journal/todo" 2>"$journal/errors"
}

soak() {
    local line deadline=$((began + for_seconds)) stop=no
    exec {lines}< <(exec {journal_lock}>&-; echo "$BASHPID"; ended=0; run_all || ended=$?; echo "status $ended")
    read -r -u "$lines" runner
    while read -r -u "$lines" line; do
        case $line in
        'status '*) runner='' status=${line#status }; break ;;
        esac
        take_line "$line"
        draw
        if [ "$writable" = no ] || { [ "$for_seconds" -gt 0 ] && [ "$SECONDS" -ge "$deadline" ]; }; then
            stop=yes
            break
        fi
    done
    [ "$stop" = no ] || stop_runner
    [ ! -t 2 ] || printf '\r%*s\r' 78 '' >&2
}

stop_runner() {
    [ -n "${runner:-}" ] || return 0
    end_tree "$runner"
    runner=
}

# usage: end_tree PID: it and all that it started, whatever groups they are in
end_tree() {
    local pids=() fresh=("$1") i
    while [ ${#fresh[@]} -gt 0 ]; do
        pids+=("${fresh[@]}")
        mapfile -t fresh < <(pgrep -P "$(IFS=,; echo "${fresh[*]}")" || :)
    done
    # The runner first, or it starts the next boot; then whoever cleans up.
    kill -KILL "${pids[@]:0:2}" 2>/dev/null || :
    kill -TERM "${pids[@]:2}" 2>/dev/null || :
    for ((i = 0; i < 50; i++)); do
        kill -0 "${pids[@]:2}" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "${pids[@]}" 2>/dev/null || :
}

# ---- what the journal says ------------------------------------------------

summary() {
    local i
    {
        printf 'binary\tboots\thangs\tstuck, slow, unmet\tfailed\trate of hangs\t95 %% bound\tstalls\tmedian s\tlongest s\n'
        for i in "${!binaries[@]}"; do
            awk -F'\t' -v key="$((i + 1))" -v name="${binaries[i]}" -v fields=$JOURNAL_FIELDS "$stats" \
                <(sort -t$'\t' -k6,6n "$journal/journal.tsv")
        done
    } | columns ''
}

# shellcheck disable=SC2016
stats='
    # P(at most k in n), each with probability p, as logarithms add up
    function at_most(k, n, p,    i, term, sum) {
        term = n * log(1 - p); sum = exp(term)
        for (i = 1; i <= k; i++) {
            term += log(n - i + 1) - log(i) + log(p) - log(1 - p); sum += exp(term)
        }
        return sum
    }
    function bound(k, n,    low, high, mid, i) {
        if (k >= n) return 1
        low = k / n; high = 1
        for (i = 0; i < 60; i++) {
            mid = (low + high) / 2
            if (at_most(k, n, mid) > 0.05) low = mid; else high = mid
        }
        return high
    }
    NF != fields || $1 !~ "^" key "\\." || seen[$1]++ { next }
    { n++; outcome[$5]++; stalls += $9 }
    $5 == "ok" { time[++ok] = $6 }
    END {
        judged = n - outcome["failed"] - outcome["unmet"]
        printf "%s\t%d\t%d\t%d\t%d\t", name, n, outcome["hang"], outcome["stuck"] + outcome["slow"] + outcome["unmet"], outcome["failed"]
        if (judged) printf "%.2f %%\t%.2f %%\t", 100 * outcome["hang"] / judged, 100 * bound(outcome["hang"], judged)
        else printf "-\t-\t"
        printf "%d\t", stalls
        if (ok) printf "%.1f\t%.1f\n", time[int((ok + 1) / 2)], time[ok]; else printf "-\t-\n"
    }'

plot() {
    local i lines='' of='' file=$journal/journal.tsv
    grep -q $'^[^\t]*\t[^\t]*\t[^\t]*\t[^\t]*\tok\t' "$file" || return 0
    command -v gnuplot >/dev/null || { say "no plot: gnuplot is missing; install it with: apt-get install gnuplot-nox"; return; }
    for i in "${!binaries[@]}"; do
        of="strcol(1)[1:strstrt(strcol(1),'.')-1] eq '$((i + 1))' && strcol(5) eq 'ok'"
        lines+="'$file' using 0:($of ? \$6 : NaN) with points pt 7 ps 0.4 title '$((i + 1)): $(tr -d "'" <<<"${binaries[i]}")', "
    done
    lines+="'$file' using 0:(strcol(5) eq 'hang' || strcol(5) eq 'stuck' ? \$6 : NaN) with points pt 2 ps 1.2 lc rgb 'red' title 'hang'"
    if gnuplot >/dev/null 2>"$journal/errors-plot" <<EOT
set terminal svg size 900,420 noenhanced
set output '$journal/times.svg.new'
set datafile separator '\t'
set xlabel 'boots, in the order in which they ended'
set ylabel 'seconds'
set yrange [0:*]
set key outside top
plot $lines
EOT
    then
        mv "$journal/times.svg.new" "$journal/times.svg"
        say "boot times: $journal/times.svg"
    else
        rm -f "$journal/times.svg.new"
        say "no plot: $(grep -m 1 . "$journal/errors-plot" || echo gnuplot failed)"
    fi
}

# ---------------------------------------------------------------------------

if [ "${1:-}" = --shard ]; then
    shift
    run_shard "$@"
    exit 0
fi

mode=uefi boots=200 jobs='' for_seconds=0 journal='' stress='' slow_main='' limit='' hosts=()
only_summary=no command='' binaries=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --mode) mode=$(value_of "$@"); shift ;;
    --boots) boots=$(value_of "$@"); shift ;;
    --jobs) jobs=$(value_of "$@"); shift ;;
    --for) for_seconds=$(value_of "$@"); shift ;;
    --journal) journal=$(value_of "$@"); shift ;;
    --limit) limit=$(value_of "$@"); shift ;;
    --sshlogin) hosts+=("$(value_of "$@")"); shift ;;
    --command) command=$(value_of "$@"); shift ;;
    --stress) stress=' --stress' ;;
    --slow-main) slow_main=' --slow-main' ;;
    --summary) only_summary=yes ;;
    -*) die "unknown option $1" ;;
    *) binaries+=("$1") ;;
    esac
    shift
done
[[ $mode == @(as-is|uefi|aarch64|aarch64-firmware|forced|forced-uefi) ]] ||
    die "--mode is as-is, uefi, aarch64, aarch64-firmware, forced or forced-uefi, not '$mode'"
for number in "$boots" "${jobs:-1}" "${limit:-1}"; do
    [[ $number =~ ^[1-9][0-9]*$ ]] || die "--boots, --jobs and --limit take numbers from 1, not '$number'"
done
[[ $for_seconds =~ ^[0-9]+$ ]] || die "--for takes seconds, not '$for_seconds'"
if [ ${#binaries[@]} -eq 0 ]; then
    name=qemu-system-x86_64
    [[ $mode != aarch64* ]] || name=qemu-system-aarch64
    binaries=("$(command -v "$name")") || cannot "$name is not installed; name a binary"
fi
sums=()
for i in "${!binaries[@]}"; do
    [ -x "${binaries[i]}" ] || die "${binaries[i]} cannot be executed"
    binaries[i]=$(realpath "${binaries[i]}")
    sums[i]=$(sha256sum <"${binaries[i]}" | cut -c1-16)
done
need_commands "a soak" parallel=parallel pgrep=procps
journal=${journal:-$BUILD/soak/$mode}

began=$SECONDS
if [ "$only_summary" = yes ]; then
    [ -s "$journal/journal.tsv" ] || die "there is no journal in $journal"
    mapfile -t binaries < <(sed -n 's/^binary [0-9]* [0-9a-f]* //p' "$journal/plan")
    summary
    exit 0
fi
[ -n "$command" ] || "$SCRIPTS/libguestfs.sh" --prepare --mode "$mode"
open_journal
todo >"$journal/todo" || full
wanted=$(wc -l <"$journal/todo")
finished=0 hangs=0 failures=0 bad=0 drawn=0 writable=yes status=0 runner='' last_bad='' last_failure=''
say "$((boots * ${#binaries[@]} - wanted)) boots are in $journal/journal.tsv; $wanted to go"
if [ "$wanted" -gt 0 ]; then
    on_failure stop_runner
    soak
    on_failure_clear
fi
[ "$writable" = yes ] || full
[ "$failures" -eq 0 ] || say "$failures boots failed; the last one says: $last_failure"
[ "$bad" -eq 0 ] || say "$bad boots gave no line that can be read; the last one: $last_bad"
summary
plot
if [ "$finished" -lt "$wanted" ]; then
    if [ "$status" -ne 0 ]; then
        cannot "$((wanted - finished)) boots could not be made: $(grep -v '^parallel:\|^AIO_WAKEUP_BUILD' "$journal/errors" | tail -n 1 || :)"
    fi
    say "$((wanted - finished)) boots are left; the same command goes on"
fi
! grep -q $'^[^\t]*\t[^\t]*\t[^\t]*\t[^\t]*\thang\t' "$journal/journal.tsv" || exit "$FINDING"
