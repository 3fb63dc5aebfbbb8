#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds a small QEMU: one target, TCG, the features that the guest needs.
#
# usage: qemu.sh [--tree DIR | --suite NAME[=VERSION]] [--variant NAME] [TARGET...]
#
#   --tree DIR       of this QEMU tree (a copy is built, DIR is only read)
#   --suite NAME     of this Debian release's package; the default is the
#                    machine's own release; sid=10.2.2 is an older one that it has
#   --variant NAME   stock (default), patched (with the whole series), a state of
#                    it (generation.conf: rule, awake, requests), a number: with so many
#                    patches of it, or mutants/NAME: with that one patch, which is
#                    kept for tests, on the state that its header names ("Base:")
#   --program FILE   also this C program, built as the tree's own unit test test-aio
#                    is, and kept under its name without .c
#   --work           leave this variant, with its TARGETs, in the place where all
#                    variants are built, and print that place: for what is linked
#                    with its archives
#   --windows DIR    cross-built for Windows, with the libraries that
#                    windows-libs.sh has put in DIR; TARGETs end in .exe
#   --print          only print the folder that these options stand for
#   TARGET           what ninja builds; default: qemu-system-x86_64; tests/unit/NAME
#                    stands for tests/NAME in a tree of before 6.0; with
#                    qemu-system-aarch64 among them all are built for that, in a
#                    place of its own
#
# The last line on stdout is the folder with what was built, under the names that
# it has in a build folder.  All variants of a tree are built in one place, one
# after the other: what a patch does not touch is not compiled again.
#
# Only the devices that the guest drives are in it; AIO_WAKEUP_DEVICES=all keeps
# those that configure would choose.  Further options of configure:
# AIO_WAKEUP_CONFIGURE.

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
choose_devices() {
    devices=configs/devices/$arch-softmmu/aio-wakeup.mak
    wanted_devices=(I440FX VIRTIO_PCI VIRTIO_BLK VIRTIO_SCSI ISA_DEBUG NVME_PCI SDHCI_PCI)
    # the latter three are said to be always required
    [ "$arch" = x86_64 ] || wanted_devices=(ARM_VIRT VIRTIO_BLK ARM_V7M SEMIHOSTING ARM_COMPATIBLE_SEMIHOSTING)
    # 9.1 and 9.2: the NVMe disk needs it, and does not say so
    ! grep -qs '^config SPDM_SOCKET' "$set/src/backends/Kconfig" ||
        grep -q 'select SPDM_SOCKET' "$set/src/hw/nvme/Kconfig" || wanted_devices+=(SPDM_SOCKET)
    [ -d "$set/src/$(dirname "$devices")" ] || return 0
    printf 'CONFIG_%s=y\n' "${wanted_devices[@]}" >"$set/src/$devices"
}

copy_user_tree() {
    local excludes=(--exclude=.git "--exclude=/configs/devices/*/aio-wakeup.mak") found
    while read -r found; do
        excludes+=("--exclude=/$(dirname "$found")/")
    done < <(cd "$tree" && find . -mindepth 2 -maxdepth 2 -name build.ninja -printf '%P\n')
    # A stamp says when the copy last changed; a sync that was cut short counts.
    touch "$set/syncing.new"
    [ -e "$set/syncing" ] || mv "$set/syncing.new" "$set/syncing"
    sync_trees "$tree" "$set/src" -i "${excludes[@]}" --exclude=/.aio-wakeup-source \
        >"$set/changes" || return
    if [ -s "$set/changes" ] || [ -e "$set/syncing.new" ]; then
        date +%s.%N >"$set/src/.aio-wakeup-source"
    fi
    rm -f "$set/syncing.new" "$set/syncing"
}

# usage: patches_wanted: the patches of this variant, one a line
patches_wanted() {
    local generation all have base
    [ "$variant" != stock ] || return 0
    generation=$(find_generation "$set/src")
    if [ -n "$extra" ]; then
        extra=$PATCHES/$extra.patch
        [ -e "$extra" ] || die "there is no patch $extra"
        base=$(length_of_state "$generation" "$(sed -n 's/^Base: //p' "$extra")")
        series_patches "$generation" | head -n "$base"
        printf '%s\n' "$extra"
        return
    fi
    upto=$(length_of_state "$generation" "$variant")
    mapfile -t all < <(series_patches "$generation")
    [ "$upto" -le ${#all[@]} ] || die "the series of $generation has ${#all[@]} patches, there is no patch $upto"
    have=$(series_state "$set/src" "$generation")
    [ "$have" -le "$upto" ] || die "$tree has $have patches of the series already"
    [ "$have" -eq "$upto" ] || printf '%s\n' "${all[@]:have:upto-have}"
}

# The place where all variants are built becomes this variant's tree: what the
# patches touch is patched aside, then all is synced.
fill_work() {
    local aside=$set/aside excludes=() file
    rm -f "$work/holds"
    rm -rf "$aside"
    mkdir -p "$aside"
    [ ${#patches[@]} -eq 0 ] || try_patches "$set/src" "$aside" "${patches[@]}"
    while read -r file; do
        excludes+=("--exclude=/$file")
    done < <(cd "$aside" && find . -type f -printf '%P\n')
    sync_trees "$set/src" "$work/src" "${excludes[@]}"
    rsync -rlp --checksum "$aside/" "$work/src/"
    printf '%s\n' "$key" >"$work/holds"
}

# What this QEMU's configure knows of what we want.
options() {
    local source=$1 option known
    # the second of them is not in every tree
    known=$(cat "$source/configure" "$source/scripts/meson-buildoptions.sh" 2>/dev/null || :)
    for option in --without-default-features --disable-install-blobs \
        --disable-download --disable-debug-info; do
        ! grep -qe "$option" -e "${option/--disable/--enable}" <<<"$known" || printf '%s\n' "$option"
    done
    # a quarter less time to build than with -O2, and fast enough for a guest
    printf '%s\n' --extra-cflags=-O1
    # 5.2 finds no static libfdt
    if [ -z "$windows" ] || { [ -e "$windows/lib/libfdt.a" ] && [ -e "$source/scripts/meson-buildoptions.sh" ]; }; then
        printf '%s\n' --target-list="$arch-softmmu" --enable-tcg --enable-fdt=system
    else
        printf '%s\n' --disable-system
    fi
    printf '%s\n' --enable-tools
    if [ -z "$windows" ]; then
        printf '%s\n' --enable-linux-aio --enable-linux-io-uring
    else
        printf '%s\n' --cross-prefix=x86_64-w64-mingw32-
    fi
    printf '%s\n' --disable-docs
    if [ -e "$source/$devices" ] && [ "${AIO_WAKEUP_DEVICES:-}" != all ]; then
        printf '%s\n' --without-default-devices "--with-devices-$arch=aio-wakeup"
        # 10.2 and 11.0: ACPI refers to a function of CXL, which has no stub; nobody
        # calls it here
        ! grep -qs cxl_fmws_get_all_sorted "$source/hw/acpi/cxl.c" ||
            grep -q cxl_fmws_get_all_sorted "$source/hw/cxl/cxl-host-stubs.c" ||
            printf '%s\n' --extra-ldflags=-Wl,--defsym=cxl_fmws_get_all_sorted=0
    fi
    if grep -q -e '--meson=' <<<"$known"; then
        printf '%s\n' --meson=/usr/bin/meson
    else
        printf '%s\n' --python=/usr/bin/python3
    fi
    # shellcheck disable=SC2086
    printf '%s\n' ${AIO_WAKEUP_CONFIGURE:-}
}

# A tree may want a newer meson than the machine has, each time ninja runs, too.
find_meson() {
    local wanted modules
    [ -e "$set/src/pythondeps.toml" ] || return 0
    wanted=$(sed -n 's/^meson = .*accepted = ">=\([0-9.]*\)".*/\1/p' "$set/src/pythondeps.toml" | head -n 1)
    [ -n "$wanted" ] || return 0
    modules=$("$SCRIPTS/meson.sh" "$wanted")
    [ -z "$modules" ] || export PYTHONPATH=$modules
}

configure() {
    rm -rf "$work/build"
    [ -n "${*: -1}" ] || set -- "${@:1:$#-1}" # 5.2 takes no empty word
    mkdir -p "$work/build" && cd "$work/build" && "../src/configure" "$@" || return
    [ -z "$windows" ] || precompile || :
}

# For Windows the one header that every source begins with is three quarters of
# the time to compile it.  The compiler finds it here, in front of the source's:
# once with the flags for threads, once without, once with those of the target.
precompile() {
    local to=qemu/osdep.h.gch object flags
    mkdir -p "$to" || return
    # for the second time that a source includes it
    printf '#include "%s"\n' ../../src/include/qemu/osdep.h >qemu/osdep.h
    # osdep.h includes it, and in 10.0 it is ninja that makes it
    ! ninja -t query config-poison.h >/dev/null 2>&1 || ninja config-poison.h || return
    while read -r object; do
        flags=$(ninja -t commands -s "$object" | sed -n '$s, -MD .*,,p')
        eval "$flags -x c-header -o $to/${object%%/*}.gch qemu/osdep.h" || return
    done < <(ninja -t targets all | grep -oE \
        '^lib(qemuutil[^/]*/util_osdep|qom[^/]*/qom_object|qemu-x86_64-softmmu[^/]*/target_i386_cpu)\.c\.obj')
}

# usage: keep_built TARGET...: copies what was built to the variant's folder
keep_built() {
    local target
    for target; do
        mkdir -p "$dir/$(dirname "$target")"
        cp -p "$work/build/$target" "$dir/$target.new"
        mv "$dir/$target.new" "$dir/$target"
    done
    printf '%s\n' "$key" >"$dir/key"
}

# A program of ours takes the place of test-aio.c in the commands that ninja has
# for that test: so it gets the libraries of the tree, in any generation.
build_program() {
    local unit=tests/unit name compile link
    name=$(basename "$program" .c)
    cd "$work/build" || return
    [ -d "$work/src/$unit" ] || unit=tests
    ninja -j "$(jobs_wanted)" "$unit/test-aio" && ninja -t commands "$unit/test-aio" >"$set/commands" || return
    compile=$(sed -n "s, -M[QF] [^ ]*,,g; s, -o [^ ]*, -o $name.o,
                      s, -c [^ ]*/test-aio\.c\$, -c '$program',p" "$set/commands")
    link=$(sed -n "s, -o $unit/test-aio , -o $name ,
                   s, $unit/test-aio.p/test-aio.c.o , $name.o ,p" "$set/commands")
    [ -n "$compile" ] && [ -n "$link" ] || return
    printf '%s\n' "$compile" "$link"
    eval "$compile" && eval "$link" && cp -p "$program" "$name.c"
}

tree=
suite=
variant=stock
program=
only_print=no
only_work=no
windows=
targets=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree) tree=$(value_of "$@"); shift ;;
    --suite) suite=$(value_of "$@"); shift ;;
    --variant) variant=$(value_of "$@"); shift ;;
    --program) program=$(realpath -e -- "$(value_of "$@")") || die "there is no file $2"; shift ;;
    --work) only_work=yes ;;
    --windows) windows=$(realpath -e -- "$(value_of "$@")") || die "there is no folder $2"; shift ;;
    --print) only_print=yes ;;
    -*) die "unknown option $1" ;;
    *) targets+=("$1") ;;
    esac
    shift
done
[ ${#targets[@]} -gt 0 ] || targets=(qemu-system-x86_64)
arch=x86_64
[[ " ${targets[*]} " != *" qemu-system-aarch64 "* ]] || arch=aarch64
extra=
case $variant in
mutants/?*) extra=$variant ;;
stock | patched) ;;
'' | 0 | *[!0-9]*)
    grep -qs "^state = $variant | " "$PATCHES"/*/generation.conf || die "--variant is stock, patched, a state (rule, awake, requests), a number from 1, or mutants/NAME, not '$variant'"
    ;;
esac

if [ -n "$tree" ]; then
    must_be_qemu "$tree"
    tree=$(cd "$tree" && pwd -P)
    set=$BUILD/qemu/tree-$(printf '%s' "$tree" | cksum | cut -d' ' -f1)
else
    suite=${suite:-$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")}
    set=$BUILD/qemu/$(folder_of_suite "$suite")
fi
kind=${windows:+-windows}
[ "$arch" = x86_64 ] || kind+=-$arch
work=$set/work$kind
case $variant in
[0-9]*) dir=$set/upto-$variant ;;
*) dir=$set/${variant//\//-} ;;
esac
dir+=$kind
if [ "$only_print" = yes ]; then
    printf '%s\n' "$dir"
    exit 0
fi

[ -z "$tree" ] || must_build_here "$tree"
need_commands "building QEMU" gcc=gcc ninja=ninja-build meson=meson rsync=rsync \
    make=make pkg-config=pkg-config python3=python3 patch=patch
take_build_folder
use_ccache
[ -z "$windows" ] || PATH=$windows/bin:$PATH
mkdir -p "$set"
log=$BUILD/log/$(basename "$set")$kind

if [ -z "$tree" ]; then
    guarded "$SCRIPTS/source.sh" --suite "$suite" "$set/src"
else
    [ -d "$set/src" ] || need_space "$set" 3500 "a copy of $tree and a build of it"
    guarded copy_user_tree || cannot "$tree cannot be copied to $set"
fi
choose_devices
[ -d "$set/src/tests/unit" ] || targets=("${targets[@]/#tests\/unit\//tests/}")
version=$(cat "$set/src/VERSION")
list=$(patches_wanted)
mapfile -t patches < <(printf '%s' "${list:+$list
}")
mapfile -t wanted < <(options "$set/src")
state="$(sha256sum <"$set/src/configure") ${wanted[*]} ${wanted_devices[*]}${windows:+ $windows $(cat "$windows/key")}"
key=$(cat "$set/src/.aio-wakeup-source" "${patches[@]}" - <<<"$state" | sha256sum | cut -c1-16)
[ "$(cat "$dir/key" 2>/dev/null || :)" = "$key" ] || rm -rf "$dir"

missing=()
for target in "${targets[@]}"; do
    [ "$only_work" = no ] && [ -e "$dir/$target" ] || missing+=("$target")
done
with=$(basename "$program" .c)
[ -z "$program" ] || ! cmp -s "$program" "$dir/$with.c" || program=
if [ ${#missing[@]} -gt 0 ] || [ -n "$program" ]; then
    mkdir -p "$work"
    find_meson
    [ "$(cat "$work/holds" 2>/dev/null || :)" = "$key" ] || fill_work
    if [ "$(cat "$work/configured" 2>/dev/null || :)" != "$state" ]; then
        need_space "$work" 500 "a build of QEMU"
        rm -f "$work/configured"
        step "configuring QEMU $version" "$log-configure.log" configure "${wanted[@]}" ||
            cannot "this tree does not configure here; the whole log is $log-configure.log"
        printf '%s\n' "$state" >"$work/configured"
    fi
    log=$log-$(basename "$dir")
    if [ ${#missing[@]} -gt 0 ]; then
        step "building $variant QEMU $version: ${missing[*]}" "$log-build.log" \
            ninja -C "$work/build" -j "$(jobs_wanted)" "${missing[@]}" ||
            cannot "the build failed; the whole log is $log-build.log"
        [ "$only_work" = yes ] || keep_built "${missing[@]}"
    fi
    if [ -n "$program" ]; then
        step "building $with of $variant QEMU $version" "$log-$with.log" build_program ||
            cannot "$program does not build with $version; the whole log is $log-$with.log"
        keep_built "$with" "$with.c"
    fi
fi
[ "$only_work" = no ] || dir=$work
printf '%s\n' "$dir"
