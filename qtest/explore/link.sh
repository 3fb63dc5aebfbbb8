#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Links one scenario: the world's objects become one object, whose static data lies
# in sections of its own and whose calls of libc go to the world; then the runtime.
#
# usage: link.sh PROGRAM RUNTIME-OBJECT... -- WORLD-OBJECT...
#
# What the world's objects refer to and nobody defines becomes a stand-in that ends
# the exploration with its name: no stub answers silently.  A trace point's switch
# is a variable, and off.

set -euo pipefail

program=$1
shift
runtime=()
while [ "$1" != -- ]; do
    runtime+=("$1")
    shift
done
shift

# libc functions that only compute
pure=' memcpy memset memmove memcmp strcmp strncmp strlen __errno_location '

ld -r -o "$program.world.o" "$@"
nm "$program.world.o" | awk '$1 != "U" && $2 != "w" { print $3 }' | sort >"$program.defined"
nm -u "$program.world.o" | awk '{ print $2 }' | sort -u |
    grep -vE '^(explore_.*|__tsan_.*|_GLOBAL_OFFSET_TABLE_)$' >"$program.undefined" || :

renames=()
{
    while read -r name; do
        [[ $pure != *" $name "* ]] || continue
        if grep -qx "world_$name" "$program.defined"; then
            renames+=(--redefine-sym "$name=world_$name")
            continue
        fi
        renames+=(--redefine-sym "$name=unexpected_$name")
        printf '    .globl unexpected_%s\n' "$name"
        case $name in
        _TRACE_*_DSTATE)
            printf '    .bss\nunexpected_%s:\n    .skip 8\n' "$name"
            ;;
        *)
            # hooks.c finds the name behind the two instructions
            printf '    .section unexpected, "ax", @progbits\nunexpected_%s:\n' "$name"
            printf '    lea 1f(%%rip), %%rdi\n    jmp explore_unexpected\n'
            printf '1:  .asciz "%s"\n' "$name"
            ;;
        esac
    done <"$program.undefined"
    printf '    .section .note.GNU-stack, "", @progbits\n'
} >"$program.unexpected.s"

objcopy "${renames[@]}" \
    --rename-section .data=wdata \
    --rename-section .data.rel=wdata \
    --rename-section .data.rel.local=wdata \
    --rename-section .bss=wbss,alloc,load,data,contents "$program.world.o"
left=$(objdump -h "$program.world.o" | awk '$2 ~ /^\.(data|bss)/ && $2 !~ /^\.data\.rel\.ro/ { print $2 }' | paste -sd' ')
if [ -n "$left" ]; then
    echo "link.sh: static data that would not be part of the state: $left" >&2
    exit 1
fi
gcc -no-pie -g -o "$program" "${runtime[@]}" "$program.world.o" "$program.unexpected.s"
rm -f "$program.undefined" "$program.defined" "$program.unexpected.s" "$program.world.o"
