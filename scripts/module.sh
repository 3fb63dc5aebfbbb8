#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds the test module (guest firmware, schedule engine, verdict program) out
# of qtest/, if it is not up to date.  Needs no QEMU.
#
# usage: module.sh [--aarch64]
#
#   --aarch64   with the guest for aarch64, too, for which the source of libfdt is
#               got
#
# A second run at the same time waits for the first: this takes seconds.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

aarch64=no
for word; do
    case $word in
    -h | --help) print_help "$0"; exit 0 ;;
    --aarch64) aarch64=yes ;;
    *) die "unknown word $word" ;;
    esac
done

need_commands "building the test module" gcc=gcc ninja=ninja-build meson=meson pkg-config=pkg-config
pkg-config --exists glib-2.0 json-glib-1.0 ||
    cannot "the test module needs glib and json-glib; install them with: apt-get install --no-install-recommends libglib2.0-dev libjson-glib-dev"
mkdir -p "$BUILD" 2>/dev/null || die "cannot make the build folder $BUILD"
exec {module_fd}<>"$BUILD/lock-module"
flock "$module_fd"
use_ccache

dir=$BUILD/module
if [ ! -e "$dir/build.ninja" ]; then
    need_space "$BUILD" 50 "the test module"
    rm -rf "$dir"
    step "configuring the test module" "$BUILD/log/module-configure.log" \
        meson setup "$dir" "$ROOT/qtest" ||
        cannot "the test module does not configure here; see above"
fi
if [ "$aarch64" = yes ] && [ ! -e "$dir/guest/aarch64/lost-bh.bin" ]; then
    need_commands "building the guest for aarch64" aarch64-linux-gnu-gcc=gcc-aarch64-linux-gnu
    fdt=$BUILD/libfdt
    guarded "$SCRIPTS/source.sh" --orig device-tree-compiler "$fdt" ||
        cannot "the guest for aarch64 needs the source of libfdt (device-tree-compiler)"
    step "configuring the guest for aarch64" "$BUILD/log/module-configure.log" \
        meson setup --reconfigure "$dir" "$ROOT/qtest" -Dlibfdt_src="$fdt/libfdt" ||
        cannot "the guest for aarch64 does not configure here; see above"
fi
if [[ $(ninja -C "$dir" -n | tail -n 1) != *"no work to do"* ]]; then
    step "building the test module" "$BUILD/log/module-build.log" \
        ninja -C "$dir" -j "$(jobs_wanted)" ||
        cannot "the test module does not build here; see above"
fi
