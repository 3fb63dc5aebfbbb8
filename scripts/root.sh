#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Gets a Debian release's QEMU, with all that it needs, into a private root in
# the cache folder, and makes a launcher that runs it there.
#
# usage: root.sh [--update] SUITE[=VERSION]
#
#   SUITE      sid, forky, trixie, trixie-backports, bullseye, ...
#   VERSION    one that it lists besides the newest
#   --update   ask the archive even if the cache holds this root
#
# The last line on stdout is the launcher: a qemu-system-x86_64 that takes
# whatever QEMU takes, so each word of build.sh that takes a BINARY takes it.  It
# execs, in a mount namespace of its own, the release's program, with that
# release's loader, libraries, modules and ROMs in place of /usr; everything
# outside /usr, and /usr/local, is the machine's, and LD_PRELOAD and the like reach
# the program.
#
# Nothing is installed, no script of a package runs, and no root is needed where
# user namespaces are allowed.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/apt.sh"

PACKAGE=qemu-system-x86
PROGRAM=qemu-system-x86_64
NEEDED_MIB=800

# No package counts as installed: all that is needed comes.
empty_state() {
    mkdir -p "$apt/state" && : >"$apt/state/status" || return
    apt_options+=(-o Dir::State="$apt/state" -o Dir::State::status="$apt/state/status"
        -o Dir::State::Lists="$apt/lists"
        -o Dir::Etc::Preferences="$apt/preferences" -o Dir::Etc::PreferencesParts=/dev/null)
    : >"$apt/preferences"
}

# usage: listed: the versions that the archive lists
listed() {
    { private_apt apt-cache show "$PACKAGE" 2>/dev/null || :; } | sed -n 's/^Version: //p' | sort -uV
}

# usage: needed: all packages that it takes, as NAME=VERSION, one a line
needed() {
    private_apt apt-get install --no-install-recommends --simulate "$PACKAGE=$chosen" |
        sed -n 's/^Inst \([^ ]*\) .*(\([^ ]*\) .*/\1=\2/p' | sort
}

download() {
    local names
    mkdir -p "$new/packages" && cd "$new/packages" || return
    mapfile -t names <"$apt/needed"
    private_apt apt-get download "${names[@]}"
}

# Debian 12 and later have /bin, /lib and the like below /usr; so has this root,
# where older packages do not.
unpack() {
    local name deb
    mkdir -p "$new/files/usr/local" || return
    for name in bin sbin lib lib64; do
        mkdir "$new/files/usr/$name" && ln -s "usr/$name" "$new/files/$name" || return
    done
    for deb in "$new"/packages/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$new/files" --keep-directory-symlink \
            --no-same-owner --no-overwrite-dir --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' || return
    done
    rm -rf "$new/packages"
    [ -x "$new/files/usr/bin/$PROGRAM" ]
}

# An ld.so.cache or ld.so.preload of the machine names files that are not there.
launcher() {
    cat <<END
#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# $PACKAGE $chosen of $suite, in a private root; made by root.sh
root=\${0%/*}/files
user=
unshare --mount true 2>/dev/null || user="--user --map-root-user"
unshare \$user --mount true 2>/dev/null || {
    echo "\$0: no private mount namespace here: user namespaces are not allowed; run this as root" >&2
    exit 77
}
# shellcheck disable=SC2086
exec unshare \$user --mount --propagation private /bin/sh -c '
for file in /etc/ld.so.cache /etc/ld.so.preload; do
    [ ! -e "\$file" ] || mount --bind /dev/null "\$file" || exit
done
mount --rbind /usr/local "\$0/usr/local" && mount --rbind "\$0/usr" /usr || exit
exec "\$@"' "\$root" /usr/bin/$PROGRAM "\$@"
END
}

suite=
update=no
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --update) update=yes ;;
    -*) die "unknown option $1" ;;
    *) suite=$1 ;;
    esac
    shift
done
[ -n "$suite" ] || die "which release? sid, say"
version=
[[ $suite != *=* ]] || version=${suite#*=}
suite=${suite%%=*}
need_commands "a private root" apt-get=apt dpkg-deb=dpkg python3=python3 unshare=util-linux
[ -L /lib ] || cannot "this machine's /lib is not below /usr: no private /usr can take its place"
take_build_folder

root=$CACHE/root-$(folder_of_suite "$suite${version:+=$version}")
new=$root.new
log=$BUILD/log/$(basename "$root")

ask() {
    # a suite less (security) makes this fail; what is listed counts
    private_apt apt-get update || :
    chosen=$(listed | pick_version "$version")
    if [ -n "$chosen" ]; then
        # its parts depend on each other's very version
        printf 'Package: src:qemu\nPin: version %s\nPin-Priority: 1001\n' "$chosen" >"$apt/preferences"
        needed >"$apt/needed"
    fi
    printf '%s\n' "$chosen" >"$apt/chosen"
    [ -s "$apt/needed" ]
}

make_root() {
    rm -rf "$new" && mkdir -p "$new" && download && unpack && launcher >"$new/$PROGRAM" &&
        chmod +x "$new/$PROGRAM" && cp "$apt/needed" "$apt/chosen" "$new/"
}

if [ ! -e "$root/$PROGRAM" ] || [ "$update" = yes ]; then
    need_space "$CACHE" "$NEEDED_MIB" "the QEMU of $suite"
    private_folder "root-$suite"
    private_sources deb "$suite"
    empty_state || die "cannot make the folder $apt/state"
    at_end "$new"
    rm -f "$apt/needed" "$apt/chosen"
    if ! step_tail=0 step "asking what $PACKAGE of $suite${version:+, $version,} needs" "$log-ask.log" ask; then
        why="it is out of reach; check the network and what apt has for sources"
        versions=$(listed | paste -sd' ')
        if [ -z "$(cat "$apt/chosen" 2>/dev/null)" ] && [ -n "$versions" ]; then
            why="the archive has no such version; it lists $versions"
        elif [ -n "$versions" ]; then
            why="the archive lists $versions, but not all that it needs"
        fi
    elif ! cmp -s "$apt/needed" "$root/needed"; then
        chosen=$(cat "$apt/chosen")
        why="the archive lists $chosen, and does not serve all that it needs"
        if step_tail=0 step "getting $PACKAGE $chosen of $suite: $(wc -l <"$apt/needed") packages, in a private root" \
            "$log-make.log" make_root; then
            rm -rf "$root"
            mv "$new" "$root"
            why=
        fi
    else
        why=
    fi
    if [ -n "$why" ]; then
        [ -e "$root/$PROGRAM" ] || cannot "$PACKAGE of $suite${version:+, $version}: $why"
        say "    $why: the root in the cache is used instead"
    fi
fi
say "$PACKAGE $(cat "$root/chosen") of $suite, as of $(date -r "$root/$PROGRAM" +%F)"
printf '%s\n' "$root/$PROGRAM"
