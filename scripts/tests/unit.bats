#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The unit cases: their judge, and what the series adds of them to QEMU's tree.

bats_require_minimum_version 1.5.0
load common

judge() { run "$top/qtest/unit/judge.sh" "$@"; }

# usage: program <<TAP: a source file that names two cases, and what it prints
program() {
    printf '/*\n * Kept since rule: one\n * Kept always: two three\n * Kept always (win32): four\n */\n' >cases.c
    { echo '#!/bin/sh'; echo "cat <<'END'"; cat; echo END; } >cases
    chmod +x cases
}

@test "the judge: lost where it must be lost is ok" {
    program <<'END'
not ok 1 /aio-wakeup/one
ok 2 /aio-wakeup/two
ok 3 /aio-wakeup/three # SKIP no such thing here
END
    judge --expect lost cases.c ./cases
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "ok 1 one: lost" ]
    [ "${lines[1]}" = "ok 2 two: kept" ]
    [ "${lines[2]}" = "ok 3 three # SKIP no such thing here" ]
    judge --expect rule cases.c ./cases
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = "not ok 1 one: lost, must be kept" ]
}

@test "the judge: a case that is kept where it must be lost, and one that is gone" {
    program <<'END'
ok 1 /aio-wakeup/one
ok 2 /aio-wakeup/two
END
    judge --expect lost cases.c ./cases
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = "not ok 1 one: kept, must be lost" ]
    [ "${lines[2]}" = "not ok 3 three: gone, must be kept" ]
}

@test "the judge: a case that the header does not name" {
    program <<'END'
not ok 1 /aio-wakeup/one
ok 2 /aio-wakeup/two
ok 3 /aio-wakeup/three
ok 4 /aio-wakeup/five
END
    judge --expect lost cases.c ./cases
    [ "$status" -eq 1 ]
    [ "${lines[3]}" = "not ok 4 five: kept, must be named in the header of cases.c" ]
}

@test "the judge: bad input" {
    touch empty.c
    for words in "" "--nonsense" "--expect nonsense $top/qtest/unit/lost-bh.c true" "--expect lost empty.c true" \
        "--tree / $top/qtest/unit/lost-bh.c true"; do
        # shellcheck disable=SC2086
        judge $words
        [ "$status" -eq 2 ] || { echo "$words: $status"; false; }
        [ "${#lines[@]}" -eq 1 ]
    done
}

@test "the state of a tree is read off its files" {
    quick_tree tree
    run "$top/qtest/unit/tree-state.sh" tree
    [ "$output" = stock ]
    for pair in 1=rule 2=rule 3=awake 4=requests 7=requests; do
        "$top/scripts/apply.sh" --tree tree --with patch --upto "${pair%=*}"
        run "$top/qtest/unit/tree-state.sh" tree
        [ "$output" = "${pair#*=}" ] || { echo "$pair: $output"; false; }
    done
}

@test "unit, mutants, meson: words they do not know" {
    for words in "unit --nonsense" "unit --suite" "mutants --nonsense" \
        "tests-table --nonsense" "unit-repeat --runs none" "meson" "meson new"; do
        # shellcheck disable=SC2086
        run "$top/scripts/${words%% *}.sh" ${words#"${words%% *}"}
        [ "$status" -eq 2 ] || { echo "$words: $status"; false; }
        [ "${#lines[@]}" -eq 1 ]
    done
}

@test "mutants: each says what becomes of it, and what must notice" {
    cases=$(sed -nE 's/^ \* Kept [^:]*: //p' "$top"/qtest/unit/*.c | tr ' ' '\n')
    of() { sed -n "/^---\$/q; s/^$1: //p" "$patch"; }
    for patch in "$top"/patches/mutants/*.patch; do
        echo "$patch"
        grep -qE '^(stock|rule|awake|requests)$' <<<"$(of Base)"
        # "equivalent" says why, the others say what shows it
        if grep -qE '^equivalent, because .+' <<<"$(of Expect)"; then
            [ -z "$(of Cases)" ]
            continue
        fi
        grep -qE '^(lost|spin|cost)$' <<<"$(of Expect)"
        run of Cases
        [ -n "$output" ]
        [[ ! $output =~ ^(model|tools)\ .|^calls$ ]] || continue
        for case in $output; do grep -qx "$case" <<<"$cases"; done
    done
}

@test "mutants: each applies without fuzz to its base" {
    quick_tree tree
    for patch in "$top"/patches/mutants/*.patch; do
        echo "$patch"
        cp -a tree mutant
        base=$(sed -n '/^---$/q; s/^Base: //p' "$patch")
        [ "$base" = stock ] || "$top/scripts/apply.sh" --tree mutant --with patch --upto "$base"
        patch -p1 -F0 -f -s -d mutant -i "$patch"
        rm -rf mutant
    done
}

@test "the table of all cases in docs is what the headers say" {
    run "$top/scripts/tests-table.sh"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -gt 20 ]
    diff <(printf '%s\n' "$output") \
        <(sed -n '/^<!-- the table/,/^<!-- end of the table/p' "$top/docs/tests.md" | grep '^|')
    # a header that says something else makes another table
    cp -r "$top/scripts" "$top/qtest" "$top/docs" .
    sed -i 's/Kept since rule: lost-bh /Kept always: lost-bh /' qtest/unit/lost-bh.c
    run scripts/tests-table.sh
    ! diff <(printf '%s\n' "$output") \
        <(sed -n '/^<!-- the table/,/^<!-- end of the table/p' docs/tests.md | grep '^|')
    scripts/tests-table.sh --write
    diff <(printf '%s\n' "$output") \
        <(sed -n '/^<!-- the table/,/^<!-- end of the table/p' docs/tests.md | grep '^|')
}
