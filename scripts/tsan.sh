#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# QEMU's unit tests under ThreadSanitizer: does the series add a data race?
#
# usage: tsan.sh [--tree DIR | --suite NAME | --builds STOCK PATCHED] [--runs N]
#                [--out DIR]
#
#   --tree DIR, --suite NAME  which QEMU, as for qemu.sh
#   --builds STOCK PATCHED    folders that hold the test programs already
#   --runs N    how often each test is run, stock and patched in turn (default 10)
#   --out DIR   where the reports go; default: below the build folder
#
# Both are built with clang and --enable-tsan.  A report is reduced to its kind and
# to the pair of places that race: of each stack the innermost function of QEMU,
# without lines and addresses, and the one that called it (functions that the series
# adds are left out, so that their caller stands for them).  The set of pairs of the
# patched build must not have one that the stock build's set lacks.  Many a pair shows
# only now and then: as long as there is such a pair, the stock build alone runs on,
# up to four times as often.  A race that the series brought would never show there.
#
# DIR gets the reports, and stock.pairs and patched.pairs: the pairs and in how many
# of the runs each was seen.  glib and the kernel's side of an eventfd are not
# instrumented: not every pair is a mistake, which is why the sets are compared.
#
# Exit status: 0 no new pair, 1 new ones, 2 wrong use, 77 not possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

LIMIT=300 # seconds of a test
MORE=4    # stock runs for each run of the patched build, at most
tests=(test-aio test-aio-multithread test-thread-pool test-coroutine test-bdrv-drain
    test-block-iothread test-blockjob test-blockjob-txn test-nested-aio-poll)

# Functions that only the patched build has: what they do counts as their caller's.
new_functions() {
    local test
    for test in "${targets[@]##*/}"; do
        comm -13 <(nm "${built[stock]}/$unit/$test" | awk '{ print $NF }' | sort -u) \
            <(nm "${built[patched]}/$unit/$test" | awk '{ print $NF }' | sort -u)
    done | sort -u | paste -sd' '
}

# usage: pairs REPORT: "KIND: PLACE | PLACE", one for each report, each once
pairs() {
    awk -v added=" $added " '
        function place(n,   i, text, found) {
            for (i = 0; i < frames[n]; i++) {
                # a frame of the sanitizer, the C library or glib is not a place
                if (!index(added, " " name[n, i] " ") && where[n, i] ~ /\.[ch]($|:)/ && where[n, i] !~ /\/sysdeps\/|^(\.\/)?(csu|nptl|posix|io)\/|compiler-rt/) {
                    text = text (found ? " < " : "") name[n, i]
                    if (++found == 2) break
                }
            }
            return found ? text : "(outside of QEMU)"
        }
        function flush(   a, b, t) {
            if (kind == "") return
            a = place(1); b = place(2)
            if (b < a) { t = a; a = b; b = t }
            print kind ": " a " | " b
            kind = ""
        }
        /^WARNING: ThreadSanitizer: / {
            flush(); kind = $0
            sub(/^WARNING: ThreadSanitizer: /, "", kind); sub(/ \(pid=.*/, "", kind)
            stack = 0; delete frames
            next
        }
        kind != "" && /^  [A-Z].*:$/ { stack++; frames[stack] = 0; next }
        kind != "" && /^    #[0-9]+ / && stack >= 1 && stack <= 2 {
            name[stack, frames[stack]] = $2; where[stack, frames[stack]] = $3; frames[stack]++
        }
        /^SUMMARY:/ { flush() }
        END { flush() }' "$1" | sort -u
}

# usage: run_test VARIANT TEST RUN
run_test() {
    local status=0
    TSAN_OPTIONS="exitcode=0 history_size=4 second_deadlock_stack=1" timeout --foreground -k 2 $LIMIT \
        "${built[$1]}/$unit/$2" >"$out/$1-$2-$3.tap" 2>"$out/$1-$2-$3.report" || status=$?
    [ "$status" -eq 0 ] || printf '%s run %s of %s: status %s\n' "$1" "$3" "$2" "$status" >>"$out/failed"
}

tree=()
declare -A built=()
runs=10
out=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree | --suite) tree=("$1" "$(value_of "$@")"); shift ;;
    --builds)
        [ $# -ge 3 ] || die "--builds takes two folders"
        built=([stock]=$(realpath -e "$2") [patched]=$(realpath -e "$3")) || die "no such folders: $2 $3"
        shift 2
        ;;
    --runs) runs=$(value_of "$@"); shift ;;
    --out) out=$(value_of "$@"); shift ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
[[ $runs =~ ^[1-9][0-9]*$ ]] || die "--runs takes a number, not '$runs'"
need_commands "ThreadSanitizer" clang=clang llvm-symbolizer=llvm nm=binutils
take_build_folder

# usage: find_tests FOLDER SUFFIX: sets $unit and $targets to what is there
find_tests() {
    local test
    unit=tests/unit
    [ -d "$1/$unit" ] || unit=tests
    [ -d "$1/$unit" ] || unit=.
    targets=()
    for test in "${tests[@]}"; do
        [ ! -f "$1/$unit/$test$2" ] || targets+=("$unit/$test")
    done
    [ ${#targets[@]} -gt 0 ] || cannot "there are no unit tests in $1"
}

build_both() {
    local variant source=${tree[1]:-}
    export AIO_WAKEUP_BUILD=$BUILD/tsan
    # A function that is inlined, calls as its last act, or has no line numbers
    # is missing in the stacks, of one build or of both.
    export AIO_WAKEUP_CONFIGURE="--enable-tsan --cc=clang --cxx=clang++ --extra-cflags=-fno-inline
        --extra-cflags=-fno-optimize-sibling-calls --extra-cflags=-gline-tables-only ${AIO_WAKEUP_CONFIGURE:-}"
    for variant in stock patched; do
        built[$variant]=$("$SCRIPTS/qemu.sh" "${tree[@]}" --variant "$variant" --print)
    done
    if [ "${tree[0]:-}" != --tree ]; then
        source=$(dirname "${built[stock]}")/src
        guarded "$SCRIPTS/source.sh" "${tree[@]}" "$source"
    fi
    find_tests "$source" .c
    for variant in stock patched; do
        guarded "$SCRIPTS/qemu.sh" "${tree[@]}" --variant "$variant" "${targets[@]}" >/dev/null
    done
}

if [ ${#built[@]} -gt 0 ]; then
    find_tests "${built[stock]}" ""
else
    build_both
fi

added=$(new_functions)
out=${out:-$BUILD/tsan/results}
mkdir -p "$out" 2>/dev/null || die "cannot make the folder $out"
rm -f "$out"/*

# usage: run_all RUN VARIANT...
run_all() {
    local test variant run=$1
    say "run $run of ${*:2} ..."
    begin=$SECONDS
    for test in "${targets[@]##*/}"; do
        for variant in "${@:2}"; do
            guarded run_test "$variant" "$test" "$run"
        done
    done
    say "    done in $((SECONDS - begin)) s"
}

# usage: collect VARIANT: its pairs, each with the number of test runs that had it
collect() {
    local file
    for file in "$out/$1"-*.report; do
        pairs "$file"
    done | sort | uniq -c | sort -k2 >"$out/$1.pairs"
}

# What only the patched build has
new_pairs() { comm -13 <(sed 's/^ *[0-9]* //' "$out/stock.pairs" | sort) <(sed 's/^ *[0-9]* //' "$out/patched.pairs" | sort); }

for ((run = 1; run <= runs; run++)); do
    run_all "$run" stock patched
done
collect stock
collect patched
stock_runs=$runs
while [ -n "$(new_pairs)" ] && [ "$stock_runs" -lt $((MORE * runs)) ]; do
    stock_runs=$((stock_runs + 1))
    run_all "$stock_runs" stock
    collect stock
done

printf 'stock: %s pairs in %s runs of %s tests\n' "$(wc -l <"$out/stock.pairs")" "$stock_runs" "${#targets[@]}"
printf 'patched: %s pairs in %s runs\n' "$(wc -l <"$out/patched.pairs")" "$runs"
[ ! -e "$out/failed" ] || { say "tests that failed:"; cat "$out/failed" >&2; }
new=$(new_pairs)
if [ -n "$new" ]; then
    printf 'only in the patched build:\n%s\n' "$new"
    exit "$FINDING"
fi
printf 'the patched build has no pair that the stock build lacks\n'
