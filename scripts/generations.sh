#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Which QEMU is affected, and which series it takes: a table of what stands in
# patches/*/generation.conf.
#
# usage: generations.sh [--markdown]

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/series.sh"

lead='' between='  ' trail='' rule=no
for word; do
    case $word in
    -h | --help) print_help "$0"; exit 0 ;;
    --markdown) lead='| ' between=' | ' trail=' |' rule=yes ;;
    *) die "unknown word $word" ;;
    esac
done

rows() {
    local generation
    printf 'generation\treleases\taffected\tsince\tpatches\n'
    while read -r generation; do
        printf '%s\t%s\t%s\t%s\t%s\n' "$generation" \
            "$(described "$generation" releases)" "$(described "$generation" affected)" \
            "$(described "$generation" opened)" \
            "$([ -e "$PATCHES/$generation/series" ] && series_length "$generation" || echo none)"
    done < <(generations)
}

rows | columns "$lead" "$between" "$trail" "$rule"
