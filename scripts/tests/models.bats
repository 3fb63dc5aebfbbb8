#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The judge of the models, the drift check, and the way from a counterexample to
# a schedule.

bats_require_minimum_version 1.5.0
load common

needs_spin() {
    command -v spin >/dev/null || skip "no spin; apt-get install spin"
    command -v parallel >/dev/null || skip "no parallel; apt-get install parallel"
}

@test "models: words it does not know, a number that is none, no such row" {
    for words in --nonsense "--jobs none" "--only" "--only no-such-row"; do
        # shellcheck disable=SC2086
        run "$top/scripts/models.sh" $words
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}

@test "models: rows as expected" {
    needs_spin
    run --separate-stderr "$top/scripts/models.sh" --only '^aio_notify_bug '
    [ "$status" -eq 0 ]
    [[ ${lines[-1]} == "5 verdicts, 0 not as expected,"* ]]
}

@test "models: compared both ways" {
    needs_spin
    mkdir docs
    sed 's/expect: late  wakeup lost /expect: late  wakeup holds/; s/expect: early wakeup holds/expect: early wakeup lost/' \
        "$top/docs/aio_notify_bug.promela" >docs/aio_notify_bug.promela
    run --separate-stderr "$top/scripts/models.sh" --docs docs
    [ "$status" -eq 1 ]
    [[ ${lines[-1]} == "5 verdicts, 2 not as expected,"* ]]
    [[ $output == *"lost   "*"holds  <== differs"* ]]
}

@test "models: a file that spin does not take is an error, not a verdict" {
    needs_spin
    mkdir docs
    printf '%s\n' '/*' ' * expect: any wakeup lost' ' */' 'proctype (' >docs/x.promela
    run --separate-stderr "$top/scripts/models.sh" --docs docs
    [ "$status" -eq 1 ]
    [[ $output == *"broken  <== differs"* ]]
}

@test "the three command lines of aio_notify_bug.promela" {
    needs_spin
    for flags in -DBUG "" -DCHECK_REQ; do
        # shellcheck disable=SC2086
        spin -a $flags "$top/docs/aio_notify_bug.promela" >/dev/null
        gcc -O2 pan.c
        ./a.out -a -f >out
        if [ "$flags" = -DBUG ]; then
            grep -q 'acceptance cycle (at' out
        else
            grep -q 'errors: 0' out
        fi
    done
}

@test "drift: a folder that is no tree" {
    run "$top/scripts/model-drift.sh" .
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
}

@test "drift: the tree, with the rule, with the series, and a clear that was moved" {
    quick_tree tree
    cp -a tree moved
    cp -a tree early
    for state in stock rule; do
        [ $state = stock ] || "$top/scripts/apply.sh" --tree tree --with patch --upto $state
        run "$top/scripts/model-drift.sh" tree
        echo "$output"
        [ "$status" -eq 0 ]
        [[ $output == *"variant 2020:"* ]]
    done

    cp -a tree series
    "$top/scripts/apply.sh" --tree series --with patch
    run "$top/scripts/model-drift.sh" series
    [ "$status" -eq 2 ]
    [[ $output == *"not in the model"* ]]

    # the accept goes behind the BHs
    awk '/^    aio_notify_accept\(ctx\);$/ { next }
         { print }
         /^    progress \|= aio_bh_poll\(ctx\);$/ { print "    aio_notify_accept(ctx);" }' \
        tree/util/aio-posix.c >moved/util/aio-posix.c
    ! cmp -s tree/util/aio-posix.c moved/util/aio-posix.c
    run "$top/scripts/model-drift.sh" moved
    [ "$status" -eq 1 ]
    # a clear where no step has one
    sed '/^aio_ctx_check/,/^}/s/^    aio_notify_accept(ctx);$/    event_notifier_test_and_clear(\&ctx->notifier);\n&/' \
        tree/util/async.c >early/util/async.c
    ! cmp -s tree/util/async.c early/util/async.c
    run "$top/scripts/model-drift.sh" early
    [ "$status" -eq 1 ]
    [[ $output == *"no step of the model names this"* ]]
}

# usage: checks MODEL FLAG...: spin and its checker, as the model's header has it
checks() {
    spin -a "${@:2}" "$1" >/dev/null && gcc -O2 pan.c && ./a.out -a -f >out
}

@test "the model in QEMU's tree, with what the series adds: its command lines" {
    needs_spin
    quick_tree tree
    "$top/scripts/apply.sh" --tree tree --with patch
    model=tree/docs/spin/aio_notify_bug.promela
    checks $model -DBUG -DCHECK_REQ
    grep -q 'errors: [1-9]' out
    for flags in "-DBUG -DGIVE_BACK -DCHECK_REQ" "" -DCHECK_REQ; do
        # shellcheck disable=SC2086
        checks $model $flags
        grep -q 'errors: 0' out
    done
    # the give-back is what does it
    sed 's/^#define GIVE_BACK_WAKEUP  wakeup = 1/#define GIVE_BACK_WAKEUP  skip/' $model >mutant.promela
    ! cmp -s $model mutant.promela
    checks mutant.promela -DBUG -DGIVE_BACK -DCHECK_REQ
    grep -q 'errors: [1-9]' out
}

@test "the model that the series of 2015 add is that of docs, but for this repository's words" {
    count=0
    for patch in "$top"/patches/2.[34]*/*.patch; do
        grep -q '^+++ b/docs/aio_notify_bug.promela' "$patch" || continue
        mkdir -p added/docs
        # the whole file is new
        sed -n '/^+++ b\/docs\/aio_notify_bug/,/^diff \|^-- $/p' "$patch" | grep '^+' | sed '1d; s/^+//' >added/model
        sed '/^ \* In this repository only:$/,/^ \*\/$/{/^ \*\/$/!d}' "$top/docs/aio_notify_bug.promela" |
            sed ':more;N;$!bmore;s/\n \*\n \*\/\n/\n *\/\n/' | diff added/model -
        count=$((count + 1))
    done
    [ "$count" -ge 1 ]
}

@test "trail: the picture in docs is the one that the model makes" {
    needs_spin
    "$top/scripts/model-trail.sh" --svg now.svg 2020 bh >/dev/null
    cmp now.svg "$top/docs/protocol.svg"
}

@test "trail: a variant that is right has none" {
    needs_spin
    run "$top/scripts/model-trail.sh" 2015-early bh
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
}

@test "replay: the counterexamples are the schedules that were written by hand" {
    needs_spin
    "$top/scripts/replay.sh" --print 2020 2>/dev/null >bh
    diff <(grep '^hold' bh | sort) <(grep '^hold' "$top/qtest/schedule/lost-bh.schedule" | sort)
    "$top/scripts/replay.sh" --print --property rearm 2020 2>/dev/null >rearm
    diff <(grep '^hold' rearm | sort) <(grep '^hold' "$top/qtest/schedule/lost-timer.schedule" | sort)
}

@test "replay: bad words" {
    for words in --nonsense "" "--runs none 2020" "--property none 2020"; do
        # shellcheck disable=SC2086
        run "$top/scripts/replay.sh" $words
        [ "$status" -eq 2 ]
    done
}
