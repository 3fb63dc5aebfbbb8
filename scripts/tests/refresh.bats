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
    echo 'need = util/loop.c | line 1' >series/1.0/generation.conf
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

# usage: other_generation: 2.0, which the tree is of now, with other context
other_generation() {
    cp -r series/1.0 series/2.0
    echo 'lack = util/loop.c | line one' >>series/1.0/generation.conf
    echo 'need = util/loop.c | line one' >series/2.0/generation.conf
    sed -i 's/line 1$/line one/' tree/util/loop.c
    for file in series/2.0/*.patch; do sed -i 's/^ line 4/ line four/; s/^ line 11/ line eleven/' "$file"; done
    sed -i 's/line 4/line four/; s/line 11/line eleven/' tree/util/loop.c
}

@test "from another generation: message and changed lines are its, context is not" {
    made_up
    other_generation
    # ids and the words after @@ are made up so far
    refresh --from 1.0 --in-place
    [ "$status" -eq 0 ]
    cp -r series before-from
    refresh --from 1.0 --in-place
    [ "$status" -eq 0 ]
    diff -r series before-from
    diff <(mail before/1.0/0001*) <(mail series/2.0/0001*)

    # a message, and a line, are changed in one place
    sed -i 's/^Because\./Therefore./' series/1.0/0001*
    sed -i 's/^+line eight/+line VIII/' series/1.0/0002*
    refresh --from 1.0 --in-place
    [ "$status" -eq 0 ]
    grep -q '^Therefore\.' series/2.0/0001*
    grep -q '^+line VIII' series/2.0/0002*
    grep -q '^ line eleven' series/2.0/0002*
    cmp before-from/2.0/series series/2.0/series
    diff -r <(cat before-from/1.0/*.conf) <(cat series/1.0/*.conf)
}

@test "from another generation: none of that name, and none of its titles" {
    made_up
    refresh --from 2.0
    [ "$status" -eq 2 ]
    [[ $output == *"no generation '2.0'"* ]]
    other_generation
    sed -i 's/\] loop: /&other /' series/1.0/*.patch
    refresh --from 1.0
    [ "$status" -eq 2 ]
    [[ $output == *"no title of that of 1.0"* ]]
}

@test "the real series on its own source fits" {
    quick_tree tree
    refresh --dry-run
    [ "$status" -eq 0 ]
    [[ $output == *"0 of "*" patches"* ]]
}
