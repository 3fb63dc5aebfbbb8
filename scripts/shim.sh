#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Keeps the wakeups of a QEMU that cannot be rebuilt: a library that is preloaded
# into it.
#
# usage: shim.sh -- COMMAND...      runs it, with the library for each QEMU in it
#        shim.sh                    prints how to use the library on this machine
#        shim.sh --print            builds the library and prints its path
#        shim.sh --wrapper BINARY   prints a script that runs BINARY with it
#
#   --library FILE   this library (an installed one), instead of the one built here
#
# AIO_WAKEUP_SHIM, in the environment of the QEMU, words with commas between them:
# off; verbose (say what is done, on stderr); no-io_uring (QEMU is told that there
# is none); on (this is a QEMU, whatever its name is).  Needs gcc, meson, ninja and
# glib to build, nothing but libc to run.  docs/shim.md says what it cannot do.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

library=
what=how
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --library) library=$(realpath -e -- "$(value_of "$@")") || die "there is no file $2"; shift ;;
    --print) what=path ;;
    --wrapper)
        what=wrapper
        binary=$(type -P -- "$(value_of "$@")") || die "$2 is no program"
        binary=$(realpath -s -- "$binary")
        shift
        ;;
    --)
        shift
        what=run
        break
        ;;
    *) die "unknown word $1; a command comes after --" ;;
    esac
    shift
done
[ "$what" != run ] || [ $# -gt 0 ] || die "which command? shim.sh -- COMMAND..."

if [ -z "$library" ]; then
    "$SCRIPTS/module.sh"
    library=$BUILD/module/shim/libaio-wakeup-shim.so
fi

# usage: wrapper BINARY
wrapper() {
    printf '#!/bin/sh\n# %s with its wakeups kept\n' "$1"
    # shellcheck disable=SC2016
    printf 'LD_PRELOAD=%q${LD_PRELOAD:+:$LD_PRELOAD} exec %q "$@"\n' "$library" "$1"
}

# for each place: one line what to do, then what to type or to write
how() {
    local self=${AIO_WAKEUP_SELF:-$0} qemu domain
    qemu=$(command -v qemu-system-x86_64 || echo /usr/bin/qemu-system-x86_64)
    case $self in "$PWD"/*) self=.${self#"$PWD"} ;; esac
    [ "$self" != ./scripts/shim.sh ] || self='./build.sh shim'
    domain="xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
    cat <<EOF
The library is $library

A shell, this session's QEMUs:
    export LD_PRELOAD=$library
One command:
    $self -- qemu-system-x86_64 ...

A wrapper, for whatever starts QEMU by a path:
    $self --wrapper $qemu >/usr/local/bin/qemu-system-x86_64-kept
    chmod +x /usr/local/bin/qemu-system-x86_64-kept
  libvirt, one domain (virsh edit): <emulator>/usr/local/bin/qemu-system-x86_64-kept</emulator>
  libguestfs:    export LIBGUESTFS_BACKEND=direct LIBGUESTFS_HV=/usr/local/bin/qemu-system-x86_64-kept
  Proxmox:       dpkg-divert --local --rename --divert /usr/bin/kvm.stock --add /usr/bin/kvm
                 $self --wrapper /usr/bin/kvm.stock >/usr/bin/kvm; chmod +x /usr/bin/kvm

libvirt, without a wrapper (virsh edit):
    <domain type='kvm' $domain>
      ...
      <qemu:commandline><qemu:env name='LD_PRELOAD' value='$library'/></qemu:commandline>
  With AppArmor, in /etc/apparmor.d/local/abstractions/libvirt-qemu:
    $library mr,
  (a library below /usr/lib is allowed already; a wrapper needs "rix" for itself and /bin/sh)

A systemd unit that runs QEMU (systemctl edit NAME):
    [Service]
    Environment=LD_PRELOAD=$library

A container: mount the library and name it
    podman run -v $library:/usr/lib/libaio-wakeup-shim.so:ro -e LD_PRELOAD=/usr/lib/libaio-wakeup-shim.so ...
  (its libc must be as new as the one here, $(ldd --version | sed -n '1s/.* //p'))

A copy of the binary that needs no environment:
    cp $qemu $qemu-kept; patchelf --add-needed $library $qemu-kept
  (beside the original, where it finds its modules)

To see that it is there: ${self% shim} diagnose PID, the line "shim"; to leave it out
for one QEMU: AIO_WAKEUP_SHIM=off in its environment.
EOF
}

case $what in
path) printf '%s\n' "$library" ;;
wrapper) wrapper "$binary" ;;
how) how ;;
run) LD_PRELOAD=$library${LD_PRELOAD:+:$LD_PRELOAD} exec "$@" ;;
esac
