#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The shortest counterexample of a variant, one column a thread, as text or as
# a picture.
#
#   scripts/model-trail.sh [--svg FILE] [--steps FILE] VARIANT PROPERTY [WORLD...]
#
#   scripts/model-trail.sh 2020 bh
#   scripts/model-trail.sh 2015-early rearm TIMER=2 REMOTE
#
# The words are those of docs/aio_wakeup.promela; how a step is called is in the
# table at its end.  Steps that touch nothing shared are left out.
#
#   --steps FILE  also leaves the steps there, for scripts/replay.sh: process,
#                 number, text, tag
#
# Exit status: 0 printed, 1 there is no counterexample, 2 wrong use, 77 not
# possible here.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
model=$(realpath "$here/../docs/aio_wakeup.promela")
svg=""
steps=""
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) awk 'NR > 3 && !/^#/ { exit } NR > 3 { sub(/^# ?/, ""); print }' "$0"; exit 0 ;;
    --svg) [ $# -ge 2 ] || { echo "model-trail.sh: --svg needs a file" >&2; exit 2; }; svg=$2; shift 2 ;;
    --steps) [ $# -ge 2 ] || { echo "model-trail.sh: --steps needs a file" >&2; exit 2; }; steps=$2; shift 2 ;;
    -*) echo "model-trail.sh: unknown word '$1'; see --help" >&2; exit 2 ;;
    *) break ;;
    esac
done
[ $# -ge 2 ] || { echo "model-trail.sh: see --help" >&2; exit 2; }
variant=$1 property=$2
shift 2
for need in spin gcc; do
    command -v $need >/dev/null ||
        { echo "model-trail.sh: install it with: apt-get install --no-install-recommends $need" >&2; exit 77; }
done

work=$(mktemp -d "${TMPDIR:-/tmp}/aio-wakeup-trail.XXXXXX")
trap 'rm -rf "$work"' EXIT
define=("-DV$(tr 'a-z.-' 'A-Z__' <<<"$variant")" "-D${property^^}")
title="$variant: $property"
for word; do define+=("-D$word"); title+=", $word"; done

# Preprocessed first: spin's line numbers are wrong where an inline has #if's.
# Breadth first finds the shortest counterexample.
( cd "$work"
  gcc -E -C -P -x c -std=gnu99 "${define[@]}" "$model" >model.pml
  spin -a model.pml >log && gcc -O1 -w -DBFS -DSAFETY -DMEMLIM=6000 pan.c -o pan
  ./pan -E >log 2>&1 || :
  [ -f model.pml.trail ] || exit 1
  spin -k model.pml.trail -p model.pml >trail ) || {
    echo "model-trail.sh: no counterexample for $title" >&2
    exit 1
}

# steps with words; a thread is named by its proctype and number
awk -v model="$model" -v plain="$work/model.pml" '
    BEGIN {
        while ((getline line < plain) > 0) {
            n++
            if (match(line, /\/\*@ [A-Z0-9]+ \*\//)) {
                split(substr(line, RSTART), part, " ")
                tag[n] = part[2]
            }
        }
        while ((getline line < model) > 0) {
            if (line ~ /^ \* word: /) {
                split(line, part, " ")
                text = line
                sub(/^ \* word: [A-Z0-9]+ /, "", text)
                word[part[3]] = text
            }
        }
    }
    /[ \t]proc +[0-9]+ \(/ {
        match($0, /proc +[0-9]+ /); proc = substr($0, RSTART + 4, RLENGTH - 4) + 0
        match($0, /\([a-z_:]+:1\)/); name = substr($0, RSTART + 1, RLENGTH - 4); sub(/:.*/, "", name)
        match($0, /[.]pml:[0-9]+/); at = substr($0, RSTART + 5, RLENGTH - 5) + 0
        match($0, /\[.*\]$/); statement = substr($0, RSTART + 1, RLENGTH - 2)
        t = tag[at]
        if (!(t in word)) next
        # of a line with several statements, the one that does it
        if ((t == "X5" || t == "Y5") && statement !~ /^event/) next
        if ((t == "V1" || t == "M3") && statement !~ /^bql = /) next
        if (t ~ /^(C2|C4)$/ && statement !~ /^fin/) next
        if (t == "R2" && statement !~ /^fin/) next
        if (t == "B3" && statement == "else") next
        if (t == "S1" && statement !~ /^bh/) next
        if (t == "N4" && statement !~ /^written/) next
        print name "\t" proc "\t" word[t] "\t" t
    }' "$work/trail" >"$work/steps"
if grep -q '^main_loop' "$work/steps" &&
   [ "$(grep '^main_loop' "$work/steps" | tail -1 | cut -f3)" = "drops the BQL" ]; then
    sleeper=$(grep -m1 '^main_loop' "$work/steps" | cut -f2)
    printf 'main_loop\t%s\tppoll: sleeps for good\tM9\n' "$sleeper" >>"$work/steps"
fi

[ -z "$steps" ] || cp "$work/steps" "$steps"

awk -F"\t" -v title="$title" -v svg="$svg" '
    function label(name,   l) {
        l = name
        if (name == "main_loop") l = "main loop"
        if (name == "temporary_waiter") l = "temporary waiter"
        if (name == "worker") l = "worker " ++workers
        if (name == "remote") l = "iothread"
        if (name == "timer") l = "notifier"
        return l
    }
    function escape(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); gsub(/>/, "\\&gt;", s); return s }
    { who[NR] = $2; said[NR] = $3
      if (!($2 in name)) name[$2] = $1
      if (length($3) > width[$2]) width[$2] = length($3) }
    END {
        for (p = 0; p < 20; p++) if (p in name) {
            order[++columns] = p
            head[p] = label(name[p])
            if (length(head[p]) > width[p]) width[p] = length(head[p])
        }
        line = ""
        for (c = 1; c <= columns; c++) line = line sprintf("%-" (width[order[c]] + 3) "s", head[order[c]])
        sub(/ +$/, "", line); print line
        line = ""
        for (c = 1; c <= columns; c++) {
            dashes = head[order[c]]; gsub(/./, "-", dashes)
            line = line sprintf("%-" (width[order[c]] + 3) "s", dashes)
        }
        sub(/ +$/, "", line); print line
        for (r = 1; r <= NR; r++) {
            line = ""
            for (c = 1; c <= columns; c++)
                line = line sprintf("%-" (width[order[c]] + 3) "s", order[c] == who[r] ? said[r] : "")
            sub(/ +$/, "", line); print line
        }
        if (svg == "") exit
        # the picture
        x = 30
        for (c = 1; c <= columns; c++) {
            w = width[order[c]] * 7.4 + 26
            left[order[c]] = x; wide[order[c]] = w; x += w + 14
        }
        high = 84 + NR * 24 + 26
        printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" font-family=\"monospace\" font-size=\"12\">\n", x + 16, high, x + 16, high > svg
        print "<!-- made by scripts/model-trail.sh from a trail of docs/aio_wakeup.promela; do not edit -->" > svg
        printf "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n<text x=\"30\" y=\"24\" font-size=\"13\" fill=\"#555555\">%s</text>\n", escape(title) > svg
        for (c = 1; c <= columns; c++) {
            p = order[c]; mid = left[p] + wide[p] / 2
            printf "<line x1=\"%d\" y1=\"62\" x2=\"%d\" y2=\"%d\" stroke=\"#cccccc\"/>\n", mid, mid, high - 16 > svg
            printf "<text x=\"%d\" y=\"52\" text-anchor=\"middle\" font-weight=\"bold\" font-size=\"13\">%s</text>\n", mid, escape(head[p]) > svg
        }
        for (r = 1; r <= NR; r++) {
            p = who[r]; y = 66 + (r - 1) * 24
            fill = "#f4f4f4"; edge = "#999999"
            if (said[r] ~ /^writes the notifier/) { fill = "#dff2df"; edge = "#2e7d32" }
            if (said[r] ~ /^clears the notifier/) { fill = "#fde0dc"; edge = "#c62828" }
            if (said[r] ~ /^(schedules a BH|sets a new deadline)/) { fill = "#fff4d6"; edge = "#b28704" }
            if (said[r] ~ /BQL/) { fill = "#e3ecfa"; edge = "#1f4e9c" }
            if (said[r] ~ /sleeps for good/) { fill = "#c62828"; edge = "#c62828" }
            printf "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"20\" rx=\"3\" fill=\"%s\" stroke=\"%s\"/>", left[p], y, wide[p], fill, edge > svg
            printf "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\"%s>%s</text>\n", left[p] + wide[p] / 2, y + 14, (said[r] ~ /sleeps for good/ ? " fill=\"#ffffff\" font-weight=\"bold\"" : ""), escape(said[r]) > svg
            # from a write to the clear that takes it
            if (said[r] ~ /^writes the notifier/) { from = p; fromy = y }
            if (said[r] ~ /^clears the notifier/ && from != "" && from != p) {
                x1 = (left[from] > left[p]) ? left[from] : left[from] + wide[from]
                x2 = (left[from] > left[p]) ? left[p] + wide[p] : left[p]
                printf "<path d=\"M%d %d L%d %d\" stroke=\"#c62828\" stroke-width=\"1.5\" stroke-dasharray=\"4 3\" fill=\"none\"/>\n", x1, fromy + 10, x2, y + 10 > svg
            }
        }
        print "</svg>" > svg
    }' "$work/steps"
