#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The same on Windows: builds QEMU's tools and unit tests for it, and runs them
# under Wine, stock and patched.
#
# usage: windows.sh [--tree DIR | --suite NAME] [--variant NAME]... [OPTION...]
#
#   --tree DIR       a QEMU tree (a copy is built, DIR is only read)
#   --suite NAME     this Debian release's package; the default is the machine's
#                    own release
#   --variant NAME   stock, rule, awake, requests, patched or mutants/NAME;
#                    default: stock and patched
#   --only PROGRAM   only this program: of the tree's (test-aio), of those under
#                    qtest/unit (win32-sockets), or qemu-system-x86_64; may be
#                    given more than once
#   --runs N         run each program of ours so often (default 1)
#   --rounds N       of the guest (default 200); a lost one takes 5 s
#   --mutants        instead: each bug of patches/mutants whose header says "Host:
#                    win32"; the cases that it names under "Cases:" must lose
#
# Installs the cross compiler and Wine (as root), builds glib and what else QEMU
# needs from Debian's sources, then QEMU and the cases, and prints a table: what
# each case did, and what it must do.  The tree's own tests must pass; ours must
# lose where the tree must, and keep where it must, see qtest/unit/judge.sh; the
# guest must boot and come to its end, and lose no round with the whole series.
#
# Exit status: 0 all as expected, 1 not, 2 wrong use, 77 not possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/series.sh"

which=()
variants=()
only=()
runs=1
rounds=200
mutants=no
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree | --suite) which=("$1" "$(value_of "$@")"); shift ;;
    --variant) variants+=("$(value_of "$@")"); shift ;;
    --only) only+=("$(value_of "$@")"); shift ;;
    --runs) runs=$(value_of "$@"); shift ;;
    --rounds) rounds=$(value_of "$@"); shift ;;
    --mutants) mutants=yes ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
[[ $runs =~ ^[1-9][0-9]{0,3}$ ]] || die "--runs is a number from 1 to 9999, not '$runs'"
[[ $rounds =~ ^[1-9][0-9]{0,6}$ ]] || die "--rounds is a number from 1 to 9999999, not '$rounds'"
if [ "$mutants" = yes ]; then
    [ ${#variants[@]} -eq 0 ] || die "--mutants are variants of their own"
elif [ ${#variants[@]} -eq 0 ]; then
    variants=(stock patched)
fi
[[ ${which[*]} != --tree* ]] || must_be_qemu "${which[1]}"
for variant in "${variants[@]}"; do
    "$SCRIPTS/qemu.sh" "${which[@]}" --variant "$variant" --print >/dev/null
done
begin=$SECONDS
take_build_folder
guarded "$SCRIPTS/packages.sh" windows

libs=$BUILD/windows/libs
log=$BUILD/log/windows
unit=$ROOT/qtest/unit
guarded "$SCRIPTS/windows-libs.sh" "$libs"
use_ccache
PATH=$PATH:/usr/lib/wine # where Debian has it, if package wine is not there
cc=$libs/bin/x86_64-w64-mingw32-gcc

# usage: wanted PROGRAM
wanted() { [ ${#only[@]} -eq 0 ] || [[ " ${only[*]} " == *" $1 "* ]]; }

# ---- Wine, with a home of its own --------------------------------------------

export WINEPREFIX=$BUILD/windows/wine WINEDEBUG=-all
export WINEDLLOVERRIDES='mscoree,mshtml=;winemenubuilder.exe=d'
export WINEPATH="Z:${libs//\//\\}\\dll"
unset DISPLAY WAYLAND_DISPLAY

# usage: wine SECONDS PROGRAM...
wine() {
    local seconds=$1
    shift
    HOME=$BUILD/windows/home timeout -k 5 "$seconds" wine64 "$@"
}

start_wine() {
    mkdir -p "$WINEPREFIX" "$BUILD/windows/home" || return
    [ -e "$WINEPREFIX/ready" ] || {
        wine 120 wineboot -i && touch "$WINEPREFIX/ready" || return
    }
    wine 60 cmd /c ver
}

# Only the server of this prefix.
stop_wine() {
    wineserver -k || :
    timeout 20 wineserver -w || :
}

on_failure stop_wine
step "starting Wine" "$log-wine.log" start_wine ||
    cannot "Wine does not start here; the whole log is $log-wine.log"

# ---- what is built -----------------------------------------------------------

# usage: programs WORDS: those under qtest/unit that say what must happen on Windows,
# of all cases or of one of these
programs() {
    local some=${1:+( |.* )(${1// /|})( .*)?}
    grep -lE "^ \\* Kept (always|since [a-z]+)( \\(win32\\))?:${some:- }" "$unit"/*.c |
        xargs -n 1 basename -s .c
}

own=(test-aio test-thread-pool test-aio-multithread)

# usage: says_of PATCH KEY
says_of() { sed -n "/^---\$/q; s/^$2: //p" "$1"; }

# usage: qemu VARIANT WORD...
qemu() {
    local variant=$1
    shift
    guarded "$SCRIPTS/qemu.sh" "${which[@]}" --windows "$libs" --variant "$variant" "$@"
}

# usage: build_case NAME: our program, linked like the tree's own test-aio
build_case() {
    local dir=$work/build/aio-wakeup
    mkdir -p "$dir" || return
    "$cc" @"$work/compile.args" -std=gnu11 -c "$unit/$1.c" -o "$dir/$1.o" &&
        "$cc" "$dir/$1.o" "$dir/park.o" "$dir/park-win32.o" @"$work/link.args" -o "$dir/$1.exe"
}

# What all cases share, and how they are built with this tree.
build_common() {
    local what
    for what in compile link; do
        PATH=$libs/bin:$PATH "$unit/tree-flags.sh" "$what" "$work/src" "$work/build" \
            >"$work/$what.args" || return
    done
    mkdir -p "$work/build/aio-wakeup" || return
    for what in park park-win32; do
        "$cc" @"$work/compile.args" -std=gnu11 -c "$unit/$what.c" -o "$work/build/aio-wakeup/$what.o" || return
    done
}

# usage: build_cases NAME...: our programs, linked with what the variant is made of
build_cases() {
    local key work name added=()
    key=$(cat "$dir/key" "$unit"/*.c "$unit"/*.h "$unit/tree-flags.sh" - <<<"$*" | sha256sum)
    [ "$(cat "$dir/cases/key" 2>/dev/null || :)" != "$key" ] || return 0
    work=$(qemu "$variant" --work tests/unit/test-aio.exe) || return
    rm -rf "$dir/cases" && mkdir -p "$dir/cases/tree" || return
    "$unit/tree-state.sh" "$work/src" >"$dir/cases/state"
    # what the series adds to the tree's own
    for name in "$work"/src/tests{/unit,}/test-aio-*.c; do
        if [ ! -e "$name" ] || [ -e "${work%/*}/src/${name#"$work/src/"}" ]; then continue; fi
        added+=("$(basename "$name" .c).exe")
    done
    if [ ${#added[@]} -gt 0 ]; then
        qemu "$variant" --work "${added[@]/#/tests/unit/}" >/dev/null || return
        for name in "${added[@]}"; do
            cp "$work"/build/tests{/unit,}/"$name" "$dir/cases/tree/" 2>/dev/null || :
        done
    fi
    step "building what our cases share" "$log-common.log" build_common ||
        cannot "it does not build for Windows; the whole log is $log-common.log"
    say "building our cases: $*"
    for name; do
        build_case "$name" >"$log-$name.log" 2>&1 ||
            cannot "$name does not build for Windows; the whole log is $log-$name.log"
        cp "$work/build/aio-wakeup/$name.exe" "$dir/cases/"
    done
    printf '%s\n' "$key" >"$dir/cases/key"
}

# usage: build_variant: sets $dir to what was built
build_variant() {
    local name targets=()
    dir=$("$SCRIPTS/qemu.sh" "${which[@]}" --windows "$libs" --variant "$variant" --print)
    for name in "${own[@]}"; do
        ! wanted "$name" || targets+=("tests/unit/$name.exe")
    done
    [ ${#targets[@]} -gt 0 ] || targets=(tests/unit/test-aio.exe)
    qemu "$variant" "${targets[@]}" >/dev/null || return
    ! wanted qemu-system-x86_64 || ! has_guest || qemu "$variant" qemu-system-x86_64.exe >/dev/null
}

# Can the system emulator be built?  See options() in qemu.sh.
has_guest() {
    [ -e "$libs/lib/libfdt.a" ] && [ -e "${dir%/*}/src/scripts/meson-buildoptions.sh" ]
}

# ---- what is run -------------------------------------------------------------

table=$BUILD/windows/table
# usage: row PROGRAM CASE GOT WANTED MS: prints a row, with a mark if it is not as it must be
row() {
    local note=
    [ "$3" = "$4" ] || note='!'
    printf '%s\t%s\t%s\t%s\t%s\t%s%s\n' "$variant" "$1" "$2" "$3" "$4" "$5" "$note"
}

# usage: run_all TASK...: functions, each with words; as many at a time as there are
# processors: what is lost is waited for most of the time.  The rows that they print
# come in this order.
run_all() {
    local i words rows=$BUILD/windows/rows running=0
    rm -rf "$rows" && mkdir -p "$rows" || return
    for ((i = 1; i <= $#; i++)); do
        [ "$running" -lt "$(jobs_wanted)" ] || { wait -n || :; running=$((running - 1)); }
        # shellcheck disable=SC2086
        ${!i} >"$rows/$i" & # a process of its own
        running=$((running + 1))
    done
    wait
    for ((i = 1; i <= $#; i++)); do
        read -ra words <<<"${!i}"
        [ -s "$rows/$i" ] || row "${words[0]}" "${words[1]:-}" nothing rows 0 >"$rows/$i"
        cat "$rows/$i" >>"$table"
    done
}

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# usage: run_own FOLDER NAME: a test of the tree: all cases pass, and there are some,
# unless it says itself that Windows has none
run_own() {
    local name=$2 out=$log-$variant_word-$2.tap start status=0 passed got
    start=$(now_ms)
    wine 120 "$dir/$1/$name.exe" --tap -k >"$out" 2>&1 || status=$?
    passed=$(grep -c '^ok ' "$out" || :)
    got=pass
    if [ "$status" -ne 0 ] || grep -q '^not ok' "$out" ||
        { [ "$passed" -eq 0 ] && ! grep -q '^1[.][.]0' "$out"; }; then
        got="status $status"
    fi
    row "$name" "$passed passed" "$got" pass $(($(now_ms) - start))
}

# usage: run_cases NAME [LOST...]: every run of a case is to be as expected; a row
# for all; of a mutant only those that must lose
run_cases() {
    local name=$1 lost="${*:2}" out=$log-$variant_word-$1.table i case got want ms
    : >"$out"
    for ((i = 0; i < runs; i++)); do
        "$unit/judge.sh" --win32 --expect "$(cat "$dir/cases/state")" --table "$unit/$name.c" \
            env HOME="$BUILD/windows/home" timeout -k 5 120 wine64 "$dir/cases/$name.exe" >>"$out" || :
    done
    while IFS=$'\t' read -r case got want ms; do
        if [ -n "$lost" ]; then
            [[ " $lost " == *" $case "* ]] || continue
            want=lost
        fi
        row "$name" "$case" "$got" "$want" "$ms"
    done < <(awk -F'\t' -v runs="$runs" '
        { if (!($1 in want)) order[++n] = $1; want[$1] = $3; count[$1, $2]++; ms[$1] += $4
          if (!index(" " all[$1] " ", " " $2 " ")) all[$1] = all[$1] " " $2 }
        END { for (i = 1; i <= n; i++) {
            c = order[i]; got = ""; m = split(all[c], g, " ")
            if (m == 1) got = g[1]
            else for (j = 1; j <= m; j++) got = got (j > 1 ? ", " : "") g[j] " " count[c, g[j]] "x"
            printf "%s\t%s\t%s\t%d\n", c, got, want[c], ms[c] / runs } }' "$out")
}

le32() { local i; for ((i = 0; i < 32; i += 8)); do printf '%b' "\\x$(printf %x $(($1 >> i & 255)))"; done; }

# usage: boot_guest FOLDER
boot_guest() {
    cd "$1" && wine $((120 + rounds / 20)) "$dir/qemu-system-x86_64.exe" -machine pc,accel=tcg -m 16 \
        -nodefaults -no-user-config -vga none -display none -serial none -parallel none -monitor none \
        -drive if=pflash,unit=0,format=raw,readonly=on,file=firmware \
        -drive if=pflash,unit=1,format=raw,file=flash \
        -drive if=none,id=disk,format=raw,file=disk,cache=writeback,aio=threads \
        -device virtio-blk-pci,drive=disk,ioeventfd=off \
        -chardev file,id=report,path=report -device isa-debugcon,iobase=0xe9,chardev=report \
        -chardev file,id=marks,path=marks -device isa-debugcon,iobase=0xea,chardev=marks \
        -device isa-debug-exit,iobase=0xf4,iosize=4
}

run_guest() {
    local there=$BUILD/windows/guest start status=0 end got=-
    rm -rf "$there"
    mkdir -p "$there"
    { printf AIOWAKE1; le32 "$rounds"; le32 5000; le32 2000; le32 0
      tail -c +25 "$BUILD/module/guest/free-run.bin"; } >"$there/firmware"
    truncate -s 64K "$there/flash"
    truncate -s 1M "$there/disk"
    start=$(now_ms)
    boot_guest "$there" >"$log-$variant_word-guest.log" 2>&1 || status=$?
    end=$(tr -d '\r' <"$there/report" | sed -n 's/^end rounds \([0-9]*\) lost \([0-9]*\) .*/\1 rounds, \2 lost/p')
    # the guest's exit, value 0, is status 1
    [ "$status" -ne 1 ] || [ -z "$end" ] || got=boots
    [ "$got:$variant" != boots:patched ] || [[ $end == *' 0 lost' ]] || got=loses
    row qemu-system-x86_64 "${end:-status $status}" "$got" boots $(($(now_ms) - start))
    [ "$got" = boots ] || tail -n 5 "$there/report" "$log-$variant_word-guest.log" >&2 || :
}

# usage: try_variant: all there is
try_variant() {
    local folder name file cases tasks=()
    mapfile -t cases < <(programs)
    build_variant && build_cases "${cases[@]}" || return
    say "running the programs of $variant under Wine ..."
    for name in "${own[@]}"; do
        for folder in tests/unit tests; do
            [ ! -e "$dir/$folder/$name.exe" ] || ! wanted "$name" || tasks+=("run_own $folder $name")
        done
    done
    for file in "$dir"/cases/tree/*.exe; do
        name=$(basename "$file" .exe)
        [ ! -e "$file" ] || ! wanted "$name" || tasks+=("run_own cases/tree $name")
    done
    for name in "${cases[@]}"; do
        ! wanted "$name" || tasks+=("run_cases $name")
    done
    if wanted qemu-system-x86_64; then
        if has_guest; then
            tasks+=(run_guest)
        else
            say "    skipped: the guest: this tree, or pixman or libfdt, cannot be had for Windows"
        fi
    fi
    guarded run_all "${tasks[@]}"
}

# usage: try_mutant PATCH: what must detect it
try_mutant() {
    local lost cases
    lost=$(says_of "$1" Cases)
    mapfile -t cases < <(programs "$lost")
    [ -n "$lost" ] || die "$1 does not say what must detect it"
    [ ${#cases[@]} -gt 0 ] || die "there is no case $lost, which must detect $1"
    build_variant && build_cases "${cases[@]}" || return
    cases=("${cases[@]/#/run_cases }")
    guarded run_all "${cases[@]/%/ $lost}"
}

mkdir -p "$BUILD/windows"
printf 'variant\tprogram\tcase\tgot\tmust be\tms\n' >"$table"
if [ "$mutants" = yes ]; then
    only=(none)
    if [ "${which[0]:-}" = --tree ]; then
        tree=${which[1]}
    else
        tree=$(dirname "$("$SCRIPTS/qemu.sh" "${which[@]}" --print)")/src
        guarded "$SCRIPTS/source.sh" "${which[@]}" "$tree"
    fi
    mapfile -t patches < <(grep -lx 'Host: win32' "$PATCHES"/mutants/*.patch)
    [ ${#patches[@]} -gt 0 ] || cannot "there is no bug of Windows' own for this generation"
    # those with the same base one after the other: less is compiled again
    mapfile -t patches < <(for patch in "${patches[@]}"; do
        printf '%s\t%s\n' "$(says_of "$patch" Base)" "$patch"
    done | sort | cut -f2)
    for patch in "${patches[@]}"; do
        variant=mutants/$(basename "$patch" .patch)
        variant_word=${variant//\//-}
        try_mutant "$patch" || exit
    done
fi
! wanted qemu-system-x86_64 || [ ! -e "$libs/lib/libfdt.a" ] || guarded "$SCRIPTS/module.sh"
for variant in "${variants[@]}"; do
    variant_word=${variant//\//-}
    start=$SECONDS
    try_variant || exit
    say "    $variant in $((SECONDS - start)) s"
done

columns "" <"$table"
say "all in $((SECONDS - begin)) s"
[ "$(wc -l <"$table")" -gt 1 ] || die "nothing was run"
! grep -q '!$' "$table" || exit "$FINDING"
