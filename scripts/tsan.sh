#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# QEMU's unit tests under ThreadSanitizer: does the series add a data race?
#
# usage: tsan.sh [--tree DIR | --suite NAME] [--runs N] [--out DIR]
#
#   --tree DIR, --suite NAME  which QEMU, as for qemu.sh
#   --runs N    how often each test is run, stock and patched in turn (default 10)
#   --out DIR   where the reports go; default: below the build folder
#
# Both are built with clang and --enable-tsan.  A report is reduced to its kind and
# to the pair of places that race: of each stack the innermost function of QEMU,
# without lines and addresses, and the one that called it.  The set of pairs of the
# patched build must not have one that the stock build's set lacks.
#
# DIR gets the reports, and stock.pairs and patched.pairs: the pairs and in how many
# of the runs each was seen.  glib and the kernel's side of an eventfd are not
# instrumented: not every pair is a mistake, which is why the sets are compared.
#
# Exit status: 0 no new pair, 1 new ones, 2 wrong use, 77 not possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

LIMIT=300
tests=(test-aio test-aio-multithread test-thread-pool test-coroutine test-bdrv-drain
    test-block-iothread test-blockjob test-blockjob-txn test-nested-aio-poll)

# usage: pairs REPORT: "KIND: PLACE | PLACE", one for each report, each once
pairs() {
    awk '
        function place(n,   i, text, found) {
            for (i = 0; i < frames[n]; i++) {
                # a frame of the sanitizer, the C library or glib is not a place
                if (where[n, i] ~ /\/src\/|^\.\.\// && where[n, i] !~ /compiler-rt|sanitizer/) {
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
runs=10
out=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree | --suite) tree=("$1" "$(value_of "$@")"); shift ;;
    --runs) runs=$(value_of "$@"); shift ;;
    --out) out=$(value_of "$@"); shift ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
[[ $runs =~ ^[1-9][0-9]*$ ]] || die "--runs takes a number, not '$runs'"
need_commands "ThreadSanitizer" clang=clang llvm-symbolizer=llvm
take_build_folder

export AIO_WAKEUP_CONFIGURE="--enable-tsan --cc=clang --cxx=clang++ ${AIO_WAKEUP_CONFIGURE:-}"
declare -A built=()
for variant in stock patched; do
    built[$variant]=$(AIO_WAKEUP_BUILD=$BUILD/tsan "$SCRIPTS/qemu.sh" "${tree[@]}" --variant "$variant" --print)
done
if [ "${tree[0]:-}" = --tree ]; then
    source=${tree[1]}
else
    source=$(dirname "${built[stock]}")/src
    AIO_WAKEUP_BUILD=$BUILD/tsan guarded "$SCRIPTS/source.sh" "${tree[@]}" "$source"
fi
unit=tests/unit
[ -d "$source/$unit" ] || unit=tests
targets=()
for test in "${tests[@]}"; do
    [ ! -e "$source/$unit/$test.c" ] || targets+=("$unit/$test")
done
for variant in stock patched; do
    AIO_WAKEUP_BUILD=$BUILD/tsan guarded "$SCRIPTS/qemu.sh" "${tree[@]}" --variant "$variant" "${targets[@]}" >/dev/null
done

out=${out:-$BUILD/tsan/results}
mkdir -p "$out" 2>/dev/null || die "cannot make the folder $out"
rm -f "$out"/*
for ((run = 1; run <= runs; run++)); do
    say "run $run of $runs ..."
    begin=$SECONDS
    for test in "${targets[@]##*/}"; do
        for variant in stock patched; do
            guarded run_test "$variant" "$test" "$run"
        done
    done
    say "    done in $((SECONDS - begin)) s"
done

for variant in stock patched; do
    for file in "$out/$variant"-*.report; do
        pairs "$file"
    done | sort | uniq -c | sort -k2 >"$out/$variant.pairs"
    printf '%s: %s pairs in %s runs of %s tests\n' "$variant" "$(wc -l <"$out/$variant.pairs")" "$runs" "${#targets[@]}"
done
[ ! -e "$out/failed" ] || { say "tests that failed:"; cat "$out/failed" >&2; }
new=$(comm -13 <(sed 's/^ *[0-9]* //' "$out/stock.pairs" | sort) <(sed 's/^ *[0-9]* //' "$out/patched.pairs" | sort))
if [ -n "$new" ]; then
    printf 'only in the patched build:\n%s\n' "$new"
    exit "$FINDING"
fi
printf 'the patched build has no pair that the stock build lacks\n'
