#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The models that the series add to QEMU's tree are made from those in docs/:
# what a header says from "In this repository only:" on is left out.
#
#   scripts/in-tree-models.sh --print MODEL      MODEL as the tree gets it
#   scripts/in-tree-models.sh --check [FILE...]  do the patches add just that?
#   scripts/in-tree-models.sh --write FILE...    put it into the patches
#
#   MODEL   a name in docs/: aio_notify_bug.promela
#   FILE    a patch; default: all of patches/ that add a model
#
# --write changes the hunk that adds the model, and the numbers of lines in the
# diffstat above it.
#
# Exit status: 0 the same, 1 a patch adds another model (its difference is
# printed), 2 wrong use.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
docs=$here/../docs
die() { echo "in-tree-models.sh: $*" >&2; exit 2; }

# usage: in_tree MODEL
in_tree() {
    [ -f "$docs/$1" ] || die "docs/ has no model $1"
    awk '/^ \* In this repository only:$/ { skip = 1; held = 0 }
         skip && /^ \*\/$/ { skip = 0 }
         skip { next }
         held { print " *"; held = 0 }
         /^ \*$/ { held = 1; next }
         { print }' "$docs/$1"
}

# usage: added PATCH MODEL: the file that a patch adds
added() {
    awk -v model="/$2" '
        /^diff --git / { on = substr($0, length($0) - length(model) + 1) == model; body = 0 }
        /^-- $/ { on = 0 }
        on && /^@@ / { body = 1; next }
        on && body && /^\+/ { print substr($0, 2) }' "$1"
}

# usage: models_of PATCH: the models that it adds
models_of() {
    awk '/^diff --git / { name = $NF; sub(/.*\//, "", name) }
         /^new file/ && name ~ /\.promela$/ { print name }' "$1"
}

check() {
    local patch model status=0
    for patch; do
        while read -r model; do
            diff -u --label "$patch" --label "docs/$model" <(added "$patch" "$model") <(in_tree "$model") ||
                status=1
        done < <(models_of "$patch")
    done
    return $status
}

# usage: write PATCH MODEL
write() {
    local lines hash
    lines=$(in_tree "$2" | wc -l)
    hash=$(in_tree "$2" | git hash-object --stdin)
    in_tree "$2" | sed 's/^/+/' >"$1.body"
    awk -v model="/$2" -v lines="$lines" -v hash="${hash:0:7}" -v body="$1.body" '
        function mine(name) { return substr(name, length(name) - length(model) + 1) == model }
        # the diffstat: the line of this file, and the sum
        NR == FNR {
            if (!diff && mine($1) && $2 == "|") { old = $3; delta = lines - old }
            if (/^diff --git /) diff = 1
            next
        }
        !below && mine($1) && $2 == "|" { sub(/\| +[0-9]+/, sprintf("| %" length(old) "d", lines)) }
        !below && / files? changed/ { sub(/[0-9]+ insertion/, ($4 + delta) " insertion") }
        /^diff --git / { below = 1; on = mine($0); inside = 0 }
        on && /^index / { $0 = "index " substr("00000000000000000000", 1, index($2, "..") - 1) ".." hash }
        on && /^@@ / {
            print "@@ -0,0 +1," lines " @@"
            while ((getline line < body) > 0) print line
            inside = 1
            next
        }
        on && inside && /^\+/ { next }
        { print }' "$1" "$1" >"$1.new"
    mv "$1.new" "$1"
    rm -f "$1.body"
}

word=${1:-}
[ $# -eq 0 ] || shift
case $word in
-h | --help) awk 'NR > 3 && !/^#/ { exit } NR > 3 { sub(/^# ?/, ""); print }' "$0" ;;
--print)
    [ $# -eq 1 ] || die "--print wants one model"
    in_tree "$1" ;;
--check | --write)
    if [ $# -eq 0 ] && [ "$word" = --check ]; then
        mapfile -t patches < <(grep -l '^+++ b/docs/.*\.promela$' "$here"/../patches/*/*.patch)
        set -- "${patches[@]}"
    fi
    [ $# -gt 0 ] || die "$word: no patch"
    for patch; do
        [ -f "$patch" ] || die "no such patch: $patch"
    done
    if [ "$word" = --check ]; then
        check "$@"
    else
        for patch; do
            for model in $(models_of "$patch"); do write "$patch" "$model"; done
        done
    fi ;;
*) die "see --help" ;;
esac
