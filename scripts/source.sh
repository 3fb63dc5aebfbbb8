#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Gets a QEMU source package with apt's own means, and unpacks it.
#
# usage: source.sh [--suite NAME] [--orig PACKAGE] [--update] FOLDER
#
#   FOLDER         where the unpacked tree goes (replaced when it is older)
#   --suite NAME   of this Debian release instead of the machine's own
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

# The machine's stanzas (.sources) that carry this release, as deb-src of SUITE.
private_stanzas() {
    awk -v own="$own" -v suite="$suite" '
        function flush(    i, n, part, out) {
            n = split(suites, part, /[ \t]+/); out = ""
            for (i = 1; i <= n; i++)
                if (part[i] ~ "^(" own "|stable|oldstable|testing)(-security|/updates)?$") {
                    sub("^(" own "|stable|oldstable|testing)", suite, part[i])
                    if (index(out " ", " " part[i] " ") == 0) out = out " " part[i]
                }
            if (out != "" && enabled && main)
                printf "Types: deb-src\nSuites:%s\nComponents: main\n%s\n", out, rest
            suites = rest = key = ""; enabled = 1; main = 0
        }
        BEGIN { enabled = 1 }
        FNR == 1 || /^[ \t]*$/ { flush(); if (/^[ \t]*$/) next }
        /^#/ { next }
        /^[^ \t]/ { key = tolower($1) }
        key == "types:" || key == "architectures:" { next }
        key == "suites:" { sub(/^[^ \t]+:/, ""); suites = suites " " $0; next }
        key == "components:" { if ((" " $0 " ") ~ /[ \t]main[ \t]/) main = 1; next }
        key == "enabled:" { if (tolower($2) ~ /^(no|false|0|off)$/) enabled = 0; next }
        { rest = rest $0 "\n" }
        END { flush() }' "$@"
}

# The same for one-line files (.list).
private_lines() {
    awk -v own="$own" -v suite="$suite" '
        $1 == "deb" {
            options = ""; line = $0; sub(/^[ \t]*deb[ \t]+/, "", line)
            if (line ~ /^\[/) {
                options = line; sub(/\].*/, "]", options)
                sub(/^\[[^]]*\][ \t]*/, "", line)
                gsub(/(arch|lang|target)[-+]?=[^] ]*/, "", options)
                options = options " "
            }
            split(line, part, /[ \t]+/)
            if (part[2] ~ "^(" own "|stable|oldstable|testing)(-security|/updates)?$" &&
                (line " ") ~ /[ \t]main[ \t]/) {
                sub("^(" own "|stable|oldstable|testing)", suite, part[2])
                print "deb-src " options part[1] " " part[2] " main"
            }
        }' "$@"
}

private_sources() {
    local list parts files
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    mkdir -p "$apt/sources.d" "$apt/lists/partial" "$apt/cache/archives/partial"
    rm -f "$apt"/sources.d/*
    mapfile -t files < <(find "$list" "$parts" -maxdepth 1 -type f -name '*.sources' 2>/dev/null)
    [ ${#files[@]} -eq 0 ] || private_stanzas "${files[@]}" >"$apt/sources.d/private.sources"
    mapfile -t files < <(find "$list" "$parts" -maxdepth 1 -type f -name '*.list' 2>/dev/null)
    [ ${#files[@]} -eq 0 ] || private_lines "${files[@]}" | sort -u >"$apt/sources.d/private.list"
    find "$apt/sources.d" -type f -empty -delete
    [ -n "$(ls "$apt/sources.d")" ] ||
        cannot "apt's configuration names no archive of the release $own (component main)"
}

private_apt() {
    apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/sources.d" \
        -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none "$@"
}

download() {
    local fresh=$apt/download
    rm -rf "$fresh"
    mkdir -p "$fresh" && cd "$fresh" || return
    # An archive that lacks one of the suites makes this fail; what counts is
    # whether the package can be had.
    private_apt update
    # nothing newer than what the cache holds: it need not come again
    if [ -n "$dsc" ] && [ "$(newest)" = "$(basename "$dsc")" ]; then
        cp -p "$kept"/* . && return
    fi
    private_apt source --only-source --download-only qemu && ls ./*.dsc
}

# The .dsc that the archive has now
newest() {
    private_apt source --only-source --print-uris qemu 2>/dev/null |
        sed -n "s/.* \(qemu_[^ ]*\.dsc\) .*/\1/p" | sort -V | tail -n 1
}

# usage: download_orig: the same for the one tarball of $package that upstream made
download_orig() {
    local fresh=$apt/download uri name hash
    rm -rf "$fresh"
    mkdir -p "$fresh" && cd "$fresh" || return
    private_apt update
    read -r uri name _ hash < <(private_apt source --only-source --print-uris "$package" |
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
package=
update=no
folder=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --suite) suite=$(value_of "$@"); shift ;;
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

own=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
[ -n "$own" ] || cannot "/etc/os-release does not name this Debian release"
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
apt=$CACHE/apt-$suite
kept=$CACHE/source-$suite

# What to get, how big it is and how it is unpacked.
if [ -z "$package" ]; then
    label="the QEMU source package of $suite" find=dsc_in get=download log=$suite
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
    private_sources
    at_end "$apt/download"
    if step "getting $label" "$BUILD/log/source-$log.log" "$get"; then
        rm -rf "$kept"
        mv "$apt/download" "$kept"
    elif [ -z "$dsc" ]; then
        cannot "$label is out of reach; check the network and apt's sources"
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
