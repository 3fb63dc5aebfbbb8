#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Explores every interleaving of QEMU's compiled event loop in small scenarios, and
# compares what is lost with what each scenario's header expects, both ways.
#
# usage: explore.sh [--tree DIR | --suite NAME] [--variant NAME]... [--patch FILE]...
#                   [--state NAME] [--sc] [--tso] [--pso] [--limit MIB]
#                   [SCENARIO...]
#        explore.sh [same options] --show SCENARIO...
#        explore.sh [same options] --replay FILE
#        explore.sh [--tree DIR | --suite NAME] --variants [NAME...]
#        explore.sh --litmus [NAME...]
#
#   --tree DIR      a QEMU tree or its build folder.  If it is configured and
#                   built (DIR or DIR/build has build.ninja), it is used as it is
#                   and only read; else a copy is configured, see qemu.sh
#   --suite NAME    this Debian release's package; the default is the machine's own
#                   release
#   --variant NAME  stock, patched, a state of the series (rule, requests), a number or
#                   mutants/NAME: see qemu.sh.  The default is stock and all states;
#                   with --tree or --patch it is the tree as it is
#   --patch FILE    this patch, too (diff -p1)
#   --state NAME    what the tree is judged as; the default is what its functions say
#   --sc, --tso, --pso
#                   the memory model: sequential consistency, store buffers as x86
#                   has them, or those that stores leave in any order.  The default
#                   is SC and TSO
#   --limit MIB     a search may take so much memory (1024)
#   --show          no judging: print what each of these scenarios loses, a column a
#                   thread, with as few switches as there can be, and the file that
#                   replays it
#   --replay FILE   follow the schedule in FILE, and print it
#   --variants      judge the changes in qtest/explore/variants: each is a patch that
#                   says to which state it belongs, and what it loses in which scenario
#   --litmus        judge the memory models by the shapes in qtest/explore/litmus
#
# A row of the table: scenario, state, memory model, verdict, states, steps, shared
# words, ms, MiB.  "not-exhausted": the limit was met, nothing is claimed.  What a
# pass proves, and what it does not: qtest/explore/README.md.
#
# Exit status: 0 all as expected, 1 a difference, 2 wrong use, 77 not possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/series.sh"

EXPLORE=$ROOT/qtest/explore
# the files of util/ that are explored, if the tree has them
files=(async aio-posix fdmon-poll aio-wait lockcnt qemu-timer event_notifier-posix main-loop)

tree=
suite=
variants=()
extra_patches=()
state=
memories=()
limit=1024
mode=judge
replay=
wanted=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree) tree=$(realpath -e -- "$(value_of "$@")") || die "there is no folder $2"; shift ;;
    --suite) suite=$(value_of "$@"); shift ;;
    --variant) variants+=("$(value_of "$@")"); shift ;;
    --patch) extra_patches+=("$(realpath -e -- "$(value_of "$@")")") || die "there is no file $2"; shift ;;
    --state) state=$(value_of "$@"); shift ;;
    --sc | --tso | --pso) memories+=("${1#--}") ;;
    --limit) limit=$(value_of "$@"); shift ;;
    --show) mode=show ;;
    --replay) mode=replay; replay=$(realpath -e -- "$(value_of "$@")") || die "there is no file $2"; shift ;;
    --variants) mode=variants ;;
    --litmus) mode=litmus ;;
    -*) die "unknown option $1; see --help" ;;
    *) wanted+=("$1") ;;
    esac
    shift
done
[ -z "$tree" ] || [ -z "$suite" ] || die "either --tree or --suite"
[[ $limit =~ ^[1-9][0-9]*$ ]] || die "--limit wants MiB, not '$limit'"

# ---- a configured tree ---------------------------------------------------------

# usage: header FILE KEY: what a scenario's or a patch's header says
header() {
    sed -n "s/^[ *]*$2: *//p" "$1" | head -n 1
}

# Sets $src and $build, a source tree and a build folder with its headers made.
find_tree() {
    local work first=libqemuutil.a.p/util_async.c.o
    if [ -n "$tree" ]; then
        for build in "$tree" "$tree/build"; do
            [ -e "$build/build.ninja" ] || continue
            src=$(cd "$build" && ninja -t commands -s "$first" |
                sed -n 's,.* -c \([^ ]*\)/util/async\.c$,\1,p')
            [ -n "$src" ] || die "$build does not know how to compile util/async.c: is it QEMU's, and of 5.2 or later?"
            src=$(cd "$build" && realpath "$src")
            [ -e "$build/qapi/qapi-types-run-state.h" ] ||
                cannot "$build is not built yet; run: ninja -C $build $first"
            return
        done
        work=$(guarded "$SCRIPTS/qemu.sh" --tree "$tree" --work "$first")
    else
        work=$(guarded "$SCRIPTS/qemu.sh" ${suite:+--suite "$suite"} --work "$first")
    fi
    src=$work/src
    build=$work/build
}

# ---- states of the tree -----------------------------------------------------------

# usage: state_of FOLDER: which state of our vocabulary the sources in this overlay
# are of, by what they call
state_of() {
    local async=$1/util/async.c main=$1/util/main-loop.c
    [ -e "$async" ] || async=$src/util/async.c
    [ -e "$main" ] || main=$src/util/main-loop.c
    if ! grep -q g_main_context_wakeup "$async"; then
        echo stock
    elif ! grep -q g_main_context_wakeup "$main"; then
        echo rule
    else
        echo requests
    fi
}

# usage: make_overlay FOLDER PATCH...: the files that these patches change, and only
# those that the event loop is compiled from
make_overlay() {
    local overlay=$1 new=$1.new patch file
    shift
    rm -rf "$new"
    mkdir -p "$overlay" "$new"
    for patch; do
        while read -r file; do
            [ -e "$new/$file" ] || [ ! -e "$src/$file" ] || (cd "$src" && cp --parents -- "$file" "$new/")
        done < <(touched_files "$patch")
        (cd "$new" && patch -p1 -s -f --no-backup-if-mismatch -r - -i "$patch" >"$new.log" 2>&1) ||
            die "$patch does not fit $src: $(head -n 3 "$new.log" | paste -sd' ')"
    done
    find "$new" -type f ! -path "$new/util/*" ! -path "$new/include/*" -delete
    find "$new" -type d -empty -delete
    mkdir -p "$new"
    if compgen -G "$new/util/*.h" >/dev/null; then
        # a file finds a header beside it first
        for file in "${files[@]}"; do
            cp -n "$src/util/$file.c" "$new/util/" 2>/dev/null || :
        done
    fi
    # a file that did not change keeps its time
    rsync -rlp --checksum --delete "$new/" "$overlay/"
    rm -rf "$new" "$new.log"
}

# usage: patches_of VARIANT: its patches, one a line
patches_of() {
    local generation file
    [ "$1" != stock ] || return 0
    generation=$(find_generation "$src")
    case $1 in
    mutants/*)
        file=$PATCHES/$1.patch
        [ -e "$file" ] || die "there is no patch $file"
        patches_of "$(sed -n 's/^Base: //p' "$file")"
        printf '%s\n' "$file"
        ;;
    *) series_patches "$generation" | head -n "$(length_of_state "$generation" "$1")" ;;
    esac
}

# usage: add_state NAME PATCH...: an overlay with these patches
declare -A kind_of=() scenarios_of=()
names=()
add_state() {
    local name=${1//\//-} patch
    shift
    for patch in "${extra_patches[@]}"; do
        name+=+$(basename "$patch" .patch)
    done
    make_overlay "$out/$name/overlay" "$@" "${extra_patches[@]}"
    names+=("$name")
    kind_of[$name]=${state:-$(state_of "$out/$name/overlay")}
}

# usage: add_variant VARIANT
add_variant() {
    local list patches
    list=$(patches_of "$1")
    mapfile -t patches < <(printf '%s' "${list:+$list
}")
    add_state "$1" "${patches[@]}"
}

# Stock, and each state that the series for this tree makes.
add_all_variants() {
    local name
    add_variant stock
    [ ${#extra_patches[@]} -eq 0 ] && [ -z "$tree" ] || return 0
    while read -r name; do
        add_variant "$name"
    done < <(described "$(find_generation "$src")" state | sed 's/ | .*//')
}

# ---- our own variants: patches that say what they are made of and what they lose ----

# usage: add_own_variants: those wanted, or all; sets $scenarios to what they speak of
add_own_variants() {
    local file name word list patches wanted_names=("${wanted[@]}")
    if [ ${#wanted_names[@]} -eq 0 ]; then
        for file in "$EXPLORE"/variants/*.patch; do
            wanted_names+=("$(basename "$file" .patch)")
        done
    fi
    scenarios=()
    for name in "${wanted_names[@]}"; do
        file=$EXPLORE/variants/$name.patch
        [ -e "$file" ] || die "there is no variant '$name'; there are: $(cd "$EXPLORE/variants" && printf '%s\n' *.patch | sed 's/\.patch$//' | paste -sd' ')"
        list=$(patches_of "$(header "$file" Base)")
        mapfile -t patches < <(printf '%s' "${list:+$list
}")
        state=own add_state "$name" "${patches[@]}" "$file"
        while read -r word _; do
            scenarios_of[$name]+=" $word"
            [[ " ${scenarios[*]} " == *" $word "* ]] || scenarios+=("$word")
        done < <(header "$file" Expect | sed 's/; */\n/g')
    done
}

# ---- building -----------------------------------------------------------------------

# The tree's own command for util/async.c, without what names its files, its
# optimisation and what would be in the way of fibers.
compile_flags() {
    (cd "$build" && ninja -t commands -s libqemuutil.a.p/util_async.c.o) |
        sed -E 's/^[^ ]*(ccache +)?[^ ]* //; s/ -M[DQF].*//
                s/ (-O[0-9s]|-fPIE|-fstack-protector[^ ]*|-D_FORTIFY_SOURCE=[0-9]|-W[^ ]*|-flto[^ ]*)//g
                s/ (-O[0-9s]|-fPIE|-fstack-protector[^ ]*|-D_FORTIFY_SOURCE=[0-9]|-W[^ ]*|-flto[^ ]*)//g'
}

# What the functions of this tree are called, and which arguments they take.
apis() {
    local aio=block/aio.h
    if [ ! -e "$src/include/$aio" ]; then
        aio=qemu/aio.h
        printf '%s\n' -DAPI_QEMU_AIO_H
    fi
    ! grep -q 'bool is_external' "$src/include/$aio" || printf '%s\n' -DAPI_IS_EXTERNAL
    ! grep -q 'io_poll_ready' "$src/include/$aio" || printf '%s\n' -DAPI_POLL_READY
}

# usage: rules: build.ninja for all states that were added and $scenarios
rules() {
    local name file object source world runtime objects folder
    local plain='-g -O1 -fno-pie -fno-common -fno-stack-protector -fcf-protection=none -fno-omit-frame-pointer'
    [ "$mode" = litmus ] || cat <<END
flags = $(compile_flags) -U_FORTIFY_SOURCE $plain -w
apis = $(apis | paste -sd' ')
rule qemu
  description = qemu \$out
  command = cd $build && cc -I$EXPLORE -iquote \$overlay/include -iquote $src/util \$flags -fsanitize=thread -U__SANITIZE_THREAD__ \$apis -MD -MF \$out.d -o \$out -c \$in
  depfile = \$out.d
  deps = gcc
END
    cat <<END
rule world
  description = world \$out
  command = cc $plain -w $(pkg-config --cflags glib-2.0) -MD -MF \$out.d -o \$out -c \$in && objcopy --weaken \$out
  depfile = \$out.d
  deps = gcc
rule litmus
  description = litmus \$out
  command = cc $plain -O1 -Wall -I$EXPLORE -fsanitize=thread -MD -MF \$out.d -o \$out -c \$in
  depfile = \$out.d
  deps = gcc
rule runtime
  description = runtime \$out
  command = cc -g -O2 -fno-pie -fno-omit-frame-pointer -fcf-protection=none -Wall -MD -MF \$out.d -o \$out -c \$in
  depfile = \$out.d
  deps = gcc
rule link
  description = link \$out
  command = $EXPLORE/link.sh \$out \$runtime -- \$world
END
    for folder in runtime world; do
        objects=
        for source in "$EXPLORE/$folder"/*.c; do
            object=$common/$folder/$(basename "$source" .c).o
            echo "build $object: $folder $source"
            objects+=" $object"
        done
        printf -v "$folder" '%s' "$objects"
    done
    echo "runtime = $runtime"
    if [ "$mode" = litmus ]; then
        for name in "${scenarios[@]}"; do
            echo "build $common/litmus/$name.o: litmus $EXPLORE/litmus/$name.c"
            echo "build $common/litmus/bin/$name: link $common/litmus/$name.o | $EXPLORE/link.sh $runtime"
            echo "  world = $common/litmus/$name.o"
        done
        return
    fi
    for name in "${names[@]}"; do
        objects=
        for file in "${files[@]}"; do
            source=$out/$name/overlay/util/$file.c
            # what the patches leave alone is compiled once
            folder=$out/$name
            if [ ! -e "$source" ]; then
                source=$src/util/$file.c
                [ -d "$out/$name/overlay/include" ] || folder=$out/all
            fi
            [ -e "$source" ] || continue
            rule_once "$folder/qemu/$file.o" "$source" "$name"
            objects+=" $folder/qemu/$file.o"
        done
        folder=$out/$name
        [ -d "$out/$name/overlay/include" ] || folder=$out/all
        rule_once "$folder/parts.o" "$EXPLORE/parts.c" "$name"
        for file in ${scenarios_of[$name]:-${scenarios[@]}}; do
            rule_once "$folder/scenarios/$file.o" "$EXPLORE/scenarios/$file.c" "$name"
            echo "build $out/$name/bin/$file: link $objects $folder/parts.o $folder/scenarios/$file.o $world | $EXPLORE/link.sh $runtime"
            echo "  world = $objects $folder/parts.o $folder/scenarios/$file.o $world"
        done
    done
}

declare -A ruled=()
# usage: rule_once OBJECT SOURCE NAME
rule_once() {
    [ -z "${ruled[$1]:-}" ] || return 0
    ruled[$1]=yes
    echo "build $1: qemu $2"
    echo "  overlay = $out/$3/overlay"
}

build_programs() {
    local file=$1/build.ninja log=$BUILD/log/explore-build.log
    mkdir -p "$1"
    rules >"$file.new"
    cmp -s "$file.new" "$file" || mv "$file.new" "$file"
    if [[ $(ninja -C "$1" -n | tail -n 1) != *"no work to do"* ]]; then
        step "building ${#scenarios[@]} scenarios for: ${names[*]:-the memory models}" "$log" \
            ninja -C "$1" -j "$(jobs_wanted)" ||
            cannot "they do not build with this tree; the whole log is $log"
    fi
}

# usage: choose FOLDER: sets $scenarios to those wanted, or to all
choose() {
    local name
    scenarios=("${wanted[@]}")
    if [ ${#scenarios[@]} -eq 0 ]; then
        for name in "$EXPLORE/$1"/*.c; do
            scenarios+=("$(basename "$name" .c)")
        done
    fi
    for name in "${scenarios[@]}"; do
        [ -e "$EXPLORE/$1/$name.c" ] ||
            die "there is no scenario '$name'; there are: $(cd "$EXPLORE/$1" && printf '%s\n' *.c | sed 's/\.c$//' | paste -sd' ')"
    done
}

# ---- judging --------------------------------------------------------------------------

# usage: lookup LIST NAME: of "a x; b y" the word after NAME, nothing if it is not there
lookup() {
    awk -v RS=';' -v name="$2" '$1 == name { print $2; exit }' <<<"$1"
}

# usage: expected FILE STATE MEMORY: the verdict that a scenario's header expects
expected() {
    local word lacks
    word=$(lookup "$(header "$1" "Expect-$3")" "$2")
    # "Lacks: FILE | STRING": what a tree of before a fix does not have
    lacks=$(header "$1" Lacks)
    if [ -n "$lacks" ] && ! grep -qF -- "${lacks#* | }" "$src/${lacks%% | *}"; then
        word=$(lookup "$(header "$1" "Expect-lacking-$3")" "$2")
    fi
    printf '%s\n' "${word:-$(lookup "$(header "$1" Expect)" "$2")}"
}

# usage: missing FILE STATE REACHED: what the header says and the search did not see
missing() {
    local fact key
    [ "$2" != own ] || return 0
    for key in Reach "Reach-$2"; do
        while read -r fact; do
            [ -z "$fact" ] || grep -qxF -- "$fact" <<<"$3" || printf '%s\n' "$fact"
        done < <(header "$1" "$key" | sed 's/; */\n/g')
    done | paste -sd';'
}

# usage: run_one RESULT LIMIT MEMORY PROGRAM: leaves what it says in RESULT, and if it
# loses something, what following that schedule says in RESULT.replay
run_one() {
    "$4" --memory "$3" --limit "$2" --brief --save "$1.schedule" </dev/null >"$1" 2>&1 || :
    [ ! -e "$1.schedule" ] || "$4" --brief --replay "$1.schedule" </dev/null >"$1.replay" 2>&1 || :
}
export -f run_one

# usage: run_all: stdin: NAME MEMORY PROGRAM a line
run_all() {
    # shellcheck disable=SC2016
    xargs -P "$(jobs_wanted)" -L 1 bash -c 'run_one "$0/$2.$3.${4##*/}" "$1" "$3" "$4"' \
        "$results" "$limit"
}

# usage: row NAME KIND MEMORY FILE WANT: prints a row, counts what differs
row() {
    local name=$1 kind=$2 memory=$3 file=$4 want=$5 scenario result verdict why='' lacks
    local states steps shared ms mib reached claim
    scenario=$(basename "$file" .c)
    result=$results/$name.$memory.$scenario
    IFS=$'\t' read -r _ _ verdict states steps shared ms mib reached claim < <(tail -n 1 "$result" | sed 's/\t\t/\t-\t/g')
    rows=$((rows + 1))
    if [ -z "${mib:-}" ]; then
        verdict=failed
        why="  <== $(tail -n 1 "$result")"
    elif [ -z "$want" ]; then
        why="  (nothing is expected of the state '$kind')"
        unjudged=$((unjudged + 1))
    elif [ "$verdict" != "$want" ]; then
        why="  <== expected: $want${claim:+; $claim}"
    elif [ "$verdict" = lost ] && [[ $(tail -n 1 "$result.replay" 2>&1) != *$'\tlost' ]]; then
        why="  <== following its schedule does not lose: $(tail -n 1 "$result.replay" 2>&1)"
    elif [ "$verdict" = holds ] && lacks=$(missing "$file" "$kind" "${reached//; /$'\n'}") && [ -n "$lacks" ]; then
        why="  <== never seen: $lacks"
    fi
    [[ $why != *'<=='* ]] || wrong=$((wrong + 1))
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s%s\n' "$scenario" "$name" "$memory" \
        "$verdict" "${states:--}" "${steps:--}" "${shared:--}" "${ms:--}" "${mib:--}" "$why"
}

# usage: summary: the table's last line, and the exit status
summary() {
    [ "$unjudged" -eq 0 ] || say "$unjudged verdicts of states that the headers do not speak of"
    echo "$rows verdicts, $wrong not as expected, $((SECONDS - begin)) s"
    [ "$wrong" -eq 0 ] || exit "$FINDING"
}

head_of_table=$'scenario\tstate\tmemory\tverdict\tstates\tsteps\tshared\tms\tMiB'
rows=0 wrong=0 unjudged=0

judge() {
    local name memory scenario
    say "exploring ${#scenarios[@]} scenarios, states ${names[*]}, memory ${memories[*]} ..."
    begin=$SECONDS
    for scenario in "${scenarios[@]}"; do
        for name in "${names[@]}"; do
            for memory in "${memories[@]}"; do
                echo "$name $memory $out/$name/bin/$scenario"
            done
        done
    done | run_all
    table=$(mktemp "$BUILD/explore-table.XXXXXX")
    at_end "$table"
    {
        printf '%s\n' "$head_of_table"
        for scenario in "${scenarios[@]}"; do
            for name in "${names[@]}"; do
                for memory in "${memories[@]}"; do
                    row "$name" "${kind_of[$name]}" "$memory" "$EXPLORE/scenarios/$scenario.c" \
                        "$(expected "$EXPLORE/scenarios/$scenario.c" "${kind_of[$name]}" "$memory")"
                done
            done
        done
    } >"$table"
    columns "" <"$table"
    summary
}

# usage: memories_of FILE
memories_of() {
    local memory
    memory=$(header "$1" Memory)
    printf '%s\n' "${memory:-sc}"
}

judge_variants() {
    local name memory scenario want file=
    begin=$SECONDS
    say "exploring ${#names[@]} variants ..."
    for name in "${names[@]}"; do
        file=$EXPLORE/variants/$name.patch
        while read -r scenario want; do
            echo "$name $(memories_of "$file") $out/$name/bin/$scenario"
        done < <(header "$file" Expect | sed 's/; */\n/g')
    done | run_all
    table=$(mktemp "$BUILD/explore-table.XXXXXX")
    at_end "$table"
    {
        printf '%s\n' "$head_of_table"
        for name in "${names[@]}"; do
            file=$EXPLORE/variants/$name.patch
            while read -r scenario want; do
                row "$name" own "$(memories_of "$file")" "$EXPLORE/scenarios/$scenario.c" "$want"
            done < <(header "$file" Expect | sed 's/; */\n/g')
        done
    } >"$table"
    columns "" <"$table"
    summary
}

# The shapes say: "Expect: sc never; tso sometimes; ..."
judge_litmus() {
    local scenario memory want
    begin=$SECONDS
    for scenario in "${scenarios[@]}"; do
        for memory in "${memories[@]}"; do
            echo "litmus $memory $common/litmus/bin/$scenario"
        done
    done | run_all
    table=$(mktemp "$BUILD/explore-table.XXXXXX")
    at_end "$table"
    {
        printf '%s\n' "$head_of_table"
        for scenario in "${scenarios[@]}"; do
            for memory in "${memories[@]}"; do
                want=$(lookup "$(header "$EXPLORE/litmus/$scenario.c" Expect)" "$memory")
                case $want in never) want=holds ;; sometimes) want=lost ;; esac
                row litmus litmus "$memory" "$EXPLORE/litmus/$scenario.c" "$want"
            done
        done
    } >"$table"
    columns "" <"$table"
    summary
}

show() {
    local name memory scenario status worst=0 file
    for scenario in "${scenarios[@]}"; do
        for name in "${names[@]}"; do
            for memory in "${memories[@]}"; do
                status=0
                file=$out/$name/$scenario.$memory.schedule
                echo "$scenario, ${kind_of[$name]} ($name), $memory:"
                rm -f "$file"
                "$out/$name/bin/$scenario" --memory "$memory" --limit "$limit" --save "$file" || status=$?
                [ ! -e "$file" ] || echo "replay: $0 ${tree:+--tree $tree} ${suite:+--suite $suite} --variant $name --replay $file"
                [ "$status" -le "$worst" ] || worst=$status
            done
        done
    done
    exit "$worst"
}

need_commands "exploring" gcc=gcc ninja=ninja-build ld=binutils addr2line=binutils \
    patch=patch rsync=rsync pkg-config=pkg-config
take_build_folder
use_ccache
common=$BUILD/explore/common
results=$BUILD/explore/results
rm -rf "$results"
mkdir -p "$results" "$BUILD/log"

if [ "$mode" = litmus ]; then
    [ ${#memories[@]} -gt 0 ] || memories=(sc tso pso)
    choose litmus
    build_programs "$common"
    judge_litmus
    exit 0
fi
find_tree
out=$BUILD/explore/$(printf '%s' "$build" | cksum | cut -d' ' -f1)
mkdir -p "$out"
[ ${#memories[@]} -gt 0 ] || memories=(sc tso)
[ "$mode" != show ] || [ ${#wanted[@]} -gt 0 ] || die "--show wants the names of scenarios"
[ "$mode" != replay ] || wanted=("$(sed -n 's/^scenario //p' "$replay")")
[ "$mode" = variants ] || choose scenarios
if [ "$mode" = variants ]; then
    add_own_variants
elif [ ${#variants[@]} -gt 0 ]; then
    for variant in "${variants[@]}"; do
        add_variant "$variant"
    done
else
    add_all_variants
fi
build_programs "$out"
case $mode in
judge) judge ;;
variants) judge_variants ;;
show) show ;;
replay)
    [ ${#names[@]} -eq 1 ] || die "--replay needs one --variant"
    "$out/${names[0]}/bin/${scenarios[0]}" --replay "$replay" || exit $?
    ;;
esac
