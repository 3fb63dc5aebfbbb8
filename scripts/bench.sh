#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the series costs: stock against the states of a tree, measured in turn.
#
# usage: bench.sh [--tree DIR | --suite NAME | --builds DIR] [--runs N]
#                 [--only PART]... [--variants "NAME..."] [--out DIR]
#
#   --tree DIR, --suite NAME  of which QEMU, as for qemu.sh
#   --builds DIR       what is built already: DIR/stock, DIR/rule and so on, each with
#                      a qemu-system-x86_64 and, for poll and locked, an aio-poll,
#                      all built alike
#   --runs N           runs of each variant (default 11, at least 6)
#   --only PART        one of: calls iops poll idle locked; the rows of the other
#                      parts stay as an earlier run left them
#   --pin              in the part iops: the vCPU on one processor, all other threads
#                      on another.  What else decides is which two threads happen to
#                      share one, which makes runs differ by a factor of two
#   --seconds S        in the part poll: so long for each kind in a run (default 0.2)
#   --variants LIST    default: "stock again rule awake requests"; "again" is stock
#                      once more: what differs there is not the series' doing
#   --table FILE       only print the table of a runs.csv that is there
#   --out DIR          where the results go; default: below the build folder
#
# Parts:
#   calls    writes and reads of event notifiers, and polls, for each round of the
#            guest free-run (3000 rounds of a disk read beside a flash write),
#            counted by the interposing library
#   iops     reads a second that the guest iops sees: virtio-blk on the main loop
#            and on an iothread, 1 and 32 at a time, by the guest's clock
#   poll     iterations a second of aio_poll() and of main_loop_wait(), in a
#            process alone, see qtest/bench/aio-poll.c
#   idle     how often a QEMU wakes up in a minute whose guest sleeps
#   locked   locked instructions and fences: executed in a call that has nothing to
#            do (by single steps), and in the code at all (by objdump)
#
# All variants are built with the same options (-O2, no debug checks added), and run
# one after the other, in an order that rotates: run i of a variant and run i of
# stock are a pair.  The ratio is the median of the ratios of the pairs.  Its 95 %
# interval is by order statistics: the ratios of ranks k and n+1-k, with the
# largest k for which both tails of the binomial distribution together are 5 % at
# most (11 runs: ranks 2 and 10).
#
# Prints every run, then a table.  DIR gets runs.csv, summary.csv, machine.txt and
# ratios.svg (if gnuplot is there).
#
# Exit status: 0 within the limits that the table names, 1 not, 2 wrong use, 77 not
# possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PARTS="calls iops poll idle locked"
IOPS="iops-1 iops-32 iops-iothread-1 iops-iothread-32" # what the part iops measures
ROUNDS=3000
PATIENCE_MS=2000
IDLE_RUNS=11
SETTLE_SECONDS=15 # a worker thread that has nothing to do ends after 10
IDLE_SECONDS=30

# ---- one QEMU with a guest ------------------------------------------------

le32() {
    local i
    for ((i = 0; i < 32; i += 8)); do
        printf '%b' "\\x$(printf %02x $(($1 >> i & 255)))"
    done
}

# usage: prepare FOLDER GUEST ROUNDS FLAGS
prepare() {
    rm -rf "$1"
    mkdir -p "$1"
    cp "$BUILD/module/guest/$2.bin" "$1/firmware.bin"
    { printf AIOWAKE1; le32 "$3"; le32 "$PATIENCE_MS"; le32 0; le32 "$4"; } |
        dd of="$1/firmware.bin" conv=notrunc status=none
    truncate -s 64K "$1/flash.img"
    truncate -s 1M "$1/disk.img"
}

# usage: qemu FOLDER VARIANT DEVICE-OPTIONS [QEMU-OPTION...]: becomes that QEMU
qemu() {
    local folder=$1 binary=${built[$2]}/qemu-system-x86_64 device=$3
    shift 3
    exec "${bound[@]}" "$binary" -machine pc,accel=tcg -m 16 -nodefaults -no-user-config \
        -vga none -display none -serial none -parallel none -monitor none \
        -drive "if=pflash,unit=0,format=raw,readonly=on,file=$folder/firmware.bin" \
        -drive "if=pflash,unit=1,format=raw,file=$folder/flash.img" \
        -drive "if=none,id=disk,format=raw,file=$folder/disk.img,aio=threads" \
        "$@" -device "virtio-blk-pci,drive=disk,$device" \
        -chardev "file,id=report,path=$folder/report" \
        -device isa-debugcon,iobase=0xe9,chardev=report \
        -device isa-debug-exit,iobase=0xf4,iosize=4 </dev/null >"$folder/out" 2>&1
}

# usage: move_vcpu FOLDER: gives the vCPU of the QEMU that starts there a processor
move_vcpu() {
    local deadline=$((SECONDS + 20)) comm name
    while [ $SECONDS -lt $deadline ]; do
        for comm in "/proc/$(cat "$1/pid" 2>/dev/null || echo none)"/task/*/comm; do
            read -r name 2>/dev/null <"$comm" || continue
            [[ $name == *TCG ]] || continue
            comm=${comm%/comm}
            taskset -pc "${processors[0]}" "${comm##*/}" >/dev/null
            return
        done
        sleep 0.01
    done
    return 1
}

# usage: boot FOLDER VARIANT ...: runs it to its end; sets $us, what its rounds took
bound=()
boot() {
    local status=0 pinner=
    bound=(timeout --foreground -k 2 120)
    if [ "$pin" = yes ]; then
        bound+=(taskset -c "${processors[1]}")
        set -- "$@" -name bench,debug-threads=on -pidfile "$1/pid"
        move_vcpu "$1" &
        pinner=$!
    fi
    guarded qemu "$@" || status=$?
    bound=()
    [ -z "$pinner" ] || wait "$pinner" || cannot "the vCPU's thread of $2 was not found, or may not be moved"
    us=$(sed -n 's/^end rounds [0-9]* lost [0-9]* us \([0-9]*\)$/\1/p' "$1/report" 2>/dev/null) || :
    [[ $status -eq 1 && -n $us ]] ||
        cannot "the guest of $2 did not come to its end (status $status): $(tail -qn 1 "$1/report" "$1/out" 2>/dev/null | paste -sd' ')"
}

# ---- the parts: each prints "MEASURE VALUE" lines for a run of a variant ---

part_calls() {
    local log=$work/counts line name
    rm -f "$log"
    prepare "$work/guest" free-run $ROUNDS 0
    AIO_WAKEUP_LOG=$log LD_PRELOAD=$BUILD/module/schedule/aio-wakeup-schedule.so \
        boot "$work/guest" "$1" ioeventfd=off
    line=$(grep -m 1 '^counts ' "$log") || cannot "the interposing library counted nothing"
    line=${line/clears=/reads=}
    for name in writes reads polls; do
        grep -o " $name=[0-9]*" <<<"$line"
    done | awk -F'[ =]' -v n=$ROUNDS '{ sum += $3; print $2, $3 / n } END { print "calls", sum / n }'
}

# usage: one_iops NAME READS DEPTH VARIANT DEVICE-OPTIONS ...
one_iops() {
    local name=$1 reads=$2 us
    prepare "$work/guest" iops "$2" $(($3 << 8))
    boot "$work/guest" "${@:4}"
    awk -v name="$name" -v n="$reads" -v us="$us" 'BEGIN { printf "%s %.0f\n", name, n * 1e6 / us }'
}

# usage: part_iops VARIANT [MEASURE]: all measures, or that one
part_iops() {
    local iothread=("ioeventfd=on,iothread=io" -object "iothread,id=io")
    case ${2:-iops-1} in iops-1) one_iops iops-1 10000 1 "$1" ioeventfd=off ;; esac
    # A run begins slow or fast and stays so for a while: long ones differ less.
    case ${2:-iops-32} in iops-32) one_iops iops-32 400000 32 "$1" ioeventfd=off ;; esac
    case ${2:-iops-iothread-1} in iops-iothread-1) one_iops iops-iothread-1 10000 1 "$1" "${iothread[@]}" ;; esac
    case ${2:-iops-iothread-32} in iops-iothread-32) one_iops iops-iothread-32 40000 32 "$1" "${iothread[@]}" ;; esac
}

part_poll() {
    guarded "${built[$1]}/aio-poll" --seconds "$poll_seconds" >"$work/rates" ||
        cannot "aio-poll of $1 failed"
    awk '$1 == "rate" { print "poll-" $2, $3 }' "$work/rates"
}

part_locked() {
    local status=0
    guarded "${built[$1]}/aio-poll" --instructions >"$work/instructions" || status=$?
    [ "$status" -eq 0 ] || cannot "instructions cannot be counted here (status $status)"
    awk '$1 == "count" { print "executed-" $2, $4 + $6 }' "$work/instructions"
    objdump -d --no-show-raw-insn "${built[$1]}/aio-poll" | awk '
        /^[0-9a-f]+ <.*>:$/ { f = $2; gsub(/[<>:]/, "", f); sub(/\..*/, "", f); next }
        /\tlock |\txchg .*\(|\t[lms]fence/ { n[f]++ }
        { seen[f] = 1 }
        END { m = split("aio_poll aio_ctx_prepare aio_ctx_check aio_ctx_dispatch aio_dispatch " \
                        "aio_notify aio_notify_accept aio_context_notifier_cb", want, " ")
              for (i = 1; i <= m; i++) if (want[i] in seen) print "code-" want[i], n[want[i]] + 0 }'
}

# A sleeping QEMU needs no processor: all of them run at the same time.
# usage: switches PID...: how often the main thread, and all threads, went to sleep
switches() {
    local pid
    for pid; do
        awk -v main="$pid" '/^Pid:/ { pid = $2 }
            /^voluntary/ { all += $2; if (pid == main) own = $2 }
            END { print own, all }' "/proc/$pid/task"/*/status
    done
}

idle_all() {
    local kind=$1 flags=$2 pids=() names=() before after i run variant folder deadline
    for ((run = 1; run <= IDLE_RUNS; run++)); do
        for variant in "${variants[@]}"; do
            folder=$work/idle-$run-${variant//\//-}
            prepare "$folder" idle 0 "$flags"
            qemu "$folder" "$variant" "ioeventfd=on,iothread=io" -object "iothread,id=io" &
            pids+=($!)
            names+=("$variant $run")
        done
    done
    # The guests' warm-up spins: all of them have to be over it.
    deadline=$((SECONDS + 300))
    for folder in "$work"/idle-*/; do
        until grep -qs '^ready' "$folder/report"; do
            [ $SECONDS -lt $deadline ] || { say "a guest did not get ready: $folder"; kill "${pids[@]}"; return 1; }
            sleep 0.2
        done
    done
    sleep $SETTLE_SECONDS
    mapfile -t before < <(switches "${pids[@]}")
    sleep $IDLE_SECONDS
    mapfile -t after < <(switches "${pids[@]}")
    kill "${pids[@]}"
    wait
    rm -rf "$work"/idle-*/
    for i in "${!pids[@]}"; do
        read -r variant run <<<"${names[i]}"
        awk -v kind="$kind" -v v="$variant" -v run="$run" -v s=$IDLE_SECONDS '
            { own = $1 - own; all = $2 - all }
            END { printf "idle,%s-main,%s,%d,%.1f\nidle,%s-all,%s,%d,%.1f\n",
                         kind, v, run, own * 60 / s, kind, v, run, all * 60 / s }' \
            <<<"${before[i]}"$'\n'"${after[i]}"
    done
}

# ---- all runs -------------------------------------------------------------

# usage: measure PART [MEASURE]
measure() {
    local part=$1 run i n=${#variants[@]} variant repeat=$runs
    begin=$SECONDS
    say "${2:-$part} ..."
    if [ "$part" = idle ]; then
        { guarded idle_all asleep 0 && guarded idle_all ticking 2; } >"$work/rows" ||
            cannot "no QEMU slept"
        cat "$work/rows"
        cat "$work/rows" >>"$work/runs.csv"
    else
        # what is counted by steps is the same each time
        [ "$part" != locked ] || repeat=1
        for ((run = 1; run <= repeat; run++)); do
            for ((i = 0; i < n; i++)); do
                variant=${variants[(i + run - 1) % n]}
                "part_$part" "$variant" "${@:2}" >"$work/values"
                awk -v OFS=, -v part="$part" -v v="$variant" -v run="$run" \
                    '{ print part, $1, v, run, $2 }' "$work/values" | tee -a "$work/runs.csv"
            done
        done
    fi
    say "    done in $((SECONDS - begin)) s"
}

# usage: summarise RUNS.CSV: medians, ratios, intervals and whether they are within
# the limits; as CSV
summarise() {
    awk -F, -v OFS=, '
        function sort(a, n,   i, j, t) {
            for (i = 2; i <= n; i++) {
                t = a[i]
                for (j = i - 1; j > 0 && a[j] > t; j--) a[j + 1] = a[j]
                a[j + 1] = t
            }
        }
        function middle(a, n) { return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2 }
        # the largest k with P(fewer than k of n below the median) <= 2.5 %
        function rank(n,   k, p, sum) {
            p = exp(-n * log(2)); sum = p; k = 0
            while (sum <= 0.025) { k++; p *= (n - k + 1) / k; sum += p }
            return k
        }
        NR > 1 {
            part[$2] = $1
            if (!($2 in known)) { known[$2] = 1; order[++measures] = $2 }
            if (!($3 in named)) { named[$3] = 1; variant[++variants] = $3 }
            value[$2, $3, $4] = $5
            if ($4 > runs[$2, $3]) runs[$2, $3] = $4
        }
        function verdict(m, v, med, stock, ratio, low,   p) {
            p = part[m]
            if (v == "stock" || v == "again" || m ~ /^code-/) return ""
            if (p == "calls" && m == "calls") return ratio <= 1.1 ? "ok (<= 1.1)" : "MISSED (<= 1.1)"
            if (p == "iops" || p == "poll") return low == "" ? "" : low >= 0.97 ? "ok (low >= 0.97)" : "MISSED (low >= 0.97)"
            # a timer that ticks gives another count each time: more is what is surely more
            if (p == "idle" && low != "") return low <= 1 ? "ok (low <= 1)" : "MISSED (low <= 1)"
            if (p == "idle" || m ~ /^executed-/) return med <= stock ? "ok (not more)" : "MISSED (not more)"
            return ""
        }
        END {
            print "part", "measure", "variant", "runs", "median", "ratio", "low", "high", "limit"
            for (i = 1; i <= measures; i++) for (j = 1; j <= variants; j++) {
                m = order[i]; v = variant[j]; n = runs[m, v]
                if (!n) continue
                delete a; delete q; pairs = 0
                for (r = 1; r <= n; r++) {
                    a[r] = value[m, v, r]
                    if (value[m, "stock", r] + 0 > 0) q[++pairs] = a[r] / value[m, "stock", r]
                }
                sort(a, n); sort(q, pairs)
                med = middle(a, n); ratio = low = high = ""
                if (v == "stock") stock = med
                else if (pairs) {
                    ratio = sprintf("%.3f", middle(q, pairs))
                    k = rank(pairs)
                    if (k > 0 && pairs > 1) { low = sprintf("%.3f", q[k]); high = sprintf("%.3f", q[pairs + 1 - k]) }
                }
                print part[m], m, v, n, sprintf("%.10g", med), ratio, low, high, verdict(m, v, med, stock, ratio, low)
            }
        }' "$1"
}

print_table() { cut -d, -f2- | tr , '\t' | columns ""; }

plot() {
    command -v gnuplot >/dev/null || { say "no plot: gnuplot is missing; install it with: apt-get install --no-install-recommends gnuplot-nox"; return; }
    awk -F, 'NR > 1 && $8 != "" && $3 != "stock" {
                 if (!($2 in at)) at[$2] = ++n
                 if (!($3 in nth)) nth[$3] = ++vs
                 print $3, at[$2], $2, $6, $7, $8 }' "$1" >"$work/plot"
    [ -s "$work/plot" ] || return 0
    awk -v out="$2" -v title="$3" '
        { if (!($1 in seen)) { seen[$1] = 1; v[++vs] = $1 } name[$2] = $3; if ($2 > n) n = $2
          row[$1] = row[$1] $2 " " $4 " " $5 " " $6 "\n" }
        END { printf "set terminal svg size 1100,520 font \"sans,11\" background rgb \"white\"\nset output \"%s\"\n", out
              printf "set title \"%s\"\nset ylabel \"ratio to stock, 95 %% interval\"\n", title
              printf "set xrange [0.5:%g]\nset yrange [0:*]\nset grid y\nset key top left horizontal\n", n + 0.5
              printf "set xtics rotate by -40 noenhanced ("
              for (i = 1; i <= n; i++) printf "%s\"%s\" %d", (i > 1 ? ", " : ""), name[i], i
              printf ")\n"
              for (i = 1; i <= vs; i++) printf "$v%d << EOD\n%sEOD\n", i, row[v[i]]
              printf "plot 1 notitle lc rgb \"gray\""
              for (i = 1; i <= vs; i++)
                  printf ", $v%d using ($1%+.2f):2:3:4 with yerrorbars pt 7 ps 0.5 title \"%s\" noenhanced", i, (i - (vs + 1) / 2) * 0.15, v[i]
              printf "\n" }' "$work/plot" | gnuplot
}

# usage: machine [MACHINE.TXT]: on what, and the command of each part; those of the
# parts that are not measured now are in the file that is there
machine() {
    local part
    for part in "${parts[@]}"; do
        printf '%s: ./build.sh bench%s\n' "$part" "${said:+ $said}"
    done
    awk -v now=" ${parts[*]} " -v all=" $PARTS $IOPS " -F: '
        index(all, " " $1 " ") && !index(now, " " $1 " ") && !(index(now, " iops ") && $1 ~ /^iops-/)' "$@" </dev/null
    printf 'QEMU: %s\n' "$version"
    printf 'processors: %s x %s\n' "$(nproc)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
    printf 'kernel: %s\n' "$(uname -r)"
    printf 'compiler: %s, -O2\n' "$(gcc --version | head -n 1)"
}

said=
for word; do
    [[ $word != *" "* ]] || word="\"$word\""
    said+="${said:+ }$word"
done
tree=()
builds=
runs=11
parts=()
read -ra variants <<<"stock again rule awake requests"
out=
table=
pin=no
poll_seconds=0.2
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --table) table=$(value_of "$@"); shift ;;
    --tree | --suite) tree=("$1" "$(value_of "$@")"); shift ;;
    --builds) builds=$(value_of "$@"); shift ;;
    --runs) runs=$(value_of "$@"); shift ;;
    --pin) pin=yes ;;
    --seconds) poll_seconds=$(value_of "$@"); shift ;;
    --only) parts+=("$(value_of "$@")"); shift ;;
    --variants) read -ra variants <<<"$(value_of "$@")"; shift ;;
    --out) out=$(value_of "$@"); shift ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
if [ -n "$table" ]; then
    [ -s "$table" ] || die "there are no runs in $table"
    summary=$(summarise "$table")
    print_table <<<"$summary"
    [[ $summary != *MISSED* ]] || exit "$FINDING"
    exit 0
fi
[[ $runs =~ ^[0-9]+$ && $runs -ge 6 ]] || die "--runs takes a number from 6, not '$runs'; fewer give no interval"
[ "${variants[0]:-}" = stock ] || die "--variants begins with stock, what the others are compared with"
[ ${#variants[@]} -gt 1 ] || die "--variants names nothing to compare with stock"
[ ${#parts[@]} -gt 0 ] || read -ra parts <<<"$PARTS"
for part in "${parts[@]}"; do
    [[ " $PARTS $IOPS " == *" $part "* ]] || die "there is no part '$part'; one of $PARTS $IOPS"
done
[[ $poll_seconds =~ ^[0-9]+([.][0-9]+)?$ && ! $poll_seconds =~ ^[0.]+$ ]] || die "--seconds takes a positive number, not '$poll_seconds'"
mapfile -t processors < <(taskset -pc $$ | sed 's/.*: //' | tr , '\n' | awk -F- '{ for (i = $1; i <= (NF > 1 ? $2 : $1); i++) print i }')
[ "$pin" = no ] || [ ${#processors[@]} -gt 1 ] || cannot "--pin needs two processors"
[ "$runs" -ge $IDLE_RUNS ] || IDLE_RUNS=$runs

need_commands "the measurement" objdump=binutils awk=mawk taskset=util-linux
[ "$(uname -m)" = x86_64 ] || cannot "the guest is for x86, this machine is a $(uname -m)"
declare -A built=()
if [ -n "$builds" ]; then
    builds=$(realpath -e -- "$builds" 2>/dev/null) || die "there is no folder with builds: --builds DIR"
    for variant in "${variants[@]}"; do
        built[$variant]=$builds/${variant//\//-}
        [ "$variant" != again ] || built[$variant]=$builds/stock
        for file in qemu-system-x86_64 aio-poll; do
            [[ $file != aio-poll || " ${parts[*]} " == *" poll "* || " ${parts[*]} " == *" locked "* ]] || continue
            [ -x "${built[$variant]}/$file" ] || die "there is no program ${built[$variant]}/$file"
        done
    done
fi
take_build_folder
guarded "$SCRIPTS/module.sh"
for variant in "${variants[@]}"; do
    [ -z "$builds" ] || break
    [ "$variant" != again ] || { built[$variant]=${built[stock]}; continue; }
    # A build folder of its own, so that the same trees with other options stay.
    built[$variant]=$(AIO_WAKEUP_BUILD=$BUILD/bench "$SCRIPTS/qemu.sh" "${tree[@]}" --variant "$variant" --print)
    AIO_WAKEUP_BUILD=$BUILD/bench AIO_WAKEUP_CONFIGURE="--extra-cflags=-O2 ${AIO_WAKEUP_CONFIGURE:-}" \
        guarded "$SCRIPTS/qemu.sh" "${tree[@]}" --variant "$variant" \
        --program "$ROOT/qtest/bench/aio-poll.c" >/dev/null
done
out=${out:-$BUILD/bench/results/$(basename "$(dirname "${built[stock]}")")}
mkdir -p "$out" "$BUILD/bench" 2>/dev/null || die "cannot make the folder $out"
version=$("${built[stock]}/qemu-system-x86_64" --version | sed -n '1s/.*version \([^ ]*\).*/\1/p')
work=$(mktemp -d "$BUILD/bench/run.XXXXXX")
at_end "$work"

{
    echo part,measure,variant,run,value
    # what the parts that are not measured now left
    awk -F, -v now=" ${parts[*]} " 'FNR > 1 && index(now, " " $1 " ") == 0 && index(now, " " $2 " ") == 0' "$out/runs.csv" 2>/dev/null || :
} >"$work/runs.csv"
for part in "${parts[@]}"; do
    case $part in
    iops-*) measure iops "$part" ;;
    *) measure "$part" ;;
    esac
    cp "$work/runs.csv" "$out/"
done
summarise "$work/runs.csv" >"$work/summary.csv"
if [ -e "$out/machine.txt" ]; then
    machine "$out/machine.txt" >"$work/machine.txt"
else
    machine >"$work/machine.txt"
fi
cp "$work/summary.csv" "$work/machine.txt" "$out/"
plot "$out/summary.csv" "$out/ratios.svg" "QEMU $version: states of a tree over stock"

print_table <"$out/summary.csv"
say "the runs are in $out"
! grep -q MISSED "$out/summary.csv" || exit "$FINDING"
