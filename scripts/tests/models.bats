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

@test "drift: the tree, each prefix of the series, and a clear that was moved" {
    local patch
    quick_tree tree
    cp -a tree moved
    cp -a tree early
    run "$top/scripts/model-drift.sh" tree
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"variant 2020:"* ]]

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

    while read -r patch; do
        patch -d tree -p1 -s -f <"$top/patches/7.2/$patch"
        run "$top/scripts/model-drift.sh" tree
        echo "$patch: $output"
        [ "$status" -eq 0 ]
    done < <(grep -v '^#' "$top/patches/7.2/series")
    [[ $output == *"variant p3:"* ]]

    # the clear of aio_poll() goes behind the BHs; and that of aio_ctx_dispatch()
    # behind the reset of its flag
    cp -a tree/util late
    awk '/^    aio_clear_notifier\(ctx\);$/ { next }
         { print }
         /^    progress \|= aio_bh_poll\(ctx\);$/ { print "    aio_clear_notifier(ctx);" }' \
        late/aio-posix.c >tree/util/aio-posix.c
    ! cmp -s late/aio-posix.c tree/util/aio-posix.c
    run "$top/scripts/model-drift.sh" tree
    [ "$status" -eq 1 ]
    cp late/aio-posix.c tree/util/
    awk '/^        event_notifier_test_and_clear\(&ctx->source_notifier\);$/ { held = $0; next }
         { print }
         /&ctx->source_notifier_set, false\)/ { print held }' late/async.c >tree/util/async.c
    ! cmp -s late/async.c tree/util/async.c
    run "$top/scripts/model-drift.sh" tree
    [ "$status" -eq 1 ]
}

@test "mutants: the table names mutants that there are, and is needed" {
    needs_spin
    mkdir docs
    cp -a "$top/scripts" scripts
    cp "$top"/docs/*.promela docs/
    scripts/model-mutants.sh --list >list
    cut -d' ' -f1,3 list | sort -u >have
    sed -n 's/^ \* survivor: \([^ ]* [^ ]*\) .*/\1/p' docs/aio_wakeup.promela | sort >known
    [ -s known ]
    [ -z "$(uniq -d known)" ]
    [ -z "$(comm -13 have known)" ]

    # one that is found and one that survives; the table without the second
    run --separate-stderr scripts/model-mutants.sh --only '^drop [0-9]+ (W4|W5)$' --results found
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"W4: found by"*"W5: survives: notified is not read"* ]]
    sed -i '/ survivor: drop W5 /d' docs/aio_wakeup.promela
    run --separate-stderr scripts/model-mutants.sh --only '^drop [0-9]+ (W4|W5)$' --results found
    [ "$status" -eq 1 ]
    [[ $output == *"W5: SURVIVES"* ]]
    # what is found and stands in the table, and one that has not been run
    sed -i 's/^ \* survivor: drop D2 / * survivor: drop W4 a mistake\n&/' docs/aio_wakeup.promela
    run --separate-stderr scripts/model-mutants.sh --only '^drop [0-9]+ W4$' --results found
    [ "$status" -eq 1 ]
    [[ $output == *"but the table says that it survives"* ]]
}

@test "in-tree models: what the patches add is what the script makes of docs" {
    run "$top/scripts/in-tree-models.sh" --check
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "in-tree models: a patch that adds another model is found, and can be written" {
    cp "$top"/patches/7.2/0007-*.patch was.patch
    sed 's/^+    bool ready, revents;/+    bool ready, events;/' was.patch >now.patch
    ! cmp -s was.patch now.patch
    run "$top/scripts/in-tree-models.sh" --check now.patch
    [ "$status" -eq 1 ]
    # one line more, as the diffstat has it
    sed -i '/^+byte notify_me;$/a +byte another;' now.patch
    "$top/scripts/in-tree-models.sh" --write now.patch
    cmp was.patch now.patch
    [ "$(ls)" = "$(printf '%s\n' now.patch was.patch)" ]
}

@test "in-tree models: nothing of this repository is left in them" {
    for model in aio_notify_bug aio_notify_waiters; do
        "$top/scripts/in-tree-models.sh" --print $model.promela >$model.promela
        [ -s $model.promela ]
        ! grep -E 'expect|scripts/|aio_wakeup|repository' $model.promela
    done
}

@test "in-tree models: bad words" {
    for words in --nonsense "" "--print" "--print no-such.promela" "--check no-such.patch" --write; do
        # shellcheck disable=SC2086
        run "$top/scripts/in-tree-models.sh" $words
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}

@test "trail: the picture in docs is the one that the model makes" {
    needs_spin
    "$top/scripts/model-trail.sh" --svg now.svg 2020 bh >/dev/null
    cmp now.svg "$top/docs/protocol.svg"
}

@test "trail: a variant that is right has none" {
    needs_spin
    run "$top/scripts/model-trail.sh" p1 bh
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
