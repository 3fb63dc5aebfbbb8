#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs the iotest under qtest/iotest with the ./check of a QEMU tree, stock or
# patched, from outside the tree: see qtest/iotest/run.sh.
#
# usage: iotest.sh [--tree DIR | --suite NAME] [--variant NAME]
#
#   --tree DIR      a QEMU tree (a copy is built, DIR is only read)
#   --suite NAME    this Debian release's package; the default is the machine's
#                   own release
#   --variant NAME  stock (default), rule, awake, requests, patched, mutants/NAME:
#                   see qemu.sh
#   --expect WORD   lost or kept, instead of what the tree's content says
#
# Output is TAP: a scheduled case must be lost where the tree loses.  Exit status:
# 0 all as expected, 1 not, 2 wrong use, 77 not possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

which=()
variant=stock
expect=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree | --suite) which=("$1" "$(value_of "$@")"); shift ;;
    --variant) variant=$(value_of "$@"); shift ;;
    --expect) expect=$(value_of "$@"); shift ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
[[ $expect == @(|lost|kept) ]] || die "--expect takes lost or kept, not '$expect'"
take_build_folder
guarded "$SCRIPTS/module.sh"
built=$(guarded "$SCRIPTS/qemu.sh" "${which[@]}" --variant "$variant" \
    qemu-system-x86_64 qemu-img qemu-io)
if [ -z "$expect" ]; then
    expect=kept
    [ "$variant" != stock ] || expect=auto
fi
guarded "$ROOT/qtest/iotest/run.sh" --tree "$(dirname "$built")/src" --build "$built" \
    --module "$BUILD/module" --expect "$expect" --work "$(dirname "$built")/iotest"
