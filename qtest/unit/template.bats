#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The way to a new case that docs/tests.md shows.  AIO_WAKEUP_TREE is the work
# folder of a stock QEMU, as scripts/qemu.sh --work prints it.

bats_require_minimum_version 1.5.0

setup() {
    top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd -P)
    here=$BATS_TEST_TMPDIR
    tree=${AIO_WAKEUP_TREE:-}
    [ -e "$tree/build/build.ninja" ] || skip "no build folder; run ./build.sh check --only unit"
    [ "$("$top/qtest/unit/tree-state.sh" "$tree/src")" = stock ] || skip "the tree in $tree is not stock"
    cp -r "$top/qtest" "$here/qtest"
}

# usage: new_case NAME: copies the template and adds it to the list
new_case() {
    cd "$here/qtest/unit" || return
    sed "s/template/$1/g" template.c >"$1.c"
    sed -i "s/^unit_cases = \[/&'$1', /" meson.build
    meson setup "$here/build" "$here/qtest" -Donly_unit=true -Dqemu_src="$tree/src" -Dqemu_build="$tree/build" &&
        ninja -C "$here/build" "unit/$1"
}

@test "a copy of the template is built, and loses on stock" {
    new_case my-case
    run "$here/build/unit/my-case" --tap -k
    [ "$status" -ne 0 ]
    [[ $output == *"not ok 1 /aio-wakeup/my-case"* ]]
    run "$here/qtest/unit/judge.sh" --tree "$tree/src" "$here/qtest/unit/my-case.c" "$here/build/unit/my-case"
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == "ok 1 my-case: lost" ]]
}

@test "the judge does not take a case that should have been kept" {
    new_case my-case
    run "$here/qtest/unit/judge.sh" --expect kept "$here/qtest/unit/my-case.c" "$here/build/unit/my-case"
    [ "$status" -eq 1 ]
    [[ ${lines[0]} == "not ok 1 my-case: lost, must be kept" ]]
}
