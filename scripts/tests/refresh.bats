#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A series on a newer source: rewritten where lines have moved, refused where they
# have changed.  The tree and the series are made up.

bats_require_minimum_version 1.5.0
load common

refresh() { run "$top/scripts/refresh.sh" --tree "$here/tree" "$@"; }

# A file of twelve lines, a series of two patches for it, and a new file.
made_up() {
    mkdir -p tree/util series/1.0
    echo 1.0 >tree/VERSION
    touch tree/configure tree/qemu-options.hx
    seq -f 'line %g' 12 >tree/util/loop.c
    git init -q made && cp -r tree/. made/
    git -C made add -A && git -C made commit -q -m base
    sed -i 's/line 6/line six/' made/util/loop.c
    git -C made commit -qam 'loop: the first' -m 'Because.' -m 'Bug: none'
    sed -i 's/line 8/line eight/' made/util/loop.c
    echo new >made/util/new.c
    git -C made add -A && git -C made commit -qm 'loop: the second'
    git -C made format-patch -q --no-signature -o "$here/series/1.0" HEAD~2
    (cd series/1.0 && ls -- *.patch >series)
    {
        echo 'need = util/loop.c | line 1'
        echo 'applied = 0001-loop-the-first.patch | util/loop.c | line six'
        echo 'applied = 0002-loop-the-second.patch | util/loop.c | line eight'
    } >series/1.0/generation.conf
    cp -r series before
    cp -r tree tree-before
    export AIO_WAKEUP_PATCHES=$here/series
}

# usage: fits DIR: the series there goes on the tree without fuzz or offset
fits() {
    local patch
    cp -r tree again
    for patch in "$here/$1"/*.patch; do
        patch -p1 -F0 -d again -i "$patch" >said || return
        ! grep Hunk said || return
    done
    grep -q 'line eight' again/util/loop.c && [ -e again/util/new.c ]
}

mail() { sed '/^diff --git/,$d' "$1"; }

@test "a series that fits is left as it is" {
    made_up
    refresh --in-place
    [ "$status" -eq 0 ]
    [[ $output == *"nothing to do"* ]]
    diff -r series before
}

@test "lines that have moved: refreshed, the mail is kept" {
    made_up
    sed -i '1s/^/a\nb\nc\n/' tree/util/loop.c
    refresh --out "$here/new"
    [ "$status" -eq 0 ]
    [[ $output == *"refreshed 0001"*"hunk #1 moved to line 6"*"refreshed 0002"*"2 of 2 patches"* ]]
    fits new
    diff <(mail series/1.0/0001*) <(mail new/0001*)
    diff <(mail series/1.0/0002*) <(mail new/0002*)
    cmp series/1.0/series new/series
    diff -r series before
}

@test "in place" {
    made_up
    sed -i '1s/^/a\n/' tree/util/loop.c
    run ! fits series/1.0
    refresh --in-place
    [ "$status" -eq 0 ]
    rm -rf again
    fits series/1.0
    diff tree/util/loop.c <(sed '1s/^/a\n/' tree-before/util/loop.c)
}

@test "context that has changed: refreshed, and shown" {
    made_up
    sed -i 's/line 3/line three/' tree/util/loop.c
    refresh --out "$here/new"
    [ "$status" -eq 0 ]
    [[ $output == *"refreshed 0001"*"hunk #1 with other context"*"fits      0002"* ]]
    fits new
    grep -q '^ line three$' new/0001*
}

@test "a line that the patch changes has changed: named, nothing is written" {
    made_up
    sed -i 's/line 8/line VIII/' tree/util/loop.c
    cp -r tree tree-changed
    refresh --in-place
    [ "$status" -eq 1 ]
    [[ $output == *"0002-loop-the-second.patch does not fit"*"util/loop.c: hunk #1 near line"*"nothing was written"* ]]
    diff -r series before
    diff -r tree tree-changed
    refresh --out "$here/new"
    [ "$status" -eq 1 ]
    [ ! -e new ]
}

@test "a file that is gone is named" {
    made_up
    printf 'need = VERSION | 1.0\n' >series/1.0/generation.conf
    rm tree/util/loop.c
    refresh
    [ "$status" -eq 1 ]
    [[ $output == *"0001-loop-the-first.patch does not fit"*"util/loop.c: the file is not there"* ]]
}

@test "a dry run writes nothing" {
    made_up
    sed -i '1s/^/a\n/' tree/util/loop.c
    refresh --in-place --dry-run
    [ "$status" -eq 0 ]
    [[ $output == *"2 of 2 patches of 1.0 would be refreshed"* ]]
    diff -r series before
}

@test "a tree that has the series is refused" {
    made_up
    sed -i 's/line 6/line six/' tree/util/loop.c
    refresh
    [ "$status" -eq 2 ]
    [[ $output == *"has patch 1 of 1.0 already"* ]]
}

@test "the real series on its own source fits" {
    quick_tree tree
    refresh --dry-run
    [ "$status" -eq 0 ]
    [[ $output == *"0 of "*" patches"* ]]
}
