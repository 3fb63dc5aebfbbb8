#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Checks the formal models of docs/ and compares every verdict with the one that
# the model's file expects, both ways: a variant that should lose a wakeup and
# does not is an error too.
#
#   ./build.sh models [--quick] [--only REGEX] [--jobs N] [--trails FOLDER]
#                         [--docs FOLDER]
#
#   --quick          the rows marked "expect:", at most 60 seconds; without it
#                    also those marked "expect-full:", at most 5 minutes on two
#                    cores
#   --only REGEX     only the rows that match: "model variant property world"
#   --jobs N         that many at a time (default: one per CPU)
#   --trails FOLDER  leave spin's trails of the violations there
#   --docs FOLDER    the *.promela files of that folder instead of docs/
#
# A row of the table: model, variant, property, world (what runs beside the main
# loop), states, seconds, expected, found.  What the words mean is said at the
# top of docs/aio_wakeup.promela and of scripts/model-run.sh.
#
# Exit status: 0 all as expected, 1 a difference, 2 wrong use, 77 not possible.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
docs=$here/../docs
quick=no only=. jobs=$(nproc) trails=

die() { echo "models.sh: $*" >&2; exit 2; }
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        awk 'NR > 3 && !/^#/ { exit } NR > 3 { sub(/^# ?/, ""); print }' "$0"
        exit 0 ;;
    --quick) quick=yes ;;
    --only | --jobs | --trails | --docs)
        [ $# -ge 2 ] || die "$1 needs a value"
        case $1 in
        --only) only=$2 ;;
        --jobs) jobs=$2 ;;
        --trails) trails=$2 ;;
        --docs) docs=$2 ;;
        esac
        shift ;;
    *) die "unknown word '$1'; see --help" ;;
    esac
    shift
done
[[ $jobs =~ ^[1-9][0-9]*$ ]] || die "--jobs wants a number"

missing=
for need in spin=spin gcc=gcc parallel=parallel; do
    command -v "${need%%=*}" >/dev/null || missing+=" ${need#*=}"
done
if [ -n "$missing" ]; then
    echo "models.sh: packages are missing; install them with: apt-get install --no-install-recommends$missing" >&2
    exit 77
fi
if [ -n "$trails" ]; then
    mkdir -p "$trails" || die "cannot make the folder $trails"
    MODEL_TRAILS=$(realpath "$trails")
    export MODEL_TRAILS
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/aio-wakeup-models.XXXXXX")
trap 'rm -rf "$work"' EXIT

# "expect: VARIANT PROPERTY VERDICT [WORLD...]"; the slow ones are started first
for file in "$docs"/*.promela; do
    awk -v file="$file" -v quick="$quick" -v only="$only" '
        $2 == "expect:" || ($2 == "expect-full:" && quick == "no") {
            world = ""
            for (i = 6; i <= NF; i++) world = world " " $i
            name = file
            gsub(/.*\/|\.promela$/, "", name)
            if ((name " " $3 " " $4 world) ~ only) {
                print ($2 == "expect:" ? 1 : 0), file, $3, $4, $5 world
            }
        }' "$file"
done | sort -s -k1,1n | cut -d' ' -f2- >"$work/rows"
rows=$(wc -l <"$work/rows")
[ "$rows" -gt 0 ] || die "no row matches '$only'"

echo "$rows models on $jobs CPUs ..." >&2
begin=$SECONDS
bar=()
[ ! -t 2 ] || bar=(--bar)
# no quotes and blanks in a row but those between its words
parallel "${bar[@]}" --will-cite -j "$jobs" --colsep ' ' \
    "$here/model-run.sh" :::: "$work/rows" >"$work/table" || :
[ "$(wc -l <"$work/table")" -eq "$rows" ] || {
    echo "models.sh: $((rows - $(wc -l <"$work/table"))) of $rows rows gave no answer" >&2
    exit 1
}

{
    printf 'model\tvariant\tproperty\tworld\tstates\tseconds\texpected\tfound\n'
    sort -t$'\t' -s -k1,1 -k2,2V -k3,3 -k4,4 "$work/table" |
        awk -F'\t' -v OFS='\t' '{ $1 = $1; if ($7 != $8) $8 = $8 "  <== differs"; print }'
} | column -t -s$'\t'
wrong=$(awk -F'\t' '$7 != $8' "$work/table" | wc -l)
echo "$rows verdicts, $wrong not as expected, $((SECONDS - begin)) s"
[ "$wrong" -eq 0 ]
