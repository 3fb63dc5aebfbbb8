#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Gets Debian's kernel, and makes the small initrd that writes UEFI variables.
#
# usage: linux.sh [--update] ARCH
#
#   ARCH      amd64 or arm64, whatever this machine is
#   --update  ask the archive even if the cache holds the packages
#
# The last line on stdout is the folder with vmlinuz, initrd, lib/modules (for
# supermin) and, for amd64, the program variables.  The packages come with apt's
# own means from the archives that this machine's apt knows, are kept in the
# cache folder, and are unpacked, not installed; no root is needed.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/apt.sh"

# The cloud kernel: a third of the size, and it has every driver we use.
packages_of() {
    case $1 in
    amd64) echo linux-image-cloud-amd64 ;;
    arm64) echo linux-image-cloud-arm64 busybox-static ;;
    esac
}

# What the initrd loads, in this order; what the kernel has built in is skipped.
modules_of() {
    echo virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
    case $1 in
    amd64) echo virtio_blk ;;
    arm64) echo virtio_mmio crc-t10dif t10-pi scsi_common scsi_mod virtio_scsi sd_mod ;;
    esac
    echo efivarfs
}

download() {
    local package names=()
    rm -rf "$apt/download"
    mkdir -p "$apt/download" || return
    cd "$apt/download" || return
    private_apt apt-get update || :
    for package in $(packages_of "$arch"); do
        case $package in
        linux-image-*)
            # the metapackage names the present kernel
            names+=("$(private_apt apt-cache depends "$package" | awk '/Depends:/ { print $2; exit }')")
            ;;
        *) names+=("$package") ;;
        esac
    done
    [ -n "${names[0]}" ] && private_apt apt-get download "${names[@]}"
}

unpack() {
    local deb version module file
    for deb in "$kept"/*.deb; do
        dpkg-deb -x "$deb" "$new/files" || return
    done
    version=$(basename "$(echo "$new"/files/lib/modules/*)")
    cp "$new/files/boot/vmlinuz-$version" "$new/vmlinuz" || return
    mkdir -p "$new/rd/bin" "$new/lib/modules" || return
    mv "$new/files/lib/modules/$version" "$new/lib/modules/" || return
    depmod -b "$new" "$version" || return
    for module in $(modules_of "$arch"); do
        file=$(find "$new/lib/modules" -name "$module.ko" -print -quit)
        [ -n "$file" ] || continue
        cp "$file" "$new/rd/" && echo "/$module.ko" >>"$new/rd/modules" || return
    done
    if [ "$arch" = amd64 ]; then
        gcc -std=gnu11 -O2 -Wall -static -o "$new/variables" "$ROOT/qtest/linux/variables.c" &&
            cp "$new/variables" "$new/rd/init" || return
    else
        cp "$new/files/bin/busybox" "$new/rd/bin/" &&
            cp "$ROOT/qtest/linux/init-arm64.sh" "$new/rd/init" || return
    fi
    (cd "$new/rd" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1 >"$new/initrd") || return
    rm -rf "$new/files" "$new/rd"
}

arch=
update=no
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --update) update=yes ;;
    -*) die "unknown option $1" ;;
    *) arch=$1 ;;
    esac
    shift
done
[[ $arch == amd64 || $arch == arm64 ]] || die "which kernel: amd64 or arm64?"
PATH=$PATH:/usr/sbin:/sbin
need_commands "getting Debian's kernel" apt-get=apt dpkg-deb=dpkg cpio=cpio gcc=gcc depmod=kmod
take_build_folder

private_folder "linux-$arch"
apt_options+=(-o APT::Architecture="$arch" -o APT::Architectures="$arch" -o Dir::State::status=/dev/null)
kept=$CACHE/linux-$arch
if [ ! -d "$kept" ] || [ "$update" = yes ]; then
    need_space "$CACHE" 150 "Debian's kernel for $arch"
    at_end "$apt/download"
    if step "getting Debian's kernel for $arch" "$BUILD/log/linux-$arch.log" download; then
        rm -rf "$kept"
        mv "$apt/download" "$kept"
    elif [ ! -d "$kept" ]; then
        cannot "Debian's packages for $arch are out of reach ($(packages_of "$arch")); check the network, and that apt's sources carry $arch"
    else
        say "    the packages in the cache are used instead"
    fi
fi

dir=$BUILD/linux/$arch
new=$dir.new
key=$(cat "$ROOT"/qtest/linux/* "$0" <(cd "$kept" && ls) | sha256sum | cut -c1-16)
if [ "$(cat "$dir/key" 2>/dev/null || :)" != "$key" ]; then
    need_space "$BUILD" 250 "Debian's kernel for $arch, unpacked"
    at_end "$new"
    rm -rf "$new"
    mkdir -p "$new"
    step "making an initrd for $arch" "$BUILD/log/initrd-$arch.log" unpack ||
        cannot "the initrd for $arch cannot be made (gcc needs package libc6-dev for a static program); the whole log is $BUILD/log/initrd-$arch.log"
    echo "$key" >"$new/key"
    rm -rf "$dir"
    mv "$new" "$dir"
fi
printf '%s\n' "$dir"
