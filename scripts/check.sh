#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs every test there is.  The last line is "N passed, N failed, N skipped".
#
# usage: check.sh [--only SUITE]... [--tree DIR]...
#
#   --only SUITE   one of: shell scripts module series unit mutants qtest iotest verdict install ring
#                  diagnose shim explore boot models
#                  without --only all of these; besides: windows (ten minutes)
#   --tree DIR     in the suite series: this QEMU tree, too, for a generation that
#                  no source package has (2.3 to 2.4-rc1)
#
# Exit status: 0 nothing failed, 1 something did, 2 packages are missing.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/series.sh"

suites=()
trees=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --only) suites+=("$(value_of "$@")"); shift ;;
    --tree)
        must_be_qemu "$(value_of "$@")"
        trees+=("$(cd "$2" && pwd -P)")
        shift
        ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
[ ${#suites[@]} -gt 0 ] || suites=(shell scripts module series unit mutants qtest iotest verdict install ring diagnose shim explore boot models)

take_build_folder
guarded "$SCRIPTS/packages.sh" check
log=$BUILD/log/check
mkdir -p "$log"

passed=0 failed=0 skipped=0

# usage: result ok|not|skip NAME [WHY]
result() {
    case $1 in
    ok) passed=$((passed + 1)) ;;
    not) failed=$((failed + 1)); say "    FAILED: $2${3:+: $3}" ;;
    skip) skipped=$((skipped + 1)); say "    skipped: $2${3:+: $3}" ;;
    esac
}

# usage: tap NAME LOG COMMAND...: counts the cases of a program that speaks TAP
tap() {
    local name=$1 out=$2 status=0 line cases=0 begin=$SECONDS
    shift 2
    say "$name ..."
    guarded "$@" >"$out" 2>&1 || status=$?
    while read -r line; do
        case $line in
        'ok '*'# '[Ss][Kk][Ii][Pp]*) result skip "${line#ok }" ;;
        'ok '*) result ok "$line" ;;
        'not ok '*) result not "${line#not ok }" "see $out" ;;
        *) continue ;;
        esac
        cases=$((cases + 1))
    done < <(grep -E '^(not )?ok ' "$out" || :)
    if [ "$cases" -eq 0 ] || { [ "$status" -ne 0 ] && ! grep -q '^not ok ' "$out"; }; then
        result not "$name" "ended with status $status after $cases cases, see $out"
    fi
    say "    $cases cases in $((SECONDS - begin)) s"
}

# usage: expect STATUS NAME LOG COMMAND...: one case: the exit status is STATUS
expect() {
    local want=$1 name=$2 out=$3 status=0 begin=$SECONDS
    shift 3
    say "$name ..."
    guarded "$@" >"$out" 2>&1 || status=$?
    if [ "$status" -eq "$want" ]; then
        result ok "$name"
    elif [ "$status" -eq "$NOT_POSSIBLE" ]; then
        result skip "$name" "$(tail -n 1 "$out")"
    else
        result not "$name" "exit status $status instead of $want, see $out"
    fi
    say "    done in $((SECONDS - begin)) s"
}

# usage: build VARIANT TARGET...: sets $built to its build folder, or counts a skip
build() {
    local variant=$1
    shift
    built=$("$SCRIPTS/qemu.sh" --variant "$variant" --print)
    guarded "$SCRIPTS/qemu.sh" --variant "$variant" "$@" >/dev/null && return 0
    result skip "everything on the $variant QEMU" "it could not be built"
    return 1
}

suite_shell() {
    local file files
    mapfile -t files < <(cd "$ROOT" && find build.sh .ci scripts qtest docs -type f \
        -exec awk '/^#!\/bin\/(ba)?sh/ || /^# shellcheck shell=/ { print FILENAME }
                   FNR > 3 { nextfile }' {} + | sort -u)
    for file in "${files[@]}"; do
        if (cd "$ROOT" && shellcheck "$file") >"$log/shellcheck" 2>&1; then
            result ok "shellcheck $file"
        else
            result not "shellcheck $file" "$(head -n 3 "$log/shellcheck" | tail -n 2 | paste -sd' ')"
        fi
    done
    say "shellcheck: ${#files[@]} scripts"
}

suite_scripts() {
    guarded "$SCRIPTS/source.sh" "$BUILD/qemu/$(. /etc/os-release && echo "$VERSION_CODENAME")/src" || :
    guarded "$SCRIPTS/module.sh" || :
    # The tests run the scripts as a user would, in folders of their own.
    tap "the scripts, bad input" "$log/scripts.tap" \
        env -u AIO_WAKEUP_HOLDS AIO_WAKEUP_CHECK_BUILD="$BUILD" bats --tap "$SCRIPTS/tests"
}

# another architecture, if the machine has what it takes
has_aarch64() {
    command -v qemu-system-aarch64 >/dev/null && command -v aarch64-linux-gnu-gcc >/dev/null &&
        guarded "$SCRIPTS/module.sh" --aarch64
}

suite_module() {
    local logs=$BUILD/module/meson-logs before line name verdict
    if ! guarded "$SCRIPTS/module.sh"; then
        result not "the test module" "it could not be built"
        return
    fi
    has_aarch64 || :
    say "the test module's own tests ..."
    rm -f "$logs"/testlog.*
    guarded meson test -C "$BUILD/module" --no-rebuild >"$log/module.log" 2>&1 || :
    before=$failed
    while read -r line; do
        name=${line#*name=\"}
        case $line in
        *'<failure'* | *'<error'*) result not "${name%%\"*}" "see $log/module.log" ;;
        *'<skipped'*) result skip "${name%%\"*}" ;;
        *) result ok "${name%%\"*}" ;;
        esac
    done < <(tr '\n' ' ' <"$logs/testlog.junit.xml" | sed 's/<testcase /\n&/g' | grep '^<testcase' || :)
    # A program that crashed or took too long may have no failed case of its own.
    while IFS=$'\t' read -r name verdict; do
        [[ $verdict == @(OK|EXPECTEDFAIL|SKIP) || $failed -gt $before ]] ||
            result not "$name" "$verdict, see $log/module.log"
    done < <(jq -r '[.name, .result] | @tsv' "$logs/testlog.json" 2>/dev/null)
    [ -s "$logs/testlog.json" ] || result not "the test module's own tests" "none ran, see $log/module.log"
}

# usage: checkpatch_of TREE: its checkpatch.pl, or a copy that this Perl takes: a
# brace that stands for itself must be escaped since 5.26
checkpatch_of() {
    local script=$1/scripts/checkpatch.pl
    if ! perl -c "$script" >/dev/null 2>&1; then
        sed 's/\\s{/\\s\\{/g' "$script" >"$log/checkpatch.pl"
        script=$log/checkpatch.pl
    fi
    printf '%s\n' "$script"
}

# usage: series_on NAME TREE: its series fits, and is clean under the tree's own
# checkpatch.pl
series_on() {
    local generation script patch
    expect 0 "the series fits $1" "$log/series-${1##*[ /]}" \
        "$SCRIPTS/apply.sh" --tree "$2" --with patch --dry-run
    generation=$(find_generation "$2") || return 0
    script=$(checkpatch_of "$2")
    while read -r patch; do
        if (cd "$2" && perl "$script" -q --no-signoff "$patch") >"$log/checkpatch" 2>&1; then
            result ok "checkpatch $patch"
        else
            result not "checkpatch $patch" "$(grep -m 1 -E '^(ERROR|WARNING)' "$log/checkpatch")"
        fi
    done < <(series_patches "$generation"; with_tests_of "$2")
}

# usage: with_tests_of TREE: the patches that put our cases into it, one a line
with_tests_of() {
    local made=$BUILD/with-tests
    [ -f "$1/tests/qtest/meson.build" ] || return 0
    rm -rf "$made"
    "$SCRIPTS/with-tests.sh" --tree "$1" "$made" && printf '%s\n' "$made"/*.patch
}

# Every series that can be checked: on the present source package of its release
# (the one in the cache, if the archive is out of reach), and on the trees that were
# given.
suite_series() {
    local release source tree
    for release in bullseye bookworm trixie; do
        source=$BUILD/qemu/$release/src
        if ! guarded "$SCRIPTS/source.sh" --suite "$release" --update "$source"; then
            result skip "the series on $release's source" "it is out of reach"
            continue
        fi
        series_on "the source package of $release" "$source"
    done
    for tree in ${trees[@]+"${trees[@]}"}; do
        series_on "$tree" "$tree"
        tap "the series on and off $tree" "$log/series-${tree##*/}.tap" \
            env AIO_WAKEUP_TREE="$tree" bats --tap "$SCRIPTS/tree-tests"
    done
}

# usage: unit_on SUITE VARIANT: our own cases, judged by what that tree must show
unit_on() {
    local name="unit cases, $2 QEMU of $1" status=0
    guarded "$SCRIPTS/unit.sh" --suite "$1" --variant "$2" --print >"$log/unit-programs" 2>"$log/unit-build" || status=$?
    if [ "$status" -ne 0 ]; then
        cat "$log/unit-build" >&2
        result skip "$name" "$(tail -n 1 "$log/unit-build")"
        return
    fi
    tap "$name" "$log/unit-$1-$2.tap" "$SCRIPTS/unit.sh" --suite "$1" --variant "$2"
}

# The test that the series adds fails where the series is not.
own_test_on_stock() {
    local work program case
    if ! work=$(guarded "$SCRIPTS/qemu.sh" --variant patched --work tests/unit/test-aio-wakeup) ||
        ! cp "$work/src/tests/unit/test-aio-wakeup.c" "$log/" ||
        ! program=$(guarded "$SCRIPTS/qemu.sh" --program "$log/test-aio-wakeup.c" tests/unit/test-aio); then
        result skip "test-aio-wakeup on stock" "it could not be built"
        return
    fi
    for case in bh timer request; do
        expect 134 "test-aio-wakeup on stock: $case aborts" "$log/own-test-$case" \
            "$program/test-aio-wakeup" -p "/aio-wakeup/$case"
    done
}

# The tree's own unit tests find none of the bug, so they must pass alike.  Ours
# lose where the tree does; those that the series adds are the same ones.
suite_unit() {
    local own release variant test tests
    own=$(. /etc/os-release && echo "$VERSION_CODENAME")
    own_test_on_stock
    for variant in patched stock; do
        tests=(test-aio test-aio-multithread test-thread-pool)
        [ "$variant" = stock ] || tests+=(test-aio-wakeup)
        build "$variant" qemu-system-x86_64 "${tests[@]/#/tests/unit/}" || continue
        for test in "${tests[@]}"; do
            tap "$variant $test" "$log/$variant-$test.tap" "$built/tests/unit/$test" --tap -k
        done
        unit_on "$own" "$variant"
    done
    tap "a new case, from the template" "$log/template.tap" env \
        AIO_WAKEUP_TREE="$(dirname "$built")/work" bats --tap "$ROOT/qtest/unit/template.bats"
    for release in bullseye trixie; do
        for variant in stock patched; do
            unit_on "$release" "$variant"
        done
    done
}

# Do the cases notice?  A few of the mutants; all of them take ten minutes.  And the
# judge is judged: a fix that is wrong must be AFFECTED.
suite_mutants() {
    expect 0 "mutants, quick subset" "$log/mutants" "$SCRIPTS/mutants.sh" --quick
    ! build mutants/check-only || expect 1 "verdict on the wrong fix check-only: AFFECTED" \
        "$log/verdict-check-only" "$SCRIPTS/verdict.sh" "$built/qemu-system-x86_64"
}

# Cases with a guest: each judged by what the tree must show.
suite_qtest() {
    local variant folder
    for variant in patched stock; do
        build "$variant" qemu-system-x86_64 qemu-img || continue
        tap "$variant qtest" "$log/$variant-qtest.tap" "$SCRIPTS/qtest.sh" --variant "$variant"
        tap "$variant tools" "$log/$variant-tools.tap" "$SCRIPTS/tools.sh" --variant "$variant"
    done
    if has_aarch64; then
        tap "aarch64 qtest on the installed QEMU" "$log/aarch64-qtest.tap" "$SCRIPTS/qtest.sh" \
            --binary "$(command -v qemu-system-aarch64)" --expect lost
        if folder=$(guarded "$SCRIPTS/qemu.sh" --variant patched qemu-system-aarch64); then
            tap "patched qtest on aarch64" "$log/aarch64-patched-qtest.tap" "$SCRIPTS/qtest.sh" \
                --arch aarch64 --variant patched
            uefi_program "$folder/qemu-system-aarch64"
        else
            result skip "patched qtest on aarch64" "it could not be built"
        fi
    else
        result skip "qtest on aarch64" "it needs qemu-system-arm, gcc-aarch64-linux-gnu and the source of libfdt"
    fi
}

# What a soak boots; that it can hang at all, only a soak of many shows.
# usage: uefi_program BINARY
uefi_program() {
    local name="UEFI program on aarch64, patched" status=0
    guarded "$SCRIPTS/libguestfs.sh" --mode aarch64-firmware --limit 300 "$1" >"$log/uefi.log" 2>&1 || status=$?
    case $status in
    0) result ok "$name" ;;
    77) result skip "$name" "$(tail -n 1 "$log/uefi.log")" ;;
    *) result not "$name" "see $log/uefi.log" ;;
    esac
}

suite_iotest() {
    local variant
    for variant in patched stock; do
        build "$variant" qemu-system-x86_64 qemu-img qemu-io || continue
        tap "$variant iotest" "$log/$variant-iotest.tap" "$SCRIPTS/iotest.sh" --variant "$variant"
    done
}

suite_verdict() {
    local installed aio
    installed=$(command -v qemu-system-x86_64)
    expect 1 "verdict on the installed QEMU: AFFECTED" "$log/verdict-installed" \
        "$SCRIPTS/verdict.sh" "$installed"
    ! build stock || expect 1 "verdict on the stock build: AFFECTED" "$log/verdict-stock" \
        "$SCRIPTS/verdict.sh" "$built/qemu-system-x86_64"
    ! build patched || expect 0 "verdict on the patched build: NOT AFFECTED" "$log/verdict-patched" \
        "$SCRIPTS/verdict.sh" "$built/qemu-system-x86_64"
    for aio in native io_uring; do
        ! build stock || expect 1 "verdict with aio=$aio on the stock build: AFFECTED" "$log/verdict-stock-$aio" \
            "$SCRIPTS/verdict.sh" --aio "$aio" "$built/qemu-system-x86_64"
        ! build patched || expect 0 "verdict with aio=$aio on the patched build: NOT AFFECTED" \
            "$log/verdict-patched-$aio" "$SCRIPTS/verdict.sh" --aio "$aio" "$built/qemu-system-x86_64"
    done
}

# What somebody is about to install: the release of today, and one whose C library
# is older than this machine's.
suite_install() {
    local release
    for release in sid bullseye; do
        expect 1 "verdict on the QEMU of $release: AFFECTED" "$log/verdict-$release" \
            "$SCRIPTS/verdict.sh" --seconds 30 --suite "$release"
    done
}

# 10.2.2, whose main loop sleeps on the ring, from the source beside sid's newest
suite_ring() {
    local version=sid=10.2.2 variant folder name want=1
    for variant in stock patched; do
        name="$variant 10.2.2, with the ring"
        if ! folder=$(guarded "$SCRIPTS/qemu.sh" --suite $version --variant "$variant" 2>"$log/ring-$variant-build"); then
            result skip "$name" "$(tail -n 1 "$log/ring-$variant-build")"
            continue
        fi
        unit_on $version "$variant"
        expect "$want" "verdict on $name ends with status $want" "$log/ring-$variant-verdict" \
            "$SCRIPTS/verdict.sh" --seconds 30 "$folder/qemu-system-x86_64"
        want=0
    done
}

# usage: with_debug_info FILE: the stock build linked again, its event loop (one
# source) with debug information: all that diagnose asks for, in seconds
with_debug_info() {
    local work compile link object=libqemuutil.a.p/util_async.c.o
    work=$("$SCRIPTS/qemu.sh" --work qemu-system-x86_64) && use_ccache && cd "$work/build" || return
    compile=$(ninja -t commands -s "$object" | sed "s, -M[QF] [^ ]*,,g; s, -o [^ ]*, -g -o async-g.o,")
    link=$(ninja -t commands -s qemu-system-x86_64 | sed "s, -o qemu-system-x86_64 , -o '$1' async-g.o ,")
    [[ $compile == *async-g.o* && $link == *async-g.o* ]] || return
    eval "$compile" && eval "$link"
}

# On QEMUs that hang, for this reason or another, and on some that do not.
suite_diagnose() {
    local patched='' debug=$BUILD/qemu-debug-info
    if ! guarded "$SCRIPTS/module.sh"; then
        result not "the test module" "it could not be built"
        return
    fi
    ! build patched || patched=$built/qemu-system-x86_64
    step "linking a QEMU with debug information" "$log/debug-info.log" with_debug_info "$debug" || debug=
    tap "diagnose and watch" "$log/diagnose.tap" env -u AIO_WAKEUP_HOLDS \
        AIO_WAKEUP_CHECK_BUILD="$BUILD" DIAGNOSE_PATCHED="$patched" DIAGNOSE_DEBUG_INFO="$debug" \
        bats --jobs 4 --tap "$ROOT/qtest/diagnose"
}

# The shim on the distribution's own QEMU; a wrong one on the same is noticed.
suite_shim() {
    local own shim=$BUILD/module/shim
    own=$(command -v qemu-system-x86_64)
    if ! guarded "$SCRIPTS/module.sh"; then
        result not "the test module" "it could not be built"
        return
    fi
    tap "the shim and wrong ones, without QEMU" "$log/shim.tap" \
        "$ROOT/qtest/shim/test-shim.sh" "$shim/test-shim" "$shim/libaio-wakeup-shim.so" "$shim"
    expect 1 "verdict on the installed QEMU: AFFECTED" "$log/shim-verdict-without" \
        "$SCRIPTS/verdict.sh" "$own"
    expect 0 "verdict on the installed QEMU with the shim: NOT AFFECTED" "$log/shim-verdict" \
        "$SCRIPTS/verdict.sh" --seconds 40 --shim "$own"
    expect 1 "verdict on it with a shim for sleepers only: AFFECTED" "$log/shim-verdict-only-in-poll" \
        "$SCRIPTS/verdict.sh" --seconds 40 --preload "$shim/mutant-only-in-poll.so" "$own"
    tap "SIGTERM during a flush, stock" "$log/shim-request-stock.tap" \
        "$shim/test-request" "$own" 20 lost
    tap "SIGTERM during a flush, with a shim that forgets it" "$log/shim-request-wrong.tap" \
        env LD_PRELOAD="$shim/mutant-not-nested.so" "$shim/test-request" "$own" 20 lost
    tap "SIGTERM during a flush, with the shim" "$log/shim-request.tap" \
        env LD_PRELOAD="$shim/libaio-wakeup-shim.so" "$shim/test-request" "$own" 10 kept
    tap "the shim where users put it" "$log/shim.bats.tap" \
        env -u AIO_WAKEUP_HOLDS AIO_WAKEUP_CHECK_BUILD="$BUILD" bats --tap "$ROOT/qtest/shim"
}

# A boot of UEFI and Debian's kernel under a schedule, on a QEMU of each kind.
suite_boot() {
    local variant want=1
    for variant in stock patched; do
        ! build "$variant" || expect "$want" "a forced UEFI boot on the $variant build ends with status $want" \
            "$log/boot-$variant" "$SCRIPTS/libguestfs.sh" --mode forced-uefi "$built/qemu-system-x86_64"
        want=0
    done
}

# The cases under Wine, stock and patched, and the bugs that only Windows has.
suite_windows() {
    expect 0 "stock and patched under Wine" "$log/windows" "$SCRIPTS/windows.sh"
    expect 0 "the bugs of Windows are detected" "$log/windows-mutants" "$SCRIPTS/windows.sh" --mutants
}

# usage: verdicts NAME LOG COMMAND...: a program that ends with "N verdicts, M not as
# expected"; each is a case
verdicts() {
    local name=$1 out=$2 status=0 rows wrong i
    shift 2
    say "$name ..."
    guarded "$@" >"$out" 2>&1 || status=$?
    if [ "$status" -eq "$NOT_POSSIBLE" ]; then
        result skip "$name" "$(tail -n 1 "$out")"
        return
    fi
    read -r rows wrong < <(sed -n 's/^\([0-9]*\) verdicts, \([0-9]*\) not as expected.*/\1 \2/p' "$out") || :
    if [ -z "${rows:-}" ]; then
        result not "$name" "exit status $status, see $out"
        return
    fi
    for ((i = 0; i < wrong; i++)); do
        result not "a verdict of $name" "see $out"
    done
    passed=$((passed + rows - wrong))
    say "    $(tail -n 1 "$out")"
}

suite_models() {
    verdicts "the formal models, quick subset" "$log/models" "$SCRIPTS/models.sh" --quick
}

# All states of the series on this release's source; the memory models; what is wrong,
# and must be found.  What is lost is printed and followed again; a search that may not
# take what it needs claims nothing.
suite_explore() {
    local explore=$SCRIPTS/explore.sh
    verdicts "shapes that judge the explorer" "$log/explore-litmus" "$explore" --litmus
    verdicts "every interleaving of the event loop" "$log/explore" "$explore"
    verdicts "variants of the event loop" "$log/explore-variants" "$explore" --variants
    expect 1 "explore --show bh prints how stock loses it" "$log/explore-show" "$explore" --variant stock --sc --show bh
    expect 1 "explore --replay follows that" "$log/explore-replay" \
        "$explore" --variant stock --replay "$(sed -n 's/^replay: .* --replay //p' "$log/explore-show" | head -n 1)"
    expect 1 "a search that may take 1 MiB is not exhausted" "$log/explore-limit" \
        "$explore" --variant rule --sc --limit 1 bh
    grep -q '^bh.*not-exhausted' "$log/explore-limit" ||
        result not "a search that may take 1 MiB" "it says something else, see $log/explore-limit"
    expect 2 "explore knows no such scenario" "$log/explore-unknown" "$explore" no-such-scenario
}

for suite in "${suites[@]}"; do
    [ "$(type -t "suite_$suite")" = function ] || die "there is no suite '$suite'"
    "suite_$suite"
done

printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ] || exit "$FINDING"
