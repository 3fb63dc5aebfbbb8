#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Set-up: lists the Debian packages that a job needs and the machine lacks,
# and installs them.  The only script that installs anything.
#
# usage: packages.sh [--list] JOB...
#
#   JOB      verdict, main or check, each includes the one before it; package;
#            windows; libguestfs (for soak, too)
#   --list   only print the missing ones, one a line
#
# As root the packages are installed; otherwise the one command that does so is
# printed, and the exit status is 2.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

wanted() {
    case $1 in
    verdict)
        echo gcc libc6-dev meson ninja-build pkg-config libglib2.0-dev libjson-glib-dev
        ;;
    main)
        wanted verdict
        echo qemu-system-x86 dpkg-dev patch rsync ccache jq make python3
        echo zlib1g-dev libfdt-dev libpixman-1-dev libaio-dev liburing-dev
        ;;
    check)
        wanted main
        echo git quilt bats shellcheck procps perl
        echo gdb strace # diagnose
        echo python3-venv # the configure of QEMU 10.0
        echo ovmf cpio kmod # a boot of UEFI
        echo clang lld qemu-system-arm qemu-efi-aarch64 # another one
        echo spin parallel bsdextrautils # the models
        ;;
    package)
        wanted verdict
        echo dpkg-dev debhelper lintian
        ;;
    windows)
        wanted verdict # the guest; and what QEMU's own build needs, native
        echo dpkg-dev patch rsync ccache jq make python3
        echo gcc-mingw-w64-x86-64-posix g++-mingw-w64-x86-64-posix libz-mingw-w64-dev
        echo wine64
        ;;
    libguestfs)
        wanted verdict
        echo qemu-system-x86 qemu-system-arm ovmf qemu-efi-aarch64
        echo guestfish supermin udev kmod cpio # udev: for the appliance
        echo clang lld # the UEFI program for aarch64
        echo util-linux procps parallel gnuplot-nox stress-ng
        ;;
    *) die "unknown job '$1'; one of verdict, main, check, package, windows, libguestfs" ;;
    esac
}

missing() {
    local package
    for package; do
        dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null |
            grep -qx installed || printf '%s\n' "$package"
    done
}

fetch() {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends --download-only "$@"
}

install() {
    DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends --no-download "$@"
}

list=no
jobs=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --list) list=yes ;;
    -*) die "unknown option $1" ;;
    *) jobs+=("$1") ;;
    esac
    shift
done
[ ${#jobs[@]} -gt 0 ] || die "which job? verdict, main, check, package, windows or libguestfs"

command -v dpkg-query >/dev/null ||
    cannot "this is not a Debian system: install by hand what README.md names"
read -ra names <<<"$(for job in "${jobs[@]}"; do wanted "$job"; done | tr '\n' ' ')"
mapfile -t lacking < <(missing "${names[@]}" | sort -u)
if [ "$list" = yes ]; then
    [ ${#lacking[@]} -eq 0 ] || printf '%s\n' "${lacking[@]}"
    exit 0
fi
# supermin wants this folder, whatever kernel it is told to take
if [[ " ${jobs[*]} " == *" libguestfs "* && ! -d /lib/modules && $(id -u) -eq 0 ]]; then
    say "making the folder /lib/modules, which no package of a kernel has made"
    mkdir -p /lib/modules
fi
[ ${#lacking[@]} -gt 0 ] || exit 0

say "packages that are missing: ${lacking[*]}"
command="apt-get install --no-install-recommends ${lacking[*]}"
[ "$(id -u)" -eq 0 ] || die "not root; run this as root, then start again: $command"
step "getting ${#lacking[@]} packages" "$BUILD/log/packages-get.log" fetch "${lacking[@]}" ||
    cannot "packages are out of reach; check the network and apt's sources, then: $command"
unstoppable
step "installing them" "$BUILD/log/packages-install.log" install "${lacking[@]}" ||
    cannot "the packages could not be installed; try: $command"
