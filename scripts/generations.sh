#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Which QEMU is affected, and which series it takes: a table of what stands in
# patches/*/generation.conf.  "Still lost before": upstream's fixes that the series
# does not have, and the first release with each.
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

# usage: still_lost GENERATION
still_lost() {
    described "$1" upstream | awk -F' [|] ' '{ printf "%s%s (%s)", sep, $2, $1; sep = "; " } END { if (!NR) print "-" }'
}

rows() {
    local generation
    printf 'generation\treleases\taffected\tsince\tpatches\tstill lost before\n'
    while read -r generation; do
        printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$generation" \
            "$(described "$generation" releases)" "$(described "$generation" affected)" \
            "$(described "$generation" opened)" \
            "$(series_length "$generation")" \
            "$(still_lost "$generation")"
    done < <(generations)
}

rows | columns "$lead" "$between" "$trail" "$rule"
