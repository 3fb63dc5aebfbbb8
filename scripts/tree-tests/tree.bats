#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The series on a tree that is given, for generations that no source package has:
#
#     AIO_WAKEUP_TREE=DIR bats scripts/tree-tests
#
# DIR is an unpatched tree, and is only read.  "check.sh --only series --tree DIR"
# runs this, too.

bats_require_minimum_version 1.5.0
load ../tests/common

apply() { run "$top/scripts/apply.sh" --tree "$here/tree" "$@"; }

# usage: parts_of_tree DIR: what the series look at or change, from the given tree
parts_of_tree() {
    local from=${AIO_WAKEUP_TREE:-} to file
    [ -n "$from" ] || skip "no tree is given; set AIO_WAKEUP_TREE to an unpatched one"
    mkdir -p "$1"
    to=$(cd "$1" && pwd)
    while read -r file; do
        [ ! -f "$from/$file" ] || (cd "$from" && cp -a --parents -- "$file" "$to/")
    done < <({
        printf '%s\n' VERSION configure qemu-options.hx
        sed -n 's,^\(---\|+++\) [ab]/\([^	]*\).*,\2,p' "$top"/patches/*/*.patch
        sed -n 's/^\(need\|lack\) *= *\([^|]*\) | .*/\2/p' "$top"/patches/*/generation.conf | tr ' ' '\n'
    } | sort -u)
}

# usage: generation_of DIR: sets $generation and $patches; to end a test of a tree
# that takes no series, and is told so
generation_of() {
    generation=$(bash -c '. "$0/common.sh"; . "$0/series.sh"; find_generation "$1"' "$top/scripts" "$1")
    patches=()
    if [ -e "$top/patches/$generation/series" ]; then
        mapfile -t patches < <(sed "s,^,$top/patches/$generation/," "$top/patches/$generation/series")
        return 0
    fi
    apply
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"of generation $generation. "*"Nothing was changed"* ]]
    return 1
}

@test "git am, quilt and patch give the same tree, and the series comes off again" {
    parts_of_tree tree
    cp -a tree before
    generation_of tree || { diff -r tree before; return 0; }

    cp -a tree by-patch
    for patch in "${patches[@]}"; do
        # a release between those that it was made on may have it some lines off
        patch -p1 -F0 -f -s --no-backup-if-mismatch -d by-patch -i "$patch"
    done
    [ -z "$(find by-patch -name '*.orig' -o -name '*.rej')" ]

    cp -a tree by-git
    git -C by-git init -q
    git -C by-git add -A -f
    git -C by-git commit -q -m base
    git -C by-git am -q "${patches[@]}"
    [ -z "$(git -C by-git status --porcelain)" ]
    diff -r -x .git by-patch by-git

    cp -a tree by-quilt
    (cd by-quilt && QUILT_PATCHES=$top/patches/$generation quilt --quiltrc=- push -a -q --fuzz=0)
    diff -r -x .pc by-patch by-quilt

    apply --with patch
    [ "$status" -eq 0 ]
    diff -r by-patch tree
    apply --with patch --reverse
    [ "$status" -eq 0 ]
    diff -r before tree
}

@test "each part of the series is recognised" {
    parts_of_tree tree
    generation_of tree || return 0
    for ((i = 1; i <= ${#patches[@]}; i++)); do
        apply --with patch --upto "$i"
        [ "$status" -eq 0 ]
        [[ $output == *"applied: patches $i to $i of ${#patches[@]} ($generation"* ]]
        run bash -c '. "$0/common.sh"; . "$0/series.sh"; find_generation "$1"; series_state "$1" "$2"' \
            "$top/scripts" tree "$generation"
        [ "$output" = "$generation"$'\n'"$i" ]
    done
}
