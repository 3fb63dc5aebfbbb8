#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Do the tests notice?  Builds a QEMU tree with each bug of patches/mutants and each
# wrong fix of patches/wrong, runs the unit cases on it, and prints which of them
# detect it.
#
# usage: mutants.sh [--tree DIR | --suite NAME] [--only NAME]... [--quick]
#
#   --tree DIR     a QEMU tree; --suite NAME: this Debian release's package; the
#                  default is the machine's own release
#   --only NAME    only this one
#   --quick        four of them, for CI
#
# A header line says what must detect it: "Expect:" (in patches/wrong "Cases:")
# the unit cases, "Model:" a row of models.sh, for what only a model of weak memory
# can show.  "Host: win32" is for ./build.sh windows.  "Base:" is stock, patched,
# or how many patches of the series come before it.
#
# Exit status: 0 each is detected as it says, 1 one is not, 2 wrong use, 77 not
# possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/series.sh"

which=()
only=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree | --suite) which=("$1" "$(value_of "$@")"); shift ;;
    --only) only+=("$(value_of "$@")"); shift ;;
    --quick) only=(dispatching flag-reset-first-poll source-not-cleared write-awake) ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
take_build_folder
if [ "${which[0]:-}" = --tree ]; then
    must_be_qemu "${which[1]}"
    generation=$(find_generation "${which[1]}")
else
    set=$(dirname "$("$SCRIPTS/qemu.sh" "${which[@]}" --print)")
    guarded "$SCRIPTS/source.sh" "${which[@]}" "$set/src"
    generation=$(find_generation "$set/src")
fi

# usage: says_of PATCH KEY
says_of() { sed -n "/^---\$/q; s/^$2: //p" "$1"; }

# Those with the same base one after the other, and what needs a build of its own
# at the end of them: less is compiled again.
mapfile -t patches < <(for patch in "$PATCHES"/{mutants,wrong}/"$generation"/*.patch; do
    [ -e "$patch" ] || continue
    base=$(says_of "$patch" Base)
    printf '%s\t%s\t%s\n' "${base:-stock}" \
        "$(touched_files "$patch" | grep -c '\.h$' || :)" "$patch"
done | sort | cut -f3)
[ ${#patches[@]} -gt 0 ] || cannot "there is no mutant for $generation"

chosen=()
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch)
    if [ ${#only[@]} -eq 0 ] || [[ " ${only[*]} " == *" $name "* ]]; then chosen+=("$patch"); fi
done
[ ${#only[@]} -eq 0 ] || [ ${#chosen[@]} -eq ${#only[@]} ] ||
    die "not all of these are mutants of $generation: ${only[*]}"

work=$(mktemp -d "$BUILD/mutants.XXXXXX")
at_end "$work"

# usage: state_of BASE: what judge.sh calls a tree with that
state_of() {
    case $1 in
    patched) echo kept ;;
    '' | stock) echo lost ;;
    [12]) echo early ;;
    [34]) echo split ;;
    [56]) echo once ;;
    *) echo kept ;;
    esac
}

# usage: mutate WORK UNIT PATCH OUT: OUT gets the programs of UNIT, a build folder of
# the cases, with what the patch touches of WORK's tree compiled again and linked
# before WORK's archives; far quicker than to build WORK itself again
mutate() {
    local work=$1 unit=$2 patch=$3 out=$4 file name command objects=()
    try_patches "$work/src" "$out/src" "$patch"
    while read -r file; do
        command=$(ninja -C "$work/build" -t commands | grep -E -- " -c [^ ]*/$file\$" | head -n 1)
        [ -n "$command" ] || die "$(basename "$patch"): $file is not compiled here"
        objects+=("$out/$(basename "$file").o")
        command=$(sed "s, -M[QF] [^ ]*,,g; s, -o [^ ]*, -o ${objects[-1]},; s, -c [^ ]*\$, -c $out/src/$file," <<<"$command")
        (cd "$work/build" && eval "$command -iquote $work/src/util") || return
    done < <(touched_files "$patch")
    for name in "${programs[@]}"; do
        command=$(ninja -C "$unit" -t commands -s "unit/$name")
        (cd "$unit" && eval "${command/ -o unit\/$name / -o $out/$name ${objects[*]} }") || return
    done
}

# usage: by_objects PATCH VARIANT: the answers of the cases, as unit.sh --table
# prints them
by_objects() {
    local base name state
    state=$(state_of "$2")
    [[ $1 != */wrong/* ]] || state=early
    if [ "$2" != "$ready" ]; then
        guarded "$SCRIPTS/unit.sh" "${which[@]}" --variant "$2" --print >"$work/print" || return
        mapfile -t programs < <(cut -f1 "$work/print")
        ready=$2
    fi
    rm -rf "$work/out"
    mkdir -p "$work/out"
    base=$(dirname "$("$SCRIPTS/qemu.sh" "${which[@]}" --print)")
    mutate "$base/work" "$base/unit" "$1" "$work/out" || return
    for name in "${programs[@]}"; do
        guarded "$ROOT/qtest/unit/judge.sh" --expect "$state" --table \
            "$ROOT/qtest/unit/$name.c" "$work/out/$name" | sed "s/^/$name\t/" || :
    done
}

# usage: by_cases PATCH: the cases that are lost though its base keeps them, or, of a
# wrong fix, though a right one would; one a line
by_cases() {
    local kind base state
    kind=$(basename "$(dirname "$(dirname "$1")")")
    base=$(says_of "$1" Base)
    state=$(state_of "$base")
    [ "$kind" != wrong ] || state=early
    if touched_files "$1" | grep -q '\.h$'; then
        # what is laid out anew must be compiled anew, all of it
        ready=
        guarded "$SCRIPTS/unit.sh" "${which[@]}" --variant "$kind/$(basename "$1" .patch)" --table \
            --expect "$state" >"$work/table" 2>"$work/log" || :
    else
        by_objects "$1" "${base:-stock}" >"$work/table" 2>"$work/log" || :
    fi
    if [ ! -s "$work/table" ]; then
        cat "$work/log" >&2
        return "$NOT_POSSIBLE"
    fi
    cut -f2 "$work/table" >>"$work/cases"
    awk -F'\t' '$4 == "kept" && $3 != "kept" { print $2 }' "$work/table"
}

ready=
programs=()
# A mutant may hang where only the whole program can be ended.
export AIO_WAKEUP_LIMIT=10
bad=0
for patch in "${chosen[@]}"; do
    name=$(basename "$patch" .patch)
    begin=$SECONDS
    expected=$(says_of "$patch" Cases)
    expected=${expected:-$(says_of "$patch" Expect)}
    model=$(says_of "$patch" Model)
    verdict=
    if [ "$(says_of "$patch" Host)" = win32 ]; then
        verdict="needs ./build.sh windows"
        : >"$work/found"
    elif [ -n "$model" ]; then
        guarded "$SCRIPTS/models.sh" --only " $model " >"$work/models" 2>&1 || :
        if grep -q '^[1-9][0-9]* verdicts, 0 not as expected' "$work/models"; then
            verdict="detected by the model ($model)"
        else
            verdict="NOT DETECTED by the model"
            bad=$((bad + 1))
        fi
        : >"$work/found"
    else
        by_cases "$patch" >"$work/found" || cannot "$name: the cases could not be run"
        verdict=detected
        for case in $expected; do
            grep -qx "$case" "$work/found" || verdict="NOT DETECTED by $case"
        done
        [ -n "$expected" ] || [ -s "$work/found" ] || verdict="NOT DETECTED"
        [ "$verdict" = detected ] || bad=$((bad + 1))
    fi
    printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$(says_of "$patch" Base)" "$((SECONDS - begin))" \
        "$verdict" "$(paste -sd' ' "$work/found")" >>"$work/rows"
    say "$name: $verdict ($((SECONDS - begin)) s)"
done

# The matrix: a column for each case that was run, numbered below.
[ -e "$work/cases" ] || echo none >"$work/cases"
awk -F'\t' '
    FNR == NR { if (!($1 in number)) { number[$1] = ++n; name[n] = $1 } next }
    FNR == 1 { head = "mutant\tbase\ts"
               for (i = 1; i <= n; i++) head = head "\t" i
               print head "\tverdict" }
    { split("", hit)
      k = split($5, f, " ")
      for (i = 1; i <= k; i++) hit[f[i]] = 1
      row = $1 "\t" ($2 == "" ? "stock" : $2) "\t" $3
      for (i = 1; i <= n; i++) row = row "\t" (name[i] in hit ? "x" : ".")
      print row "\t" $4 }' "$work/cases" "$work/rows" | columns '' ' '
awk '!seen[$0]++ { printf "%d = %s\n", ++n, $0 }' "$work/cases" | paste -sd, | sed 's/,/, /g' | fold -s -w 100
printf '%s mutants, %s not detected\n' "${#chosen[@]}" "$bad"
[ "$bad" -eq 0 ] || exit "$FINDING"
