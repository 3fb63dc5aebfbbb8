#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs the README's two commands in a pristine Debian: a minimal chroot made for
# this by debootstrap, with nothing but git added, and a fresh clone in it.
#
# usage: pristine.sh [--suite NAME] [--keep] [COMMAND...]
#
#   --suite NAME   the release (default: the machine's own)
#   --keep         leave the chroot in the build folder
#   COMMAND        instead of the README's two; run by bash in the clone
#
# Needs root and debootstrap.  The chroot's apt uses the archive, and the
# settings to reach it, that the machine's apt uses.  It runs in mount and
# process namespaces of its own: nothing of it outlives this script.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

suite=
keep=no
commands=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --suite) suite=$(value_of "$@"); shift ;;
    --keep) keep=yes ;;
    -*) die "unknown option $1" ;;
    *) commands+=("$1") ;;
    esac
    shift
done
[ ${#commands[@]} -gt 0 ] || commands=(./build.sh "./build.sh check")
own=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
suite=${suite:-$own}

[ "$(id -u)" -eq 0 ] || cannot "making a chroot needs root"
need_commands "a pristine Debian" debootstrap=debootstrap unshare=util-linux git=git
need_space "$BUILD" 6000 "a pristine Debian with everything built in it"

chroot=$BUILD/pristine
# The scripts that the chroot runs take the build folder of their own clone.
exec {pristine_fd}<>"$BUILD/lock-pristine"
flock -n "$pristine_fd" || die "another run works in $chroot"

# The machine's one archive line, in one-line format, for another tool.
archive() {
    # shellcheck disable=SC2016  # apt's own fields
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v own="$own" '$3 == "main" && ($2 == own || $2 == own "-security") && !seen[$0]++'
}
mapfile -t lines < <(archive)
[ ${#lines[@]} -gt 0 ] || cannot "apt knows no archive of $own; run: apt-get update"
main_uri=$(printf '%s\n' "${lines[@]}" | awk -v own="$own" '$2 == own { print $1; exit }')

make_chroot() {
    debootstrap --variant=minbase --include=git "$suite" "$chroot" "$main_uri" || return
    printf '%s\n' "${lines[@]}" | sed "s/ $own/ $suite/; s/^/deb /" >"$chroot/etc/apt/sources.list"
    apt-config dump | sed -En '/^Acquire::(Check-|http|https|Retries)/p' >"$chroot/etc/apt/apt.conf.d/90reach"
    cp /etc/resolv.conf "$chroot/etc/resolv.conf"
    git clone -q --no-hardlinks "$ROOT" "$chroot/srv/aio-wakeup"
}

[ "$keep" = yes ] || at_end "$chroot"
rm -rf "$chroot"
step "making a pristine $suite" "$BUILD/log/pristine.log" make_chroot ||
    cannot "debootstrap failed; is the archive in reach?"

# usage: inside COMMAND: in the clone, as on a machine of its own
inside() {
    unshare --mount --pid --fork --kill-child --mount-proc="$chroot/proc" \
        env -i HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        chroot "$chroot" bash -c "cd /srv/aio-wakeup && $1"
}

worst=0
for command in "${commands[@]}"; do
    begin=$SECONDS
    status=0
    say "in the pristine $suite: $command"
    guarded inside "$command" || status=$?
    say "pristine $suite: $command: exit status $status after $((SECONDS - begin)) s"
    [ "$status" -le "$worst" ] || worst=$status
done
[ "$worst" -eq 0 ] || exit "$worst"
