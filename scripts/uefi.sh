#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makes the UEFI program for aarch64 that writes variables.
#
# usage: uefi.sh
#
# The last line on stdout is the program: build/uefi/variables.efi.  clang and lld
# make it, which build for any machine.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

make_program() {
    clang --target=aarch64-unknown-windows -std=gnu11 -O2 -Wall -Wextra -Werror \
        -ffreestanding -fno-stack-protector -mno-stack-arg-probe \
        -c -o "$dir/variables.o" "$source" &&
        lld-link /subsystem:efi_application /entry:efi_main /nodefaultlib \
            "/out:$dir/variables.new" "$dir/variables.o" &&
        mv "$dir/variables.new" "$dir/variables.efi"
}

case ${1:-} in
-h | --help) print_help "$0"; exit 0 ;;
?*) die "unknown word $1" ;;
esac
need_commands "the UEFI program" clang=clang lld-link=lld
take_build_folder
source=$ROOT/qtest/uefi/variables.c
dir=$BUILD/uefi
mkdir -p "$dir"
[[ $dir/variables.efi -nt $source && $dir/variables.efi -nt $0 ]] ||
    step "making the UEFI program" "$BUILD/log/uefi.log" make_program ||
    cannot "the UEFI program cannot be made; the whole log is $BUILD/log/uefi.log"
printf '%s\n' "$dir/variables.efi"
