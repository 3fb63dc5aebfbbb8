#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The Windows job and what it gets its libraries with, given what they cannot use.

bats_require_minimum_version 1.5.0
load common

@test "words, numbers, trees and variants that are none" {
    mkdir tree
    for words in --nonsense "--runs 0" "--runs x" "--rounds 0" "--variant nonsense" "--tree tree"; do
        # shellcheck disable=SC2086
        run "$top/scripts/windows.sh" $words
        [ "$status" -eq 2 ] || { echo "$words: $status"; false; }
        [ "${#lines[@]}" -eq 1 ]
    done
    run "$top/scripts/windows-libs.sh"
    [ "$status" -eq 2 ]
    run "$top/scripts/qemu.sh" --windows "$here/nowhere" --print
    [ "$status" -eq 2 ]
    [[ ${lines[-1]} == *"no folder"* ]]
}

@test "packages are missing and nobody is root" {
    fake dpkg-query <<<'exit 1'
    fake id <<<'echo 1000'
    run "$top/scripts/windows.sh"
    [ "$status" -eq 2 ]
    [[ ${lines[-1]} == *"run this as root"*wine64* ]]
}

# usage: archive HASH: an apt-get that offers one tarball of this machine
archive() {
    fake apt-get <<EOF
case "\$*" in
*print-uris*)
    echo "'copy:$here/made/thing_1.0-1.dsc' thing_1.0-1.dsc 10 SHA256:0"
    echo "'copy:$here/made/thing_1.0.orig.tar.gz' thing_1.0.orig.tar.gz 10 $1" ;;
esac
EOF
}

@test "an upstream tarball: got once, checked, unpacked" {
    mkdir -p made/thing-1.0
    echo hello >made/thing-1.0/hello
    tar -C made -czf made/thing_1.0.orig.tar.gz thing-1.0
    archive "MD5Sum:$(printf 0%.0s {1..32})"
    run "$top/scripts/source.sh" --suite sometime --orig thing "$here/src"
    [ "$status" -eq 77 ]
    [[ ${lines[-1]} == *"the source of thing, as in sometime is out of reach"* ]]
    [ ! -e src ]
    archive "SHA256:$(sha256sum made/thing_1.0.orig.tar.gz | cut -d' ' -f1)"
    run "$top/scripts/source.sh" --suite sometime --orig thing "$here/src"
    [ "$status" -eq 0 ]
    [ "$(cat src/hello)" = hello ]
    [ -e cache/source-sometime-thing/thing_1.0.orig.tar.gz ]
    fake apt-get <<<'exit 100'
    rm -r src
    run "$top/scripts/source.sh" --orig thing "$here/src"
    [ "$status" -eq 0 ]
    [ "$(cat src/hello)" = hello ]
    rm -r src
    run "$top/scripts/source.sh" --suite sometime --orig thing "$here/src"
    [ "$status" -eq 0 ]
    [ "$(cat src/hello)" = hello ]
}
