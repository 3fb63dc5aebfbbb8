#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The series goes on a tree, and off, wholly or not at all.

bats_require_minimum_version 1.5.0
load common

apply() { run "$top/scripts/apply.sh" --tree "$here/tree" "$@"; }

# usage: same: the tree is as the copy made before
same() { diff -r -x .git "$here/tree" "$here/before"; }

count() { series_names "$here/tree" | wc -l; }

@test "a tree that is not there" {
    apply
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"there is no folder"* ]]
}

@test "a tree that is not QEMU" {
    mkdir tree
    echo 1.0 >tree/VERSION
    apply
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"not a QEMU tree"* ]]
}

@test "a tree of an unknown generation: what it lacks is named" {
    quick_tree tree
    sed -i 's/aio_notify/other_notify/g; s/ctx->notified/ctx->other/g' tree/util/*.c tree/include/block/aio.h
    cp -a tree before
    apply
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"no generation"*"nearest is"*" lacks '"* ]]
    same
}

@test "a plain tree: on in two steps, off in two, and it is as before" {
    quick_tree tree
    cp -a tree before
    apply --dry-run
    [ "$status" -eq 0 ]
    same
    apply --upto 1
    [ "$status" -eq 0 ]
    [[ $output == *"applied: patches 1 to 1 of"* ]]
    apply
    [ "$status" -eq 0 ]
    [[ $output == *"applied: patches 2 to"* ]]
    apply --reverse --upto 1
    [ "$status" -eq 0 ]
    apply --reverse
    [ "$status" -eq 0 ]
    same
}

@test "a git clone: one commit a patch, and off again" {
    quick_clone tree
    cp -a tree before
    apply
    [ "$status" -eq 0 ]
    [[ $output == *"with git"* ]]
    [ "$(git -C tree rev-list --count HEAD)" -eq $((1 + $(count))) ]
    [ -z "$(git -C tree status --porcelain)" ]
    apply --reverse
    [ "$status" -eq 0 ]
    same
    [ -z "$(git -C tree status --porcelain)" ]
}

@test "a git clone with changes that are not committed is refused" {
    quick_clone tree
    echo >>tree/util/async.c
    cp -a tree before
    apply
    [ "$status" -eq 2 ]
    [[ $output == *"not committed"* ]]
    same
}

@test "a git clone in the middle of a git am is refused" {
    quick_clone tree
    mkdir tree/.git/rebase-apply
    apply
    [ "$status" -eq 2 ]
    [[ $output == *"in the middle of"* ]]
}

@test "a Debian source tree: quilt patches, a changelog entry, and off again" {
    quick_tree tree debian
    cp -a tree before
    apply --upto 1
    [ "$status" -eq 0 ]
    apply
    [ "$status" -eq 0 ]
    [ "$(grep -c '^aio-wakeup-' tree/debian/patches/series)" -eq "$(count)" ]
    dpkg-parsechangelog -l tree/debian/changelog -S Version | grep -q 'aiowakeup1$'
    [ "$(dpkg-parsechangelog -l tree/debian/changelog -S Distribution)" = UNRELEASED ]
    apply --reverse
    [ "$status" -eq 0 ]
    same
}

@test "a Debian source tree with its own patches not applied is refused" {
    quick_tree tree debian
    sed -i '$d' tree/.pc/applied-patches
    apply
    [ "$status" -eq 2 ]
    [[ $output == *"quilt push -a"* ]]
}

@test "already applied, wholly and in part, is said" {
    quick_tree tree
    apply
    apply
    [ "$status" -eq 0 ]
    [[ $output == *"already"*"nothing to do"* ]]
    apply --upto 1
    [ "$status" -eq 2 ]
    [[ $output == *"--reverse --upto 1"* ]]
    apply --reverse
    apply --reverse
    [ "$status" -eq 0 ]
    [[ $output == *"nothing to take off"* ]]
}

@test "up to a state, and one that there is not" {
    quick_tree tree
    cp -a tree before
    for state in rule awake requests; do
        apply --upto $state
        [ "$status" -eq 0 ]
        run "$top/qtest/unit/tree-state.sh" tree
        [ "$output" = $state ]
    done
    apply --reverse --upto stock
    [ "$status" -eq 0 ]
    same
    apply --upto nonsense
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"no state 'nonsense'; it has: stock rule awake requests patched"* ]]
}

@test "more patches than there are" {
    quick_tree tree
    apply --upto 99
    [ "$status" -eq 2 ]
    [[ $output == *"there is no patch 99"* ]]
}

@test "a hunk that does not fit: patch and hunk are named, nothing changes" {
    quick_tree tree
    printf '/* not what the patch expects */\n' >tree/util/aio-win32.c
    cp -a tree before
    for how in patch git; do
        if [ $how = git ]; then
            git -C tree init -q && git -C tree add -A && git -C tree commit -q -m base
        fi
        apply
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ $output == *"0001-"*"util/aio-win32.c, hunk #1"* ]]
        same
    done
    [ "$(git -C tree rev-list --count HEAD)" -eq 1 ]
}

@test "a later patch that does not fit leaves the earlier ones off too" {
    quick_clone tree
    last=$(series_names "$here/tree" | tail -n 1)
    file=$(sed -n 's,^+++ b/,,p' "$last" | head -n 1)
    cp -r "$top/patches" patches
    export AIO_WAKEUP_PATCHES=$here/patches
    generation=$(basename "$(dirname "$last")")
    sed -i 's/^ \(.*\)$/ \1 changed/' "patches/$generation/$(basename "$last")"
    cp -a tree before
    apply
    [ "$status" -eq 2 ]
    [[ $output == *"$(basename "$last") does not fit"*"$file"*"nothing was changed"* ]]
    same
    [ "$(git -C tree rev-list --count HEAD)" -eq 1 ]
}

@test "a tree with one file of a patch only: in part, and it stays as it is" {
    quick_tree tree
    cp -a tree whole
    run "$top/scripts/apply.sh" --tree whole --upto 1
    cp whole/util/aio-win32.c tree/util/
    cp -a tree before
    apply
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"in part"*"aio-win32.c"* ]]
    same
}

@test "told to stop in the middle, a plain tree is as before" {
    quick_tree tree
    cp -a tree before
    real=$(command -v cp)
    # Copying a result into the tree: the script is told to stop after the first.
    fake cp <<EOF
$real "\$@" || exit
[[ \${@: -1} != $here/tree/util/* || -e $here/told ]] || { touch $here/told; kill -TERM \$PPID; }
EOF
    apply
    [ "$status" -eq 143 ]
    [ -e told ]
    same
}

@test "told to stop in the middle, a git clone is as before" {
    quick_clone tree
    cp -a tree before
    head=$(git -C tree rev-parse HEAD)
    real=$(command -v git)
    fake git <<EOF
$real "\$@" || exit
[[ " \$* " != *" am "* || -e $here/told ]] || { touch $here/told; kill -TERM \$PPID; }
EOF
    apply
    [ "$status" -eq 143 ]
    [ -e told ]
    same
    [ "$(git -C tree rev-parse HEAD)" = "$head" ]
    [ ! -e tree/.git/rebase-apply ]
}

@test "told to stop in the middle, a Debian source tree is as before" {
    quick_tree tree debian
    cp -a tree before
    real=$(command -v quilt)
    fake quilt <<EOF
$real "\$@" || exit
[[ " \$* " != *" push "* || -e $here/told ]] || { touch $here/told; kill -TERM \$(cat $here/pid); }
EOF
    bash -c 'echo $$ >pid; exec "$0" --tree tree' "$top/scripts/apply.sh" && status=0 || status=$?
    [ "$status" -eq 143 ]
    [ -e told ]
    same
}
