#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds a small QEMU: one target, TCG, the features that the guest needs.
#
# usage: qemu.sh [--tree DIR | --suite NAME] [--variant NAME] [TARGET...]
#
#   --tree DIR       of this QEMU tree (a copy is built, DIR is only read)
#   --suite NAME     of this Debian release's package; the default is the
#                    machine's own release
#   --variant NAME   stock (default), patched (with the whole series), a number:
#                    with so many patches of it, or wrong/NAME, mutants/NAME:
#                    with that one patch, which is kept for tests
#   --print          only print the build folder that these options stand for
#   TARGET           what ninja builds; default: qemu-system-x86_64
#
# Only the devices that the guest drives are in it; AIO_WAKEUP_DEVICES=all keeps
# those that configure would choose.
#
# The last line on stdout is the build folder.  Objects of one variant serve the
# others through the compiler cache: what a patch does not touch is not compiled
# again.  Further configure options: AIO_WAKEUP_CONFIGURE.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/series.sh"

# usage: sync_trees FROM TO [RSYNC OPTION...]: TO becomes a copy of FROM.  A file
# that differs gets the present time, so that ninja sees the change either way.
sync_trees() {
    local from=$1 to=$2
    shift 2
    mkdir -p "$to" && rsync -rlp --checksum --delete "$@" "$from/" "$to/"
}

# What the guest drives; the board brings the rest.
devices=configs/devices/x86_64-softmmu/aio-wakeup.mak

choose_devices() {
    [ -d "$set/stock/src/$(dirname "$devices")" ] || return 0
    printf 'CONFIG_%s=y\n' I440FX VIRTIO_PCI VIRTIO_BLK ISA_DEBUG >"$set/stock/src/$devices"
}

copy_user_tree() {
    local excludes=(--exclude=.git "--exclude=/$devices") found
    while read -r found; do
        excludes+=("--exclude=/$(dirname "$found")/")
    done < <(cd "$tree" && find . -mindepth 2 -maxdepth 2 -name build.ninja -printf '%P\n')
    sync_trees "$tree" "$set/stock/src" "${excludes[@]}"
}

# The patched tree: what the patches touch is patched aside, then all is synced.
make_patched_tree() {
    local aside=$set/aside excludes=() file generation have
    at_end "$aside"
    generation=$(find_generation "$set/stock/src")
    if [ -n "$extra" ]; then
        extra=$PATCHES/${extra%%/*}/$generation/${extra#*/}.patch
        [ -e "$extra" ] || die "there is no patch $extra"
        try_patches "$set/stock/src" "$aside" "$extra"
    else
        have=$(series_state "$set/stock/src" "$generation")
        [ "$variant" != patched ] || upto=$(series_length "$generation")
        try_series "$set/stock/src" "$generation" "$have" "$upto" "$aside"
    fi
    while read -r file; do
        excludes+=("--exclude=/$file")
    done < <(cd "$aside" && find . -type f -printf '%P\n')
    sync_trees "$set/stock/src" "$dir/src" "${excludes[@]}"
    rsync -rlp --checksum "$aside/" "$dir/src/"
}

# What this QEMU's configure knows of what we want.
options() {
    local source=$1 option known
    known=$(cat "$source/configure" "$source/scripts/meson-buildoptions.sh" 2>/dev/null)
    for option in --without-default-features --disable-install-blobs \
        --disable-download --disable-debug-info; do
        ! grep -qe "$option" -e "${option/--disable/--enable}" <<<"$known" || printf '%s\n' "$option"
    done
    printf '%s\n' --target-list=x86_64-softmmu --enable-tcg --enable-fdt=system \
        --enable-tools --enable-linux-aio --enable-linux-io-uring --disable-docs
    if [ -e "$source/$devices" ] && [ "${AIO_WAKEUP_DEVICES:-}" != all ]; then
        printf '%s\n' --without-default-devices --with-devices-x86_64=aio-wakeup
    fi
    if grep -q -e '--meson=' <<<"$known"; then
        printf '%s\n' --meson=/usr/bin/meson
    else
        printf '%s\n' --python=/usr/bin/python3
    fi
    # shellcheck disable=SC2086
    printf '%s\n' ${AIO_WAKEUP_CONFIGURE:-}
}

configure() {
    rm -rf "$dir/build"
    mkdir -p "$dir/build" && cd "$dir/build" && "../src/configure" "$@"
}

tree=
suite=
variant=stock
only_print=no
targets=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree) tree=$(value_of "$@"); shift ;;
    --suite) suite=$(value_of "$@"); shift ;;
    --variant) variant=$(value_of "$@"); shift ;;
    --print) only_print=yes ;;
    -*) die "unknown option $1" ;;
    *) targets+=("$1") ;;
    esac
    shift
done
[ ${#targets[@]} -gt 0 ] || targets=(qemu-system-x86_64)
upto=0
extra=
case $variant in
stock | patched) ;;
wrong/?* | mutants/?*) extra=$variant ;;
*[!0-9]* | 0 | '') die "--variant is stock, patched, a number from 1, or wrong/NAME, not '$variant'" ;;
*) upto=$variant ;;
esac

if [ -n "$tree" ]; then
    must_be_qemu "$tree"
    tree=$(cd "$tree" && pwd -P)
    set=$BUILD/qemu/tree-$(printf '%s' "$tree" | cksum | cut -d' ' -f1)
else
    suite=${suite:-$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")}
    set=$BUILD/qemu/$suite
fi
case $variant in
[0-9]*) dir=$set/upto-$variant ;;
*) dir=$set/${variant//\//-} ;;
esac
if [ "$only_print" = yes ]; then
    printf '%s\n' "$dir/build"
    exit 0
fi

need_commands "building QEMU" gcc=gcc ninja=ninja-build meson=meson rsync=rsync \
    make=make pkg-config=pkg-config python3=python3 patch=patch
take_build_folder
use_ccache
log=$BUILD/log/$(basename "$set")-$(basename "$dir")
mkdir -p "$dir"

if [ -z "$tree" ]; then
    guarded "$SCRIPTS/source.sh" --suite "$suite" "$set/stock/src"
else
    need_space "$set" 1500 "a copy of $tree"
    guarded copy_user_tree || cannot "$tree cannot be copied to $set"
fi
choose_devices
[ "$variant" = stock ] || make_patched_tree

mapfile -t wanted < <(options "$dir/src")
state="$(sha256sum <"$dir/src/configure") ${wanted[*]}"
if [ "$(cat "$dir/configured" 2>/dev/null || :)" != "$state" ] || [ ! -e "$dir/build/build.ninja" ]; then
    need_space "$dir" 1500 "a build of QEMU"
    rm -f "$dir/configured"
    step "configuring $variant QEMU $(cat "$dir/src/VERSION")" "$log-configure.log" configure "${wanted[@]}" ||
        cannot "this tree does not configure here; the whole log is $log-configure.log"
    printf '%s\n' "$state" >"$dir/configured"
fi
pending=$(ninja -C "$dir/build" -n "${targets[@]}" | tail -n 1)
if [[ $pending != *"no work to do"* ]]; then
    step "building $variant QEMU $(cat "$dir/src/VERSION"): ${targets[*]}" "$log-build.log" \
        ninja -C "$dir/build" -j "$(jobs_wanted)" "${targets[@]}" ||
        cannot "the build failed; the whole log is $log-build.log"
fi
printf '%s\n' "$dir/build"
