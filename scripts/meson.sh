#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A meson that is new enough to configure a QEMU: the machine's own, or else the
# one of this release's backports, fetched by apt's own means and unpacked in the
# cache folder.  Nothing is installed.
#
# usage: meson.sh VERSION
#
#   VERSION   the oldest that will do: 1.5.0
#
# Prints the folder that PYTHONPATH must have, or nothing.  The archive is that of
# the machine's apt configuration.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/apt.sh"

case ${1:-} in
-h | --help) print_help "$0"; exit 0 ;;
[0-9]*) ;;
*) die "which version? 1.5.0, say" ;;
esac
wanted=$1

# usage: new_enough VERSION
new_enough() { [ "$(printf '%s\n' "$wanted" "${1:-0}" | sort -V | head -n 1)" = "$wanted" ]; }

! new_enough "$(/usr/bin/python3 -c 'import mesonbuild.coredata as c; print(c.version)' 2>/dev/null)" ||
    exit 0

own=$(own_release)
need_commands "getting a newer meson" apt-get=apt dpkg-deb=dpkg
kept=$CACHE/meson-$own-backports
modules=$kept/usr/lib/python3/dist-packages
version() { PYTHONPATH=$modules /usr/bin/python3 -c 'import mesonbuild.coredata as c; print(c.version)' 2>/dev/null; }

download() {
    rm -rf "$kept.new"
    mkdir -p "$kept.new" && cd "$kept.new" || return
    # an archive that lacks one of the suites makes this fail
    private_apt apt-get update || :
    private_apt apt-get download "meson/$own-backports" && dpkg-deb -x ./meson_*.deb .
}

if ! new_enough "$(version)"; then
    at_end "$kept.new"
    private_folder "meson-$own"
    private_sources deb "$own-backports"
    step "getting the meson of $own-backports" "$BUILD/log/meson.log" download ||
        cannot "meson $wanted is out of reach: this machine has an older one, and the archive's $own-backports was not served"
    rm -rf "$kept"
    mv "$kept.new" "$kept"
    new_enough "$(version)" || cannot "the meson of $own-backports is older than $wanted"
fi
printf '%s\n' "$modules"
