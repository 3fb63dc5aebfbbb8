#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Do the tests notice?  Builds a QEMU tree with each bug of patches/mutants, runs
# what must notice it, and prints what does.
#
# usage: mutants.sh [--tree DIR | --suite NAME] [--only NAME]... [--quick]
#
#   --tree DIR     a QEMU tree; --suite NAME: this Debian release's package; the
#                  default is the machine's own release
#   --only NAME    only this one
#   --quick        four of them, for CI
#
# patches/mutants/README.md says what their headers mean.
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
    --quick) only=(clear-early wake-without-bit wake-before-clear request-if-asleep) ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
take_build_folder
source=$(dirname "$("$SCRIPTS/qemu.sh" "${which[@]}" --print)")/src
if [ "${which[0]:-}" = --tree ]; then
    must_be_qemu "${which[1]}"
    source=${which[1]}
else
    guarded "$SCRIPTS/source.sh" "${which[@]}" "$source"
fi
generation=$(find_generation "$source")

# usage: says_of PATCH KEY
says_of() { sed -n "/^---\$/q; s/^$2: //p" "$1"; }

# Those with the same base one after the other: less is compiled again.
ring=()
! described "$generation" state | grep -q '^armed' || ring=("$PATCHES"/mutants/ring/*.patch)
mapfile -t patches < <(for patch in "$PATCHES"/mutants/*.patch ${ring[@]+"${ring[@]}"}; do
    [ ! -e "$patch" ] || printf '%s\t%s\n' "$(says_of "$patch" Base)" "$patch"
done | sort | cut -f2)
[ ${#patches[@]} -gt 0 ] || cannot "there is no mutant"

chosen=()
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch)
    if [ ${#only[@]} -eq 0 ] || [[ " ${only[*]} " == *" $name "* ]]; then chosen+=("$patch"); fi
done
[ ${#only[@]} -eq 0 ] || [ ${#chosen[@]} -eq ${#only[@]} ] ||
    die "not all of these are mutants: ${only[*]}"

work=$(mktemp -d "$BUILD/mutants.XXXXXX")
at_end "$work"

# usage: state_of PATCH: what its cases are compared with: a fix that is wrong says
# what it should do ("Claims:"), another mutant breaks what its base does
state_of() {
    local claims
    claims=$(says_of "$1" Claims)
    printf '%s\n' "${claims:-$(says_of "$1" Base)}"
}

# usage: fits PATCH: does it go on its base in this tree?
fits() {
    local all length
    mapfile -t all < <(series_patches "$generation")
    length=$(length_of_state "$generation" "$(says_of "$1" Base)")
    (try_patches "$source" "$work/fits" "${all[@]:0:length}" "$1") 2>"$work/log"
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

# usage: by_cases PATCH: the cases that are lost though the state that it is compared
# with keeps them; one a line
by_cases() {
    local base name set
    base=$(says_of "$1" Base)
    if [ "$base" != "$ready" ]; then
        guarded "$SCRIPTS/unit.sh" "${which[@]}" --variant "$base" --print >"$work/print" 2>"$work/log" ||
            { cat "$work/log" >&2; return "$NOT_POSSIBLE"; }
        mapfile -t programs < <(cut -f1 "$work/print")
        ready=$base
    fi
    rm -rf "$work/out"
    mkdir -p "$work/out"
    set=$(dirname "$("$SCRIPTS/qemu.sh" "${which[@]}" --print)")
    mutate "$set/work" "$set/unit" "$1" "$work/out" >"$work/log" 2>&1 ||
        { tail -n 5 "$work/log" >&2; return "$NOT_POSSIBLE"; }
    for name in "${programs[@]}"; do
        guarded "$ROOT/qtest/unit/judge.sh" --tree "$set/work/src" --expect "$(state_of "$1")" --table \
            "$ROOT/qtest/unit/$name.c" "$work/out/$name" || :
    done >"$work/table"
    [ -s "$work/table" ] || return "$NOT_POSSIBLE"
    cut -f1 "$work/table" >>"$work/cases"
    awk -F'\t' '$3 == "kept" && $2 != "kept" { print $1 }' "$work/table"
}

# usage: by_model ROW
by_model() {
    guarded "$SCRIPTS/models.sh" --only " $1 " >"$work/log" 2>&1 &&
        grep -q '^[1-9][0-9]* verdicts, 0 not as expected' "$work/log"
}

# usage: by_calls NAME: does a round of the guest make more system calls than it may?
by_calls() {
    local status=0 variant
    for variant in stock "mutants/$1"; do
        guarded "$SCRIPTS/qemu.sh" "${which[@]}" --variant "$variant" >"$work/log" 2>&1 || return
    done
    ready=
    guarded "$SCRIPTS/bench.sh" --builds "$(dirname "$("$SCRIPTS/qemu.sh" "${which[@]}" --print)")" \
        --runs 6 --only calls --variants "stock mutants/$1" --out "$work/bench" >"$work/log" 2>&1 || status=$?
    [ "$status" -lt 2 ] || cannot "$1: bench could not be run: $(tail -n 1 "$work/log")"
    grep -q "calls  *mutants/$1 .*MISSED" "$work/log"
}

# usage: by_tools NAME TOOL STATE
by_tools() {
    ready=
    guarded "$SCRIPTS/tools.sh" "${which[@]}" --variant "mutants/$1" --expect "$3" --only "tools/$2" >"$work/log" 2>&1 || :
    grep -q "^not ok .*tools/$2: lost" "$work/log"
}

# usage: detected YES-OR-NO BY: sets $verdict, and counts
detected() {
    verdict="detected by $2"
    [ "$1" = yes ] || { verdict="NOT DETECTED by $2"; bad=$((bad + 1)); }
}

ready=
programs=()
# A mutant may hang where only the whole program can be ended.
export AIO_WAKEUP_LIMIT=${AIO_WAKEUP_LIMIT:-10}
bad=0
for patch in "${chosen[@]}"; do
    name=$(basename "$patch" .patch)
    begin=$SECONDS
    read -ra cases <<<"$(says_of "$patch" Cases)"
    verdict=
    : >"$work/found"
    if [ "$(says_of "$patch" Host)" = win32 ]; then
        verdict="needs ./build.sh windows"
    elif ! fits "$patch"; then
        verdict="does not fit this tree"
    elif [ "${cases[0]:-}" = model ]; then
        by_model "${cases[1]}" && found=yes || found=no
        detected "$found" "the model (${cases[1]})"
    elif [ "${cases[0]:-}" = calls ]; then
        by_calls "$name" && found=yes || found=no
        detected "$found" "the count of system calls"
    elif [ "${cases[0]:-}" = tools ]; then
        by_tools "$name" "${cases[1]}" "$(state_of "$patch")" && found=yes || found=no
        detected "$found" "${cases[1]}"
    else
        by_cases "$patch" >"$work/found" || cannot "$name: the cases could not be run"
        if [[ $(says_of "$patch" Expect) == equivalent* ]]; then
            verdict=equivalent
            [ ! -s "$work/found" ] || { verdict="NOT EQUIVALENT"; bad=$((bad + 1)); }
        else
            missed=
            for case in "${cases[@]}"; do
                grep -qx "$case" "$work/found" || missed+=" $case"
            done
            [ -z "$missed" ] && found=yes || found=no
            detected "$found" "${missed:-cases}"
        fi
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
