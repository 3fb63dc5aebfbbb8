#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is known about the generations, and how a tree is recognised.  The trees
# here are made up: they have only the lines that are looked for.

bats_require_minimum_version 1.5.0
load common

apply() { run "$top/scripts/apply.sh" --tree "$here/tree" "$@"; }

# usage: made_up DIR GENERATION: a tree that is of this generation, if only by
# its marks; FILE1 FILE2 in a mark: in the last of them, or in FILE1 with $first
made_up() {
    local mark file
    mkdir -p "$1"
    touch "$1/VERSION" "$1/configure" "$1/qemu-options.hx"
    while read -r mark; do
        file=${mark%% | *}
        if [ -n "${first:-}" ]; then file=${file%% *}; else file=${file##* }; fi
        mkdir -p "$1/$(dirname "$file")"
        printf '%s\n' "${mark#* | }" >>"$1/$file"
    done < <(sed -n 's/^need *= *//p' "$top/patches/$2/generation.conf")
}

@test "README's table of generations is the one that the word prints" {
    run --separate-stderr "$top/build.sh" generations --markdown
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -gt 5 ]
    for line in "${lines[@]}"; do
        grep -qxF -e "$line" "$top/README.md"
    done
    # and README has no row more
    [ "$(grep -cE '^\| +(v?[0-9]+\.[0-9]+|generation)[^|]* \| .* \|$' <(sed -n '/^## Which QEMU/,/^## /p' "$top/README.md"))" \
        -eq $((${#lines[@]} - 1)) ]
}

@test "each generation is recognised by its marks, and by no other's" {
    for conf in "$top"/patches/*/generation.conf; do
        generation=$(basename "$(dirname "$conf")")
        made_up "$generation" "$generation"
        run bash -c '. "$0/common.sh"; . "$0/series.sh"; find_generation "$1"' \
            "$top/scripts" "$generation"
        [ "$status" -eq 0 ]
        [ "$output" = "$generation" ]
    done
}

@test "each generation has its name, and a series" {
    for folder in "$top"/patches/*/; do
        [ -e "$folder/generation.conf" ] || continue
        grep -qxF "name = $(basename "$folder")" "$folder/generation.conf"
        diff <(cd "$folder" && printf '%s\n' *.patch) "$folder/series"
    done
}

@test "a fix of upstream's that neither the tree nor the series has is noted" {
    AIO_WAKEUP_PATCHES=$PWD/known
    export AIO_WAKEUP_PATCHES
    mkdir -p known/1
    printf '%s\n' 'need = async.c | old' 'upstream = 0123456789ab | v9.9.0 | gone.c async.c |   if (new) { | sleep is lost' \
        >known/1/generation.conf
    printf '%s\n' '--- a/async.c' '+++ b/async.c' '@@ -1 +1,2 @@' ' old' '+added' >known/1/0001-add.patch
    echo 0001-add.patch >known/1/series
    # the tree has a file of it, but not the string
    mkdir tree
    touch tree/VERSION tree/configure tree/qemu-options.hx
    echo old >tree/async.c
    apply
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[1]} == *"0123456789ab (v9.9.0): sleep is lost" ]]
    apply --reverse
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    # the string counts with its blanks
    printf '%s\n' ' if (new) {' old >tree/async.c
    apply
    [ "${#lines[@]}" -eq 2 ]
    printf '%s\n' '  if (new) {' old >tree/async.c
    apply
    [ "${#lines[@]}" -eq 1 ]
    # a tree without any of the files does not need it
    sed -i 's/gone.c async.c/gone.c/' known/1/generation.conf
    echo old >tree/async.c
    apply
    [ "${#lines[@]}" -eq 1 ]
    # and in the table
    run "$top/build.sh" generations
    [[ ${lines[-1]} == *'v9.9.0 (0123456789ab)'* ]]
}

@test "the states of a series are those that tree-state.sh knows, in its order" {
    known=$(sed -n 's/^\([a-z]*\) util.*/\1/p' "$top/qtest/unit/tree-state.sh")
    [[ $known == rule*requests*failed ]]
    for folder in "$top"/patches/*/; do
        grep -q '^state = ' "$folder/generation.conf" 2>/dev/null || continue
        states=$(sed -n 's/^state = //p' "$folder/generation.conf")
        # those of a ring are besides
        diff <(sed 's/ | .*//' <<<"$states" | grep -xF -e "$known") \
            <(grep -xF -e "$(sed 's/ | .*//' <<<"$states")" <<<"$known")
        grep -q '^rule | ' <<<"$states" && grep -q '^requests | ' <<<"$states"
        diff <(sed 's/.* | //' <<<"$states") <(sed 's/.* | //' <<<"$states" | sort -nu)
        [ "$(tail -n 1 <<<"$states" | sed 's/.* | //')" -le "$(grep -c . "$folder/series")" ]
    done
}

@test "the fix of 2015 without its cheap form is not taken for it" {
    made_up tree 2.9-to-4.2
    sed -i '/atomic_xchg/d' tree/util/async.c
    apply
    [ "$status" -eq 2 ]
    [[ $output == *"no generation"* ]]
}

@test "a tree that lacks the files: one of them is named" {
    mkdir tree
    touch tree/VERSION tree/configure tree/qemu-options.hx
    apply
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"nearest is "*", but it has no "* ]]
}

@test "a tree of an unknown generation: function and file are named" {
    made_up tree 2.4-eabc977973
    echo 'static void event_notifier_dummy_cb(EventNotifier *e)' >>tree/async.c
    apply
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"nearest is 2.4-eabc977973, but async.c has 'static void event_notifier_dummy_cb("* ]]
}

@test "a tree too old to be built here: qemu.sh says so in one line" {
    made_up tree 2.3
    echo 2.3.1 >tree/VERSION
    echo '"Note that Python 3 or later is not yet supported."' >tree/configure
    run "$top/scripts/qemu.sh" --tree tree
    [ "$status" -eq 77 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"QEMU 2.3.1 needs Python 2: "*"./build.sh verdict BINARY" ]]
    # the rest up to 5.1 takes Python 3, but is not built with meson
    echo >tree/configure
    run "$top/scripts/qemu.sh" --tree tree
    [ "$status" -eq 77 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"make, not with meson"* ]]
    run "$top/build.sh" --tree tree
    [ "$status" -eq 77 ]
    [ "${#lines[@]}" -eq 1 ]
}

# usage: changed PATCH: the lines that it adds and removes
changed() { sed '1,/^---$/d' "$1" | grep -E '^[-+]' | grep -vE '^(---|\+\+\+) '; }

# usage: said PATCH: its message; where a tree has its files is not part of it
said() { sed -n '/^Subject: /,/^---$/p' "$1" | sed ':more;N;$!bmore;s/\n / /' | paths | sed 's/\[PATCH [^]]*\] //'; }

paths() { sed 's,tests/unit,tests,g; s,block/aio\.h,qemu/aio.h,g'; }

# usage: by_title: the patches of 5.2 and later, TITLE and FILE with a tab between
by_title() {
    local patch
    for patch in "$top"/patches/{5.2,[6-9].*,1[0-9].*}/*.patch; do
        printf '%s\t%s\n' "$(said "$patch" | head -n 1)" "$patch"
    done | sort
}

@test "what the series of 5.2 to 10.1 share is the same in each" {
    count=0 last=
    while IFS=$'\t' read -r title patch; do
        if [ "$title" = "$last" ]; then
            diff <(said "$first") <(said "$patch") || { echo "$first $patch"; false; }
            diff <(changed "$first" | paths) <(changed "$patch" | paths) || { echo "$first $patch"; false; }
            count=$((count + 1))
        fi
        [ "$title" = "$last" ] || first=$patch
        last=$title
    done < <(by_title)
    # all of 5.2 and 6.0 is in 6.1-to-10.1
    [ "$count" -ge 12 ]
}

@test "what the series of 2.4 to 5.1 share is the same in both" {
    count=0
    for patch in "$top"/patches/2.4-to-2.8/000[124]-*.patch; do
        # main() of the test has a main loop from 2.9 on
        diff <(changed "$patch" | grep -v -e 'qemu_init_main_loop(&error_abort)' -e 'init_clocks()' -e 'include "qemu/main-loop.h"') \
            <(changed "$top/patches/2.9-to-4.2/${patch##*/}")
        count=$((count + 1))
    done
    for patch in "$top"/patches/2.9-to-4.2/*.patch; do
        diff <(sed 's,^Subject: .PATCH ./.,,' "$patch") \
            <(sed 's,^Subject: .PATCH ./.,,' "$top/patches/5.0-to-5.1/${patch##*/}")
        count=$((count + 1))
    done
    [ "$count" -eq 7 ]
}

@test "what the series of 2015 share is the same in each" {
    count=0
    for patch in "$top"/patches/2.4-eabc977973/*.patch; do
        title=$(basename "$patch")
        # the one that documents corrects a comment that only this tree has
        [[ $title != *-document-* ]] || continue
        for other in 2.3 2.4-rc1; do
            diff <(changed "$patch") <(changed "$top/patches/$other"/????"${title:4}")
            count=$((count + 1))
        done
    done
    [ "$count" -ge 20 ]
}
