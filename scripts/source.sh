#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Gets a QEMU source package with apt's own means, and unpacks it.
#
# usage: source.sh [--suite NAME[=VERSION]] [--orig PACKAGE] [--update] FOLDER
#
#   FOLDER         where the unpacked tree goes (replaced when it is older)
#   --suite NAME   of this Debian release instead of the machine's own
#   =VERSION       not the newest that it lists, but this one: 1:10.2.2+ds-1, or
#                  10.2.2 for the newest of those; --version VERSION says the same
#   --orig PACKAGE of this package instead of qemu, and only what its upstream
#                  released, without Debian's patches; without --suite of whichever
#                  release the cache has it of, or the archive
#   --update       ask the archive even if the cache holds a package; what it holds
#                  is used if there is no newer one, or no network
#
# The URIs, keys and options are those of the machine's apt configuration; they
# go to private sources files in the cache folder, as deb-src.  Nothing else on
# the system changes, and no root is needed.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/apt.sh"

# usage: listed: every version of the source package that the archive lists
listed() {
    { private_apt apt-cache showsrc --only-source qemu 2>/dev/null || :; } |
        sed -n 's/^Version: //p' | sort -uV
}

download() {
    local fresh=$apt/download chosen
    rm -rf "$fresh"
    mkdir -p "$fresh" && cd "$fresh" || return
    # An archive that lacks one of the suites makes this fail; what counts is
    # whether the package can be had.
    private_apt apt-get update
    chosen=$(listed | pick_version "$version")
    [ -n "$chosen" ] || return
    # nothing newer than what the cache holds: it need not come again
    if [ -n "$dsc" ] && [ "qemu_${chosen#*:}.dsc" = "$(basename "$dsc")" ]; then
        cp -p "$kept"/* . && return
    fi
    private_apt apt-get source --only-source --download-only "qemu=$chosen" && ls ./*.dsc
}

# usage: why_not: what an archive that was reached has instead, in one line
why_not() {
    local versions chosen rest
    versions=$(listed)
    [ -z "$package" ] && [ -n "$versions" ] || return 0
    chosen=$(pick_version "$version" <<<"$versions")
    if [ -n "$chosen" ]; then
        grep -qi 'not found' "$BUILD/log/source-$log.log" || return 0
        rest=$(grep -vxF "$chosen" <<<"$versions" | paste -sd' ') || :
        printf 'the archive lists qemu %s in %s, and does not serve it%s\n' "$chosen" "$suite" \
            "${rest:+; it lists $rest, too: --suite $suite=VERSION}"
    else
        printf 'the archive has no qemu %s in %s; it lists %s\n' "$version" "$suite" \
            "$(paste -sd' ' <<<"$versions")"
    fi
}

# usage: download_orig: the same for the one tarball of $package that upstream made
download_orig() {
    local fresh=$apt/download uri name hash
    rm -rf "$fresh"
    mkdir -p "$fresh" && cd "$fresh" || return
    private_apt apt-get update
    read -r uri name _ hash < <(private_apt apt-get source --only-source --print-uris "$package" |
        grep -E "^'[^']*' [^ ]+[.]orig[.]tar[.][a-z0-9]+ ") || return
    uri=${uri#\'}
    /usr/lib/apt/apt-helper -o APT::Sandbox::User="$(id -un)" \
        download-file "${uri%\'}" "$fresh/$name" "$hash"
}

orig_in() {
    [ ! -d "$1" ] || find "$1" -maxdepth 1 -name "${package}_*.orig.tar.*" | sort -V | tail -n 1
}

# usage: unpack_orig TARBALL FOLDER
unpack_orig() {
    mkdir -p "$2" && tar -x -C "$2" --strip-components=1 -f "$1"
}

dsc_in() {
    [ ! -d "$1" ] || find "$1" -maxdepth 1 -name 'qemu_*.dsc' | sort -V | tail -n 1
}

suite=
version=
package=
update=no
folder=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --suite) suite=$(value_of "$@"); shift ;;
    --version) version=$(value_of "$@"); shift ;;
    --orig) package=$(value_of "$@"); shift ;;
    --update) update=yes ;;
    -*) die "unknown option $1" ;;
    *) folder=$1 ;;
    esac
    shift
done
[ -n "$folder" ] || die "where to? a folder is needed"
need_commands "getting the source" apt-get=apt dpkg-source=dpkg-dev patch=patch
take_build_folder

own=$(own_release)
if [ -n "$package" ] && [ -z "$suite" ]; then
    # not all archives have all
    suites=("$own" trixie bookworm)
    for found in "$CACHE"/source-*-"$package"; do
        suite=${found##*/source-}
        [ ! -d "$found" ] || suites=("${suite%-"$package"}")
    done
    for suite in "${suites[@]}"; do
        ! guarded "$0" --orig "$package" --suite "$suite" "$folder" || exit 0
    done
    exit "$NOT_POSSIBLE"
fi
suite=${suite:-$own}
[[ $suite != *=* ]] || version=${suite#*=}
suite=${suite%%=*}
log=$(folder_of_suite "$suite${version:+=$version}")
kept=$CACHE/source-$log

# What to get, how big it is and how it is unpacked.
if [ -z "$package" ]; then
    label="the QEMU source package of $suite${version:+, $version}" find=dsc_in get=download
    download_mib=500 tree_mib=1500
    unpack=(dpkg-source --no-check --no-copy -x)
else
    label="the source of $package, as in $suite" find=orig_in get=download_orig log=$suite-$package
    kept=$CACHE/source-$suite-$package
    download_mib=50 tree_mib=200
    unpack=(unpack_orig)
fi

dsc=$("$find" "$kept")
if [ -z "$dsc" ] || [ "$update" = yes ]; then
    need_space "$CACHE" "$download_mib" "the source package"
    private_folder "$suite"
    private_sources deb-src "$suite"
    at_end "$apt/download"
    if step_tail=0 step "getting $label" "$BUILD/log/source-$log.log" "$get"; then
        rm -rf "$kept"
        mv "$apt/download" "$kept"
    elif [ -z "$dsc" ]; then
        why=$(why_not)
        cannot "${why:-$label is out of reach; check the network and what apt has for sources}"
    else
        say "    the package in the cache is used instead"
    fi
    dsc=$("$find" "$kept")
fi

stamp=$folder/.aio-wakeup-source
name=$(basename "$dsc" .dsc)
if [ "$(cat "$stamp" 2>/dev/null || :)" != "$name" ]; then
    need_space "$(dirname "$folder")" "$tree_mib" "the unpacked source"
    at_end "$folder.new"
    rm -rf "$folder.new"
    step "unpacking $name" "$BUILD/log/unpack-$log.log" \
        "${unpack[@]}" "$dsc" "$folder.new" ||
        cannot "$dsc cannot be unpacked; remove it and start again"
    printf '%s\n' "$name" >"$folder.new/.aio-wakeup-source"
    rm -rf "$folder"
    mv "$folder.new" "$folder"
fi
