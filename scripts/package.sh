#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makes Debian packages of the tools and of the shim, with Debian's own means.
#
# usage: package.sh [--version VERSION] [--try ROOT] [FOLDER]
#
#   FOLDER           where the packages go (default: package, in the build folder)
#   --version        of the packages (default: that of qtest/meson.build)
#   --try ROOT       afterwards, as root: install, use and purge them in a copy of
#                    ROOT, an unpacked Debian (as debootstrap makes it) with a
#                    qemu-system-x86_64 in it
#
# Builds on this machine, in a folder of its own; needs debhelper, and runs lintian
# if it is there.  Prints the packages, one a line.  Others than Debian:
# meson setup build qtest && meson install -C build --destdir DIR
#
# Exit status: 0 packages made (and tried), 1 lintian or the try complains, 2 wrong
# use, 77 not possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

version=
root=
out=$BUILD/package
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --version) version=$(value_of "$@"); shift ;;
    --try) root=$(realpath -e -- "$(value_of "$@")") || die "there is no folder $2"; shift ;;
    -*) die "unknown option $1" ;;
    *) out=$1 ;;
    esac
    shift
done
: "${version:=$(sed -n "s/^ *version: '\(.*\)',/\1/p" "$ROOT/qtest/meson.build" | head -n 1)}"
[[ $version =~ ^[0-9][A-Za-z0-9.+~]*$ ]] || die "'$version' is no version of a native Debian package"
need_commands "making packages" dpkg-buildpackage=dpkg-dev dh=debhelper meson=meson gcc=gcc
[ -z "$root" ] || [ "$(id -u)" -eq 0 ] || cannot "--try needs root"

log=$BUILD/log
work=$BUILD/package-work
tree=$work/aio-wakeup-$version

# What the packages are made of, and nothing that somebody keeps beside it
stage() {
    rm -rf "$work"
    mkdir -p "$tree"
    tar -c -C "$ROOT" --exclude=__pycache__ build.sh LICENSE README.md qtest scripts |
        tar -x -C "$tree"
    cp -a "$ROOT/scripts/package/debian" "$tree/debian"
    cat >"$tree/debian/changelog" <<EOF
aio-wakeup ($version) unstable; urgency=medium

  * The tools and the shim as they are in the repository.

 -- aio-wakeup <aio-wakeup@packages.invalid>  $(date -R -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}")
EOF
}

stage
step "building the packages" "$log/package.log" \
    env -C "$tree" dpkg-buildpackage -us -uc -b -j"$(jobs_wanted)" ||
    cannot "the packages do not build here; see above"
mkdir -p "$out" || die "cannot make the folder $out"
rm -f "$out"/*.deb
packages=()
for package in "$work"/*.deb; do
    [[ $package != *-dbgsym_* ]] || continue
    cp "$package" "$out/"
    packages+=("$out/${package##*/}")
done

status=0
if command -v lintian >/dev/null; then
    step "lintian" "$log/lintian.log" lintian --allow-root --fail-on error,warning \
        "${packages[@]}" || status=$FINDING
else
    say "no lintian here; install it to have the packages looked at"
fi
if [ -n "$root" ]; then
    step "installing, using and purging them in a copy of $root" "$log/package-try.log" \
        "$SCRIPTS/package/try.sh" "$root" "${packages[@]}" || status=$FINDING
fi
printf '%s\n' "${packages[@]}"
exit "$status"
