# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A private apt: the machine's own archives, keys and options, for another
# release or architecture, with lists and downloads in the cache folder.  Nothing
# on the system changes, and no root is needed.
# To be sourced after common.sh.

own_release() {
    local own
    own=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    [ -n "$own" ] || cannot "/etc/os-release does not name this Debian release"
    printf '%s\n' "$own"
}

# usage: private_folder NAME: sets $apt, where this private apt keeps what it has
private_folder() {
    apt=$CACHE/apt-$1
    apt_options=(-o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache"
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none)
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" 2>/dev/null ||
        die "cannot make the folder $apt"
}

# usage: private_sources deb|deb-src SUITE: its archives are those of SUITE
private_sources() {
    local list parts files own
    own=$(own_release)
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    rm -rf "$apt/sources.d"
    mkdir -p "$apt/sources.d"
    mapfile -t files < <(find "$list" "$parts" -maxdepth 1 -type f \
        \( -name '*.sources' -o -name '*.list' \) 2>/dev/null | sort)
    [ ${#files[@]} -eq 0 ] ||
        "$SCRIPTS/apt-sources.py" "$1" "$own" "$2" "$apt/sources.d" "${files[@]}"
    [ -n "$(ls "$apt/sources.d")" ] ||
        cannot "apt's configuration names no archive of the release $own (component main)"
    apt_options+=(-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/sources.d")
    # of two releases in reach the one that was asked for
    [[ $2 != *-backports* ]] || apt_options+=(-o APT::Default-Release="$2")
}

# usage: private_apt apt-get|apt-cache WORD...
private_apt() {
    local tool=$1
    shift
    "$tool" -q "${apt_options[@]}" "$@"
}

# usage: upstream_of VERSION: without epoch and Debian's own part
upstream_of() {
    local version=${1#*:}
    printf '%s\n' "${version%%[-+]*}"
}

# usage: pick_version WANTED: of the versions on stdin the newest, or the newest
# that WANTED names: a whole version, or upstream's part of one
pick_version() {
    local version picked=
    while read -r version; do
        [[ -n $1 && $version != "$1" && $(upstream_of "$version") != "$1" ]] || picked=$version
    done < <(sort -V)
    [ -z "$picked" ] || printf '%s\n' "$picked"
}
