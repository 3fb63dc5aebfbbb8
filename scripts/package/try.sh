#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs, uses and purges packages in a copy of an unpacked Debian.
#
# usage: try.sh ROOT PACKAGE...
#
# ROOT must have a qemu-system-x86_64 and what the packages depend on, is not
# changed, and its copy goes when this ends.  Needs root.

. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

[ $# -ge 2 ] || die "usage: try.sh ROOT PACKAGE..."
root=$1
shift

copy=$(mktemp -d "$BUILD/try-XXXXXX")
clean_up() {
    umount "$copy/proc" "$copy/dev" 2>/dev/null || :
    rm -rf --one-file-system "$copy"
}
on_failure clean_up

inside() { guarded chroot "$copy" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }

# usage: must STATUS WORDS COMMAND...: inside, it ends so and says so
must() {
    local want=$1 words=$2 said status=0
    shift 2
    said=$(inside "$@" 2>&1) || status=$?
    printf '+ %s\n%s\n' "$*" "$said"
    [ "$status" -eq "$want" ] || { say "'$*' ends with $status instead of $want"; return 1; }
    [[ $said == *"$words"* ]] || { say "'$*' does not say: $words"; return 1; }
}

files() { (cd "$copy" && find . -xdev ! -path './var/*' ! -path './tmp/*' ! -path ./proc ! -path './dev*' | sort); }

cp -a "$root/." "$copy/"
mount -t proc proc "$copy/proc"
mount --bind /dev "$copy/dev"
files >"$copy/tmp/before"
mkdir "$copy/tmp/packages"
cp "$@" "$copy/tmp/packages/"

inside sh -c 'dpkg -i /tmp/packages/*.deb'
shim=$(inside sh -c 'echo /usr/lib/*/aio-wakeup/libaio-wakeup-shim.so')
must 0 "usage: aio-wakeup" aio-wakeup --help
must 2 "usage: aio-wakeup" aio-wakeup nonsense
must 0 "$shim" aio-wakeup shim
must 1 ": AFFECTED" aio-wakeup verdict --seconds 60
must 0 ": NOT AFFECTED" aio-wakeup verdict --seconds 120 --shim
must 0 ": NOT AFFECTED" aio-wakeup shim -- aio-wakeup verdict --seconds 120
must 0 "aio-wakeup-shim" sh -c "AIO_WAKEUP_SHIM=verbose LD_PRELOAD=$shim timeout 2 qemu-system-x86_64 -M none \
    -display none -monitor none & wait; :"
# shellcheck disable=SC2016
must 0 "shim       loaded" sh -c 'aio-wakeup shim -- qemu-system-x86_64 -M none -display none -monitor none &
    for i in $(seq 100); do
        said=$(aio-wakeup diagnose $!)
        case $said in *"shim       loaded, "*" given back"*) break ;; esac
        sleep 0.1
    done
    kill $!
    echo "$said"'
inside dpkg --purge aio-wakeup-tools libaio-wakeup-shim
files >"$copy/tmp/after"
diff "$copy/tmp/before" "$copy/tmp/after" || { say "something is left after the purge"; exit "$FINDING"; }
say "installed, used and purged"
clean_up
on_failure_clear
