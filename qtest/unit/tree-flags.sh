#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# How a QEMU build folder compiles and links its own tests/unit/test-aio, as
# arguments for a test from outside the tree, in the format of gcc's @file.
#
# usage: tree-flags.sh compile|link|depends SOURCE BUILD [TARGET]
#
#   compile   flags for a source file, and API_* macros: what this tree's
#             functions are called, and which arguments they take
#   link      objects, archives and libraries
#   depends   the files among them, one a line without quotes: when one is
#             newer, link again
#
# The build folder must have test-aio built: ninja -C BUILD tests/unit/test-aio
# (tests/test-aio before 6.0); or TARGET, where that is given: another test of
# the tree's own, of one C file, to be like.

set -euo pipefail

case ${1:-} in
-h | --help)
    sed -n '4,/^$/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
compile | link | depends) ;;
*) echo "tree-flags.sh: compile, link or depends?" >&2; exit 2 ;;
esac
[ $# -eq 3 ] || [ $# -eq 4 ] || { echo "tree-flags.sh: a source tree and its build folder" >&2; exit 2; }
what=$1
src=$(cd "$2" && pwd -P)
build=$(cd "$3" && pwd)
[ -e "$build/build.ninja" ] || { echo "tree-flags.sh: $build is no build folder" >&2; exit 2; }

unit=tests/unit
[ -e "$src/$unit/test-aio.c" ] || unit=tests
target=${4:-$unit/test-aio}
like=$(basename "$target")
! grep -q "^build $target.exe:" "$build/build.ninja" || target+=.exe
ninja=$(command -v ninja || command -v ninja-build)

# The commands are for a shell, and relative to the build folder.
words() { xargs printf '%s\n'; }
absolute() { case $1 in /*) printf '%s\n' "$1" ;; *) printf '%s/%s\n' "$build" "$1" ;; esac; }
quoted() { sed 's/[\\"]/\\&/g; s/.*/"&"/'; }

compile_flags() {
    local word object
    object=$target.p/$like.c.o
    [[ $target != *.exe ]] || object=$target.p/$like.c.obj
    mapfile -t all < <("$ninja" -C "$build" -t commands -s "$object" | tail -n 1 | words)
    for ((i = 1; i < ${#all[@]}; i++)); do
        word=${all[i]}
        case $word in
        -MD | -c | *"$like.c") ;;
        -MQ | -MF | -o) i=$((i + 1)) ;;
        -I | -isystem | -iquote | -include) printf '%s\n' "$word"; i=$((i + 1)); absolute "${all[i]}" ;;
        -I*) printf -- '-I%s\n' "$(absolute "${word#-I}")" ;;
        -std=*) ;;
        *) printf '%s\n' "$word" ;;
        esac
    done
    # the tree's iothread.h
    printf '%s\n' -iquote "$src/$unit"
    apis
}

has() { ! grep -qsE "$2" "$src/include/$1" || printf -- '-D%s\n' "$3"; }

apis() {
    local aio=block/aio.h
    if [ ! -e "$src/include/$aio" ]; then
        aio=qemu/aio.h
        printf '%s\n' -DAPI_QEMU_AIO_H
    fi
    has qemu/main-loop.h 'qemu_mutex_iothread_locked' API_BQL_IOTHREAD
    has qemu/main-loop.h 'bql_block_unlock' API_BQL_BLOCK
    has qemu/main-loop.h 'bql_update_status' API_BQL_STATUS
    has "$aio" 'bool is_external' API_IS_EXTERNAL
    has "$aio" 'io_poll_ready' API_POLL_READY
    if grep -q '^#define CONFIG_LINUX_IO_URING' "$build/config-host.h"; then
        has "$aio" 'io_uring_fd_tag' API_RING
    fi
}

link_flags() {
    local word
    mapfile -t all < <("$ninja" -C "$build" -t commands -s "$target" | tail -n 1 | words)
    for ((i = 1; i < ${#all[@]}; i++)); do
        word=${all[i]}
        case $word in
        -o) i=$((i + 1)) ;;
        *"/$like.c.o" | *"/$like.c.obj") ;;
        @*) printf '@%s\n' "$(absolute "${word#@}")" ;;
        -L | -isystem | -I) printf '%s\n' "$word"; i=$((i + 1)); absolute "${all[i]}" ;;
        -L*) printf -- '-L%s\n' "$(absolute "${word#-L}")" ;;
        -*) printf '%s\n' "$word" ;;
        *) absolute "$word" ;;
        esac
    done
}

case $what in
compile) compile_flags | quoted ;;
link) link_flags | quoted ;;
depends)
    link_flags | sed -n 's/^@\{0,1\}\//\//p' | while read -r file; do
        case $file in
        "$build"/*)
            [ -e "$file" ] || {
                echo "tree-flags.sh: $file is not built; run: ninja -C $build $target" >&2
                exit 1
            }
            printf '%s\n' "$file"
            ;;
        esac
    done
    ;;
esac
