#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Removes what was built.
#
# usage: clean.sh [--cache]
#
#   --cache   also remove the cache folder (source packages, compiler cache)

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

downloads=no
for word; do
    case $word in
    -h | --help) print_help "$0"; exit 0 ;;
    --cache) downloads=yes ;;
    *) die "unknown word $word" ;;
    esac
done

# Only a folder that this project made is removed.
[ ! -d "$BUILD" ] || [ -e "$BUILD/lock" ] || [ -z "$(ls -A "$BUILD")" ] ||
    die "$BUILD was not made by this project; nothing removed"
if [ -d "$BUILD" ]; then
    take_build_folder
    rm -rf -- "$BUILD"
    say "removed $BUILD"
fi
if [ "$downloads" = yes ] && [ -d "$CACHE" ]; then
    rm -rf -- "$CACHE"
    say "removed $CACHE"
fi
