#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Our cases with a guest in a QEMU tree: they are those under qtest/, and go off
# again without a trace.

bats_require_minimum_version 1.5.0
load common

apply() { run "$top/scripts/apply.sh" --tree "$here/tree" "$@"; }

# usage: tree_with_tests [debian]: a quick tree, and what the cases touch
tree_with_tests() {
    local source to=$here/tree
    quick_tree tree "$@"
    source=$built/qemu/$(. /etc/os-release && echo "$VERSION_CODENAME")/src
    (cd "$source" && cp -a --parents tests/qtest/meson.build tests/qemu-iotests/iotests.py \
        tests/qemu-iotests/tests/iothreads-create "$to/" 2>/dev/null ||
        cp -a --parents tests/qtest/meson.build tests/qemu-iotests/iotests.py \
            tests/qemu-iotests/tests/reopen-file "$to/")
}

same() { diff -r -x .git "$here/tree" "$here/before"; }

# usage: as_ours: the files in the tree are those under qtest/
as_ours() {
    local to=$here/tree/tests file extra
    for file in "$to"/qtest/aio-wakeup/*/*; do
        [ "$(basename "$file")" = meson.build ] ||
            cmp "$file" "$top/qtest/${file#"$to/qtest/aio-wakeup/"}" || return
    done
    cmp "$to/qemu-iotests/tests/aio-wakeup" "$top/qtest/iotest/aio-wakeup" || return
    cmp "$to/qemu-iotests/tests/aio-wakeup.out" "$top/qtest/iotest/aio-wakeup.out" || return
    [ -x "$to/qemu-iotests/tests/aio-wakeup" ] || return
    # nothing is added to the program, and only what our judge reads is left out
    extra=$(diff "$to/qtest/aio-wakeup-test.c" "$top/qtest/qtest/aio-wakeup-test.c" |
        grep '^[<>]' | grep -vE '^>  \* Kept|^>  \*$' || :)
    [ -z "$extra" ]
}

@test "--with-tests: ours are in the tree and registered; off again" {
    tree_with_tests
    cp -a tree before
    apply --with-tests --dry-run
    [ "$status" -eq 0 ]
    same
    apply --with-tests
    [ "$status" -eq 0 ]
    as_ours
    grep -q "subdir('aio-wakeup')" tree/tests/qtest/meson.build
    apply --with-tests
    [ "$status" -eq 0 ]
    [[ $output == *"nothing to do"* ]]
    apply --reverse
    [ "$status" -eq 0 ]
    same
}

@test "--with-tests after the series" {
    tree_with_tests
    apply
    [ "$status" -eq 0 ]
    apply --with-tests
    [ "$status" -eq 0 ]
    as_ours
}

@test "--with-tests on a git clone and on a Debian tree: commits, quilt patches" {
    tree_with_tests debian
    cp -a tree before
    apply --with-tests
    [ "$status" -eq 0 ]
    [ "$(grep -c '^aio-wakeup-' tree/debian/patches/series)" -eq $((2 + $(series_names "$here/tree" | wc -l))) ]
    as_ours
    apply --reverse
    [ "$status" -eq 0 ]
    same
    git -C tree init -q && git -C tree add -A && git -C tree commit -q -m base
    apply --with-tests
    [ "$status" -eq 0 ]
    [[ $output == *"with git"* ]]
    as_ours
    [ -z "$(git -C tree status --porcelain)" ]
}

@test "--with-tests and --upto" {
    tree_with_tests
    apply --with-tests --upto 1
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"--upto"* ]]
}

@test "--with-tests on a tree that has no qtests" {
    quick_tree tree
    cp -a tree before
    apply --with-tests
    [ "$status" -eq 2 ]
    [[ $output == *"tests/qtest"* ]]
    same
}

@test "--with-tests where the tree's own file is not what it was" {
    tree_with_tests
    apply --with-tests
    echo '# changed' >>tree/tests/qtest/aio-wakeup/guest/pci.c
    cp -a tree before
    apply --with-tests
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"another version"* ]]
    same
}

@test "bad words to the scripts with a guest" {
    for script in qtest iotest with-tests; do
        run "$top/scripts/$script.sh" --no-such-word
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
    run "$top/scripts/qtest.sh" --binary "$here/none"
    [ "$status" -eq 2 ]
    cp /bin/true "$here/qemu"
    run "$top/scripts/qtest.sh" --binary "$here/qemu"
    [ "$status" -eq 2 ]
    [[ $output == *"-system-x86_64"* ]]
    run "$top/scripts/iotest.sh" --expect maybe
    [ "$status" -eq 2 ]
    run "$top/scripts/with-tests.sh" --tree "$here"
    [ "$status" -eq 2 ]
}
