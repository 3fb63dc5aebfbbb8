#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Do the unit cases say the same thing every time, on a busy machine as well?
#
# usage: unit-repeat.sh [--runs N] [--tree DIR | --suite NAME] [--variant NAME]
#
#   --runs N   how often every program runs (default 1000), `stress-ng --cpu 4`
#              beside it all the time
#   others     as for unit.sh
#
# The first run is judged by what the tree must show; the others must say the same.
# Prints each run that differs, then the count, and the median and worst time of a
# run of all programs.  Exit status: 0 no difference, 1 one, 2 wrong use, 77
# stress-ng is missing or nothing can be built.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

runs=1000
which=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --runs) runs=$(value_of "$@"); shift ;;
    --tree | --suite | --variant) which+=("$1" "$(value_of "$@")"); shift ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
[[ $runs =~ ^[1-9][0-9]*$ ]] || die "--runs takes a number, not '$runs'"
need_commands "a busy machine" stress-ng=stress-ng
take_build_folder
work=$(mktemp -d "$BUILD/repeat.XXXXXX")
at_end "$work"

guarded "$SCRIPTS/unit.sh" "${which[@]}" --table >"$work/table" || {
    cat "$work/table"
    die "the first run is not as expected"
}
# The work folder may hold another variant before the runs are over.
guarded "$SCRIPTS/unit.sh" "${which[@]}" --print >"$work/programs"
mapfile -t names < <(cut -f1 "$work/programs")
while IFS=$'\t' read -r name file _; do
    cp "$file" "$work/$name"
done <"$work/programs"

# usage: answers PROGRAM: ok or not ok for each case, one a line
answers() { { "$work/$1" --tap -k 2>&1 || :; } | tee "$work/said" | sed -nE 's/^((not )?ok) [0-9]+ (.*)/\1 \3/p'; }

for name in "${names[@]}"; do
    awk -F'\t' -v name="$name" '$1 == name { print ($3 == "kept" ? "ok" : "not ok") " /aio-wakeup/" $2 }' \
        "$work/table" >"$work/$name.want"
done

stress=
stop_stress() {
    [ -z "$stress" ] || { kill "$stress" && wait "$stress"; } 2>/dev/null || :
    stress=
}
on_failure stop_stress
stress-ng --quiet --cpu 4 &
stress=$!
different=0
for ((i = 1; i <= runs; i++)); do
    begin=${EPOCHREALTIME/./}
    for name in "${names[@]}"; do
        answers "$name" >"$work/got"
        if ! cmp -s "$work/got" "$work/$name.want"; then
            different=$((different + 1))
            say "run $i: $name:"
            diff "$work/$name.want" "$work/got" >&2 || :
            sed 's/^/    | /' "$work/said" >&2
        fi
    done
    printf '%s\n' "$(((${EPOCHREALTIME/./} - begin) / 1000))" >>"$work/times"
done
stop_stress
on_failure_clear

printf '%s runs of %s cases: %s programs said something else; ' "$runs" "$(wc -l <"$work/table")" "$different"
sort -n "$work/times" | awk '{ t[NR] = $1 } END { printf "median %.2f s, worst %.2f s\n", t[int((NR + 1) / 2)] / 1000, t[NR] / 1000 }'
[ "$different" -eq 0 ] || exit "$FINDING"
