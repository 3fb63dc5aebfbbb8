#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# QEMU's own iotests on stock and on patched: do the same cases pass?
#
# usage: compare-iotests.sh [--tree DIR | --suite NAME] [--groups "NAME..."]
#                           [--formats "NAME..."] [--builds STOCK PATCHED]
#                           [--only stock|patched] [--out DIR]
#
#   --tree DIR, --suite NAME  which QEMU, as for qemu.sh
#   --groups NAMES     default: "auto quick"
#   --formats NAMES    default: "raw qcow2"
#   --builds STOCK PATCHED
#                      build folders that are there already; --tree is their source
#   --only stock|patched
#                      run that one; compare with the list that an earlier run left
#   --out DIR          where the lists go; default: below the build folder
#
# A case that only one of the two passes is run three times more on both: it counts
# as passed if it passes once.  The lists that are compared must not be empty.
#
# DIR gets, for each group and format, stock-GROUP-FORMAT.passed and so on; the last
# lines say how many cases passed on both, and name those that differ.
#
# Exit status: 0 the lists are the same, 1 not, 2 wrong use, 77 not possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/series.sh"

REPEATS=3
TARGETS=(qemu-system-x86_64 qemu-img qemu-io qemu-nbd storage-daemon/qemu-storage-daemon)

# QEMU with the ROMs that Debian's source does not have; a line about one that is
# missing (kvmvapic.bin) comes before or after QMP's, as chance has it.
wrap_qemu() {
    printf '#!/bin/sh\nexec "%s" -L /usr/share/seabios -L /usr/lib/ipxe/qemu -L /usr/share/qemu -L "%s" "$@"\n' \
        "$1/qemu-system-x86_64" "$source/pc-bios" >"$2"
    chmod +x "$2"
}

# usage: iotests VARIANT FORMAT NAME ARGUMENT...: what the check script prints goes to
# $out/VARIANT-NAME-FORMAT.log
iotests() {
    local variant=$1 format=$2 name=$3 dir=${build[$1]} place=$work/$1
    shift 3
    # check wants to be started by a link in a build folder
    mkdir -p "$place/tests/qemu-iotests" "$place/scratch" "$place/sock"
    ln -sf "$source/tests/qemu-iotests/check" "$place/tests/qemu-iotests/check"
    wrap_qemu "$dir" "$place/qemu-system-x86_64"
    cd "$place/tests/qemu-iotests" || return
    # A case that fails is what is compared, not the exit status.
    PYTHON=/usr/bin/python3 PATH=/usr/bin:/bin:/usr/sbin:/sbin TEST_DIR=$place/scratch \
        SOCK_DIR=$place/sock QEMU_PROG=$place/qemu-system-x86_64 QEMU_IMG_PROG=$dir/qemu-img \
        QEMU_IO_PROG=$dir/qemu-io QEMU_NBD_PROG=$dir/qemu-nbd \
        QSD_PROG=$dir/storage-daemon/qemu-storage-daemon \
        /usr/bin/python3 ./check "-$format" "${jobs[@]}" "$@" >"$out/$variant-$name-$format.log" 2>&1 || :
}

# usage: passed LOG: the cases that passed, from the lines of check
passed() {
    sed -E 's/\x1b\[[0-9;]*[A-Za-z]//g; s/.*\r//' "$1" |
        awk '$2 == "pass" { print $1 }' | sort -u
}

# usage: compare GROUP FORMAT
compare() {
    local name=$1-$2 again case variant i
    passed "$out/stock-$name.log" >"$out/stock-$name.passed"
    passed "$out/patched-$name.log" >"$out/patched-$name.passed"
    mapfile -t again < <(comm -3 "$out/stock-$name.passed" "$out/patched-$name.passed" | tr -d '\t')
    for case in ${again[@]+"${again[@]}"}; do
        for variant in stock patched; do
            for ((i = 0; i < REPEATS; i++)); do
                ! grep -qx "$case" "$out/$variant-$name.passed" || break
                guarded iotests "$variant" "$2" again-"$case" "$case"
                passed "$out/$variant-again-$case-$2.log" >>"$out/$variant-$name.passed"
                sort -u -o "$out/$variant-$name.passed" "$out/$variant-$name.passed"
            done
        done
    done
    if [ ! -s "$out/stock-$name.passed" ]; then
        printf '%s %s: nothing passed on stock, see %s\n' "$1" "$2" "$out/stock-$name.log"
        differ=yes
    elif cmp -s "$out/stock-$name.passed" "$out/patched-$name.passed"; then
        printf '%s %s: the same %s cases pass on both (%s were run again)\n' "$1" "$2" \
            "$(wc -l <"$out/stock-$name.passed")" "${#again[@]}"
    else
        printf '%s %s: only stock passes %s; only patched passes %s\n' "$1" "$2" \
            "$(comm -23 "$out/stock-$name.passed" "$out/patched-$name.passed" | paste -sd' ')" \
            "$(comm -13 "$out/stock-$name.passed" "$out/patched-$name.passed" | paste -sd' ')"
        differ=yes
    fi
}

tree=()
read -ra groups <<<"auto quick"
read -ra formats <<<"raw qcow2"
declare -A build=()
only=
out=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree | --suite) tree=("$1" "$(value_of "$@")"); shift ;;
    --groups) read -ra groups <<<"$(value_of "$@")"; shift ;;
    --formats) read -ra formats <<<"$(value_of "$@")"; shift ;;
    --builds)
        [ $# -ge 3 ] || die "--builds takes two folders"
        build=([stock]=$(realpath -e "$2") [patched]=$(realpath -e "$3")) || die "no such folders: $2 $3"
        shift 2
        ;;
    --only) only=$(value_of "$@"); shift ;;
    --out) out=$(value_of "$@"); shift ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
case $only in
'' | stock | patched) ;;
*) die "--only takes stock or patched, not '$only'" ;;
esac
[ ${#build[@]} -eq 0 ] || [ "${tree[0]:-}" = --tree ] || die "--builds needs the source of those builds: --tree DIR"

take_build_folder
if [ ${#build[@]} -eq 0 ]; then
    for variant in stock patched; do
        build[$variant]=$(AIO_WAKEUP_BUILD=$BUILD/iotests "$SCRIPTS/qemu.sh" "${tree[@]}" --variant "$variant" --print)
        AIO_WAKEUP_BUILD=$BUILD/iotests AIO_WAKEUP_DEVICES=all \
            guarded "$SCRIPTS/qemu.sh" "${tree[@]}" --variant "$variant" "${TARGETS[@]}" >/dev/null
    done
    source=$(dirname "${build[stock]}")/src
else
    source=$(cd "${tree[1]}" && pwd -P)
fi
[ -x "$source/tests/qemu-iotests/check" ] || cannot "there are no iotests in $source"
[ -e /usr/share/seabios/bios-256k.bin ] ||
    cannot "the ROMs are missing; install them with: apt-get install --no-install-recommends seabios ipxe-qemu"
out=${out:-$BUILD/iotests/results/$(cat "$source/VERSION")}
mkdir -p "$out" 2>/dev/null || die "cannot make the folder $out"
out=$(cd "$out" && pwd -P)
work=$(mktemp -d /tmp/aio-wakeup-iotests.XXXXXX) # sockets want a short path
at_end "$work"
jobs=()
! grep -q -e "'-j'" "$source/tests/qemu-iotests/check" || jobs=(-j "$(jobs_wanted)")

differ=no
for group in "${groups[@]}"; do
    for format in "${formats[@]}"; do
        for variant in ${only:-stock patched}; do
            step "$variant: group $group, $format" "$BUILD/log/iotests-$variant.log" \
                iotests "$variant" "$format" "$group" -g "$group"
        done
        if [ -e "$out/stock-$group-$format.log" ] && [ -e "$out/patched-$group-$format.log" ]; then
            compare "$group" "$format"
        fi
    done
done
[ "$differ" = no ] || exit "$FINDING"
