#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makes the patches that put our cases with a guest into a QEMU tree, as its own
# tests: out of the files under qtest/, which stay the only copy.
#
# usage: with-tests.sh --tree DIR FOLDER
#
#   --tree DIR   a QEMU tree, 5.2 or later; only read
#   FOLDER       gets the mails, NNNN-*.patch; NNNN follows the tree's series
#
# They are to be applied after the series of the tree's generation (./build.sh
# apply --with-tests does both), and are the same whether DIR has them or not.
#
# Exit status: 0 done, 2 wrong use or not such a tree.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/series.sh"

tree=
folder=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree) tree=$(value_of "$@"); shift ;;
    -*) die "unknown option $1" ;;
    *) folder=$1 ;;
    esac
    shift
done
[ -n "$tree" ] || die "which tree? --tree DIR"
[ -n "$folder" ] || die "where do the patches go? FOLDER"
must_be_qemu "$tree"
need_commands "making the patches" git=git
qtests=tests/qtest/meson.build
iotests=tests/qemu-iotests
if ! grep -qs '^qtests_x86_64 = qtests_i386' "$tree/$qtests" || [ ! -f "$tree/$iotests/iotests.py" ]; then
    die "$tree has no tests/qtest or no tests/qemu-iotests that ours would fit into"
fi

scenarios=(lost-bh lost-timer lost-shutdown lost-reset lost-request lost-request-smp lost-switchover free-run
    timer-ide timer-nvme timer-sd timer-virtio-blk timer-virtio-scsi)
schedules=(clear-before-poll late-write lost-bh lost-reset lost-shutdown
    lost-switchover lost-timer lost-timer-drain request-io-error request-vcpu request-vm-stop)
# before 6.0 an iotest is called by a number
number=400

mkdir -p "$BUILD"
work=$(mktemp -d "$BUILD/with-tests.XXXXXX")
at_end "$work"

# A repository for what the patches touch, one commit each
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
in_repo() { git -C "$work" -c user.name=aio-wakeup -c user.email=aio-wakeup@localhost "$@"; }
git -c init.defaultBranch=main init -q "$work"

# usage: base FILE: the tree's file without what we add to it
base() {
    mkdir -p "$work/$(dirname "$1")"
    sed "/aio[-_]wakeup/d; /^$number /d" "$tree/$1" >"$work/$1"
    in_repo add -- "$1"
    in_repo commit -q -m "$1"
}

# usage: quoted WORD...: 'WORD', 'WORD' in lines of a meson file
quoted() {
    printf "'%s', " "$@" | fold -s -w 70 | sed '2,$s/^/  /; s/, *$/,/; s/ *$//' | sed '$s/,$//'
}

# usage: filled FILE: a template with its lists
filled() {
    local line
    while IFS= read -r line; do
        case $line in
        *@COMMON@*) quoted "${common[@]}" | sed 's/^\([^ ]\)/  \1/' ;;
        *@SCENARIOS@*) printf '%s\n' "${line/@SCENARIOS@/$(quoted "${scenarios[@]}")}" ;;
        *@SCHEDULES@*) printf '%s\n' "${line/@SCHEDULES@/$(quoted "${schedules[@]}")}" ;;
        *@HEADERS@*) printf '%s\n' "${line/@HEADERS@/$(quoted "${headers[@]}")}" ;;
        *) printf '%s\n' "$line" ;;
        esac
    done <"$1"
}

qtest_files() {
    local to=$work/tests/qtest name
    mkdir -p "$to/aio-wakeup"/{guest,schedule}
    # what only our judge reads is left out, and the empty line before it
    awk '/^ \* Kept (always|since )/ { held = 0; next }
         held { print " *"; held = 0 }
         /^ \*$/ { held = 1; next }
         { print }' "$ROOT/qtest/qtest/aio-wakeup-test.c" >"$to/aio-wakeup-test.c"
    [ ! -f "$tree/tests/qtest/libqos/libqtest.h" ] ||
        sed -i 's,"libqtest.h","libqos/libqtest.h",' "$to/aio-wakeup-test.c"

    # the files that every image has, as the module's own meson.build lists them
    mapfile -t common < <(sed -n '/^guest_common = files(/,/^)/p' "$ROOT/qtest/guest/meson.build" |
        grep -o "'[^']*'" | tr -d "'")
    mapfile -t headers < <(cd "$ROOT/qtest/guest" && printf '%s\n' *.h)
    for name in "${common[@]}" "${headers[@]}" guest.ld "${scenarios[@]/%/.c}"; do
        cp "$ROOT/qtest/guest/$name" "$to/aio-wakeup/guest/"
    done
    cp "$ROOT"/qtest/schedule/{engine,interpose,parse}.c "$ROOT"/qtest/schedule/*.h "$to/aio-wakeup/schedule/"
    for name in "${schedules[@]}"; do
        cp "$ROOT/qtest/schedule/$name.schedule" "$to/aio-wakeup/schedule/"
    done
    for name in . guest schedule; do
        filled "$ROOT/qtest/in-tree/$name/meson.build" >"$to/aio-wakeup/$name/meson.build"
    done

    # Every line that is added names us, see base.
    sed -i -e "/^  'ahci-test' *: [0-9]*,/a\\  'aio-wakeup-test' : 180," \
        -e "/^qtests_x86_64 = qtests_i386/{a\\subdir('aio-wakeup')
            a\\qtests_x86_64 += aio_wakeup_qtests
            }" \
        -e "/^  foreach test : target_qtests/i\\  test_deps += target_base == 'x86_64' ? aio_wakeup_deps : []" \
        "$work/$qtests"
}

iotest_files() {
    local name=$iotests/tests/aio-wakeup
    if [ ! -d "$tree/$iotests/tests" ]; then
        name=$iotests/$number
        echo "$number rw auto quick" >>"$work/$iotests/group"
    fi
    mkdir -p "$work/$(dirname "$name")"
    install -m 755 "$ROOT/qtest/iotest/aio-wakeup" "$work/$name"
    install -m 644 "$ROOT/qtest/iotest/aio-wakeup.out" "$work/$name.out"
}

# usage: mail NUMBER SUBJECT <TEXT: all of a/ against b/
mail() {
    local name
    name=$(printf '%04d-%s' "$1" "$(tr -cs '[:alnum:]' - <<<"$2" | sed 's/-$//' | cut -c1-52)")
    mkdir -p "$folder"
    in_repo add -A
    {
        printf 'From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n'
        printf 'From: aio-wakeup project <aio-wakeup@localhost>\n'
        printf 'Date: Sun, 22 Nov 2026 12:00:00 +0000\nSubject: [PATCH] %s\n\n' "$2"
        cat
        printf '\nOrigin: vendor\nBug: https://bugzilla.redhat.com/show_bug.cgi?id=1184405\n'
        printf 'Forwarded: not-needed\nLast-Update: 2026-11-22\n---\n'
        in_repo diff --cached --no-renames --abbrev=7 --stat --summary --patch
        printf -- '-- \naio-wakeup\n'
    } >"$folder/$name.patch"
    in_repo commit -q -m "$2"
}

generation=$(find_generation "$tree")
have=$(series_length "$generation")
common=()
headers=()
base "$qtests"
[ -d "$tree/$iotests/tests" ] || base "$iotests/group"
qtest_files
mail $((have + 1)) "tests/qtest: boot a guest that loses wakeups of the main loop" <<'EOT'
A firmware that drives a virtio-blk disk and a flash, and a library that is
preloaded into QEMU and holds its threads in the order of a schedule.  A vCPU
that writes to the flash is a temporary waiter of the main AioContext; before
this series it takes wakeups that the main loop needs, and the guest waits for a
disk read, a timer, the end of QEMU or a reset for ever.

Nothing depends on time but how long a loss takes to be told.  The test is left
out where the C compiler cannot do -m32, and on other hosts than x86_64 Linux.
EOT
iotest_files
mail $((have + 2)) "iotests: boot a guest while a vCPU polls the main AioContext" <<'EOT'
The firmware and the schedule of the qtest aio-wakeup-test, with a disk of the
format under test.  The test is not run where that one was not built.
EOT
