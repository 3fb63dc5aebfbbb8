# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the tests of the scripts share.  Every test works in a folder of its own,
# with a build and a cache folder of its own.

setup() {
    top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd -P)
    here=$BATS_TEST_TMPDIR
    export AIO_WAKEUP_BUILD=$here/build AIO_WAKEUP_CACHE=$here/cache
    export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@localhost
    export GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@localhost
    export DEBFULLNAME=test DEBEMAIL=test@localhost
    unset AIO_WAKEUP_HOLDS
    cd "$here" || return
}

# The build folder of the run that started the tests: what is expensive comes
# from there.
built=${AIO_WAKEUP_CHECK_BUILD:-$BATS_TEST_DIRNAME/../../build}

# usage: quick_tree DIR: the parts of the source package that apply looks at
quick_tree() {
    local source to
    source=$built/qemu/$(. /etc/os-release && echo "$VERSION_CODENAME")/src
    [ -e "$source/.aio-wakeup-source" ] || skip "no source package; run ./build.sh first"
    mkdir -p "$1"
    to=$(cd "$1" && pwd)
    (cd "$source" && cp -a --parents VERSION configure meson.build qemu-options.hx util include/block \
        include/qemu tests/unit docs storage-daemon "$to/")
    [ "${2:-}" != debian ] || (cd "$source" && cp -a --parents debian .pc "$to/")
}

quick_clone() {
    quick_tree "$1"
    git -C "$1" init -q
    git -C "$1" add -A
    git -C "$1" commit -q -m base
}

# usage: needs_module: the test needs the verdict program; it is not built again
needs_module() {
    [ -x "$built/module/run/aio-wakeup-verdict" ] || skip "no test module; run ./build.sh verdict first"
    mkdir -p "$here/build"
    export verdict=$built/module/run/aio-wakeup-verdict
}

# usage: fake NAME <<TEXT: a command of this name comes first in PATH
fake() {
    mkdir -p "$here/bin"
    { echo '#!/bin/bash'; cat; } >"$here/bin/$1"
    chmod +x "$here/bin/$1"
    PATH=$here/bin:$PATH
}

# usage: series_names DIR: the patches of the series for this tree, one a line
series_names() {
    # shellcheck source=scripts/common.sh source=scripts/series.sh
    bash -c '. "$0/common.sh"; . "$0/series.sh"; series_patches "$(find_generation "$1")"' \
        "$top/scripts" "$1"
}

# usage: gone PID: the process has ended, or does within 5 s
gone() {
    local i
    for ((i = 0; i < 50; i++)); do
        [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)" != Z ] || return 0
        [ -e "/proc/$1" ] || return 0
        sleep 0.1
    done
    return 1
}

# usage: hide COMMAND: it is not in PATH any more
hide() {
    mkdir -p "$here/most"
    cp -sn /usr/sbin/* /usr/bin/* "$here/most/" 2>/dev/null || :
    rm -f "$here/most/$1"
    # shellcheck disable=SC2123
    PATH=$here/most
}
