#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A release's QEMU in a private root, and a version besides a release, from an
# archive of this test's own: no network.

bats_require_minimum_version 1.5.0
load common

# usage: package NAME VERSION [DEPENDS]: a .deb of what is in the folder files
package() {
    mkdir -p files/DEBIAN archive/pool
    cat >files/DEBIAN/control <<END
Package: $1
Source: qemu
Version: $2
Architecture: $(dpkg --print-architecture)
Maintainer: test <test@localhost>
Description: test${3:+
Depends: $3}
END
    printf '#!/bin/sh\ntouch %q\n' "$here/a-script-has-run" >files/DEBIAN/postinst
    chmod 755 files/DEBIAN/postinst
    dpkg-deb -b --root-owner-group files "archive/pool/$1_${2#*:}.deb" >/dev/null
    rm -rf files
}

# usage: qemu_package VERSION: a program that shows what its root has
qemu_package() {
    mkdir -p files/usr/bin
    cat >program.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char line[80] = "", *preload = getenv("PRELOAD_OF_TEST");
    FILE *module = fopen("/usr/lib/the-modules/one", "r");
    if (module && fgets(line, sizeof(line), module)) {
        printf("%s", line);
    }
    printf("%s %d %s\n", argv[argc - 1], access("/usr/bin/env", F_OK) == 0,
           preload ? preload : "");
    return 3;
}
END
    gcc -static -o files/usr/bin/qemu-system-x86_64 program.c
    package qemu-system-x86 "$1" "the-modules (= $1)"
    mkdir -p files/lib/the-modules
    echo "modules $1" >files/lib/the-modules/one
    package the-modules "$1"
}

# usage: source_package VERSION: two files of a QEMU
source_package() {
    mkdir -p tree/debian/source
    echo "3.0 (native)" >tree/debian/source/format
    echo "${1#*:}" >tree/VERSION
    printf 'qemu (%s) sometime; urgency=low\n\n  * Test.\n\n -- test <test@localhost>  %s\n' "$1" "$(date -R)" >tree/debian/changelog
    printf 'Source: qemu\nMaintainer: test <test@localhost>\n\nPackage: qemu\nArchitecture: any\nDescription: test\n' >tree/debian/control
    mkdir -p archive/pool
    (cd archive/pool && dpkg-source -b ../../tree >/dev/null)
    rm -rf tree
}

# What an archive says that it has
index() {
    local arch to
    arch=$(dpkg --print-architecture)
    to=dists/sometime
    (
        cd archive || exit
        mkdir -p "$to/main/binary-$arch" "$to/main/source"
        dpkg-scanpackages -m pool >"$to/main/binary-$arch/Packages" 2>/dev/null
        dpkg-scansources pool >"$to/main/source/Sources" 2>/dev/null
        printf 'Suite: sometime\nCodename: sometime\nComponents: main\nArchitectures: %s\nDate: %s\nSHA256:\n' \
            "$arch" "$(LC_ALL=C date -uR)" >"$to/Release"
        for file in "main/binary-$arch/Packages" main/source/Sources; do
            printf ' %s %s %s\n' "$(sha256sum <"$to/$file" | cut -d' ' -f1)" "$(stat -c %s "$to/$file")" "$file"
        done >>"$to/Release"
        # apt takes one of the same second for the one that it has
        touch -d "2020-01-01 + $(find pool -type f | wc -l) days" "$to/Release"
    )
    mkdir -p etc/sources.list.d
    echo "deb [trusted=yes] file:$here/archive $(. /etc/os-release && echo "$VERSION_CODENAME") main" >etc/sources.list
    real=${real:-$(command -v apt-config)}
    fake apt-config <<END
exec $real -o Dir::Etc::sourcelist=$here/etc/sources.list -o Dir::Etc::sourceparts=$here/etc/sources.list.d "\$@"
END
}

@test "root: the program runs with its own /usr, its arguments and environment; no script of a package has run" {
    unshare --mount true 2>/dev/null || unshare --user --map-root-user --mount true || skip "no mount namespaces"
    qemu_package 1:1.0-1
    index
    run --separate-stderr "$top/scripts/root.sh" sometime
    echo "$output $stderr"
    [ "$status" -eq 0 ]
    [ "$output" = "$here/cache/root-sometime/qemu-system-x86_64" ]
    PRELOAD_OF_TEST=kept run "$output" "two words"
    echo "$output"
    [ "$status" -eq 3 ]
    [ "${lines[0]}" = "modules 1:1.0-1" ]
    [ "${lines[1]}" = "two words 0 kept" ]
    [ ! -e a-script-has-run ]
    [ ! -e /usr/lib/the-modules ]
}

@test "root: a newer one comes with --update only, an older one by its version" {
    qemu_package 1:1.0-1
    index
    run "$top/scripts/root.sh" sometime
    qemu_package 1:2.0+ds-1
    index
    run "$top/scripts/root.sh" sometime
    echo "$output"
    [[ $output == *"qemu-system-x86 1:1.0-1 of sometime, as of "* ]]
    run "$top/scripts/root.sh" --update sometime
    echo "$output"
    [[ $output == *"qemu-system-x86 1:2.0+ds-1 of sometime, as of "* ]]
    run "$top/scripts/root.sh" sometime=1.0
    echo "$output"
    [[ $output == *"qemu-system-x86 1:1.0-1 of sometime, as of "* ]]
    [ "${lines[-1]}" = "$here/cache/root-sometime-1.0/qemu-system-x86_64" ]
}

@test "root: what is listed and not served, what is not listed, and no archive" {
    qemu_package 1:1.0-1
    index
    run "$top/scripts/root.sh" sometime=9
    [ "$status" -eq 77 ]
    [[ ${lines[-1]} == *"the archive has no such version; it lists 1:1.0-1" ]]
    rm archive/pool/the-modules_*
    run "$top/scripts/root.sh" sometime
    echo "$output"
    [ "$status" -eq 77 ]
    [[ ${lines[-1]} == *"the archive lists 1:1.0-1, and does not serve all that it needs" ]]
    [ ! -e cache/root-sometime ]
    rm -rf archive
    run "$top/scripts/root.sh" nowhen
    [ "$status" -eq 77 ]
    [[ ${lines[-1]} == *"out of reach"* ]]
}

@test "source: a version besides a release; listed and not served in one line" {
    source_package 1:1.0
    source_package 1:2.0
    index
    run "$top/scripts/source.sh" --suite sometime=1.0 src
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(cat src/VERSION)" = 1.0 ]
    run "$top/scripts/source.sh" --suite sometime --version 1:2.0 src
    [ "$(cat src/VERSION)" = 2.0 ]
    run "$top/scripts/source.sh" --suite sometime=3.0 src3
    [ "$status" -eq 77 ]
    [[ ${lines[-1]} == *"the archive has no qemu 3.0 in sometime; it lists 1:1.0 1:2.0" ]]
    rm archive/pool/qemu_2.0.*
    run "$top/scripts/source.sh" --suite sometime src2
    echo "$output"
    [ "$status" -eq 77 ]
    [[ ${lines[-1]} == *"the archive lists qemu 1:2.0 in sometime, and does not serve it; it lists 1:1.0, too: --suite sometime=VERSION" ]]
    [ "${#lines[@]}" -eq 3 ]
}
