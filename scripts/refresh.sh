#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Rebases a series on a newer source of the same generation, or names the hunk
# that no longer fits.
#
# usage: refresh.sh [--tree DIR | --suite NAME] [--generation NAME | --from NAME]
#                   [--out DIR | --in-place] [--dry-run]
#
#   --tree DIR         the newer source, without the series; only read
#   --suite NAME       the source package of this Debian release, after asking
#                      the archive for a newer one; default: the machine's own
#   --generation NAME  which series; default: what the files of the tree say
#   --from NAME        the series of the tree's generation becomes that of this
#                      generation: each patch that has a patch of the same title
#                      there is made anew from it, message and diff
#   --out DIR          where the series goes; default: below the build folder
#   --in-place         to patches/NAME, where it came from
#   --dry-run          only say what would be done
#
# A patch whose hunks fit elsewhere, or with up to two lines of context that
# changed (shown: look at them), is written anew: the mail stays, the diff is made
# again.  The new series fits its tree without fuzz and makes of it what the old
# one made.  A hunk that does not fit is named with its patch and file, and nothing
# is written.
#
# Exit status: 0 done or nothing to do, 1 a hunk does not fit, 2 wrong use, 77 not
# possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/series.sh"

FUZZ=2

# usage: fit PATCH FOLDER FUZZ [OPTION...]: what patch says goes to $work/said
fit() {
    LC_ALL=C patch -p1 -N -f --no-backup-if-mismatch -r - -F"$3" -d "$2" -i "$1" "${@:4}" >"$work/said" 2>&1
}

# What patch said of its hunks, one a line: file, hunk and what became of it
hunks() {
    awk '/^(patching|checking) file / { file = $3 }
         /^The text leading up to this was:/ { lost = 1 }
         lost && /^\|\+\+\+ / { sub(/^b\//, "", $2); print $2 ": the file is not there"; lost = 0 }
         /previously applied/ { print file ": has the change already" }
         /^Hunk .*FAILED/ { print file ": hunk " $2 " near line " $5 + 0 " does not fit" }
         /^Hunk .* succeeded .*fuzz/ { print file ": hunk " $2 " with other context, now at line " $5 + 0 }
         /^Hunk .* succeeded .*offset/ && !/fuzz/ { print file ": hunk " $2 " moved to line " $5 + 0 }' "$work/said"
}

in_base() { git -C "$base" -c core.abbrev=7 -c core.autocrlf=false -c diff.noprefix=false "$@"; }

# usage: keep_base: what is in the folder is what the next diff begins from
keep_base() {
    in_base add -A -f .
    in_base -c user.name=refresh -c user.email=refresh@localhost commit -q --allow-empty -m base
}

# usage: renew PATCH: this mail with the diff of what is in the folder now
renew() {
    in_base add -A -f .
    if [ -z "$from" ]; then
        awk '/^diff --git / { exit } { print }' "$1"
    else
        awk '{ print } /^---$/ { exit }' "$1"
        in_base diff --cached --no-renames --stat=72 --summary
        echo
    fi
    in_base diff --cached --no-ext-diff --no-renames --no-color
    # what format-patch puts below a diff
    awk '/^-- $/ { on = 1 } on' "$1"
}

# usage: subject PATCH: its subject in one line, without [PATCH 1/6]
subject() { sed -n '/^Subject: /{:more;N;s/\n / /;tmore;s/\n.*//;s/^Subject: *\(\[[^]]*\] *\)\{0,1\}//p;q}' "$1"; }

# usage: at_home: stdin, with the paths that the tree has: tests were not in
# tests/unit before 6.0, and aio.h is in include/qemu since 11.0
at_home() {
    local words=()
    [ -e "$tree/tests/unit" ] || words+=(-e 's,tests/unit,tests,g')
    [ -e "$tree/include/block/aio.h" ] || words+=(-e 's,include/block/aio\.h,include/qemu/aio.h,g')
    sed "${words[@]}" -e ''
}

# usage: changed PATCH: the lines that it adds and removes, and where
changed() { sed '1,/^---$/d' "$1" | grep -E '^[-+]' | at_home; }

# usage: take_over GENERATION: in $all, what has a patch of the same title there
# is replaced by that, under the name and number that it has here; if both change
# the same lines, its own diff stays, which has this tree's context
take_over() {
    local from to i title body
    mkdir -p "$work/from"
    for ((i = 0; i < ${#all[@]}; i++)); do
        while read -r from; do
            title=$(subject "$from" | at_home)
            [ "$title" = "$(subject "${all[i]}")" ] || continue
            to=$work/from/$(basename "${all[i]}")
            # only context differs, and that of this tree is here already
            body=$from
            ! diff <(changed "$from") <(changed "${all[i]}") >/dev/null || body=${all[i]}
            {
                sed '/^Subject: /,$d' "$from"
                fold -s -w 77 <<<"Subject: [PATCH $((i + 1))/${#all[@]}] $title" |
                    sed '2,$s/^/ /; s/ *$//'
                sed '1,/^Subject: /d; /^diff --git /,$d' "$from" | sed '1{:more;/^ /{N;s/^[^\n]*\n//;bmore}}'
                sed -n '/^diff --git /,$p' "$body"
            } | at_home >"$to"
            all[i]=$to
            say "taken     $(basename "$from")"
            break
        done < <(series_patches "$1")
    done
    [ -n "${to:-}" ] || die "the series of $generation has no title of that of $1"
}

# usage: refresh_all: the new series goes to $new; prints a line for each patch
refresh_all() {
    local patch name
    copy_touched "$tree" "$base" "${all[@]}"
    in_base init -q
    keep_base
    for patch in "${all[@]}"; do
        name=$(basename "$patch")
        if ! fit "$patch" "$base" 0 --dry-run && ! fit "$patch" "$base" $FUZZ --dry-run; then
            warn "$name does not fit $tree:"
            hunks | grep -v -e ' moved to ' -e ' with other context' | sed 's/^/    /' >&2
            say "nothing was written"
            exit "$FINDING"
        fi
        fit "$patch" "$base" $FUZZ || die "$name: patch went wrong: $(tail -n 1 "$work/said")"
        renew "$patch" >"$new/$name"
        keep_base
        if ! grep -q '^Hunk ' "$work/said" && [[ $patch != "$work"/* ]]; then
            # only the ids of blobs can differ
            cp "$patch" "$new/$name"
            say "fits      $name"
        else
            changed=$((changed + 1))
            say "refreshed $name"
            hunks | sed 's/^/          /' >&2
        fi
    done
}

# The new series on the same tree, without fuzz, must give the same files.
prove() {
    local again=$work/again patch
    copy_touched "$tree" "$again" "${all[@]}"
    for patch in "${all[@]}"; do
        if ! fit "$new/$(basename "$patch")" "$again" 0 || grep -q '^Hunk ' "$work/said"; then
            die "the refreshed $(basename "$patch") does not fit; this is a mistake in refresh.sh"
        fi
    done
    diff -r -x .git "$base" "$again" >/dev/null ||
        die "the refreshed series does not do the same; this is a mistake in refresh.sh"
}

tree=
suite=
generation=
from=
out=
in_place=no
dry=no
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree) tree=$(value_of "$@"); shift ;;
    --suite) suite=$(value_of "$@"); shift ;;
    --generation) generation=$(value_of "$@"); shift ;;
    --from) from=$(value_of "$@"); shift ;;
    --out) out=$(value_of "$@"); shift ;;
    --in-place) in_place=yes ;;
    --dry-run) dry=yes ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
[ -z "$tree" ] || [ -z "$suite" ] || die "--tree or --suite, not both"
[ -z "$generation" ] || [ -z "$from" ] || die "--generation or --from, not both"
[ -z "$out" ] || [ "$in_place" = no ] || die "--out or --in-place, not both"
need_commands "refreshing a series" patch=patch git=git

if [ -n "$tree" ]; then
    must_be_qemu "$tree"
    tree=$(cd "$tree" && pwd -P)
else
    suite=${suite:-$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")}
    tree=$BUILD/qemu/$suite/src
    take_build_folder
    guarded "$SCRIPTS/source.sh" --suite "$suite" --update "$tree"
fi
for name in "$generation" "$from"; do
    [ -z "$name" ] || [ -e "$PATCHES/$name/series" ] ||
        die "there is no generation '$name'; ./build.sh generations lists them"
done
[ -n "$generation" ] || generation=$(find_generation "$tree")
mapfile -t all < <(series_patches "$generation")
# what is odd about the tree is said below, by hunk
have=$(series_state "$tree" "$generation" 2>/dev/null) || have=0
[ "$have" -eq 0 ] ||
    die "$tree has patch 1 of $generation already; take the series off first: ./build.sh apply --tree $tree --reverse"

mkdir -p "$BUILD"
work=$(mktemp -d "$BUILD/refresh.XXXXXX")
at_end "$work"
base=$work/base
new=$work/new
mkdir -p "$new"
changed=0
[ -z "$from" ] || take_over "$from"
refresh_all
prove

if [ "$in_place" = yes ]; then
    out=$PATCHES/$generation
    [ "$changed" -gt 0 ] || { say "the series of $generation fits $tree as it is: nothing to do"; exit 0; }
elif [ -z "$out" ]; then
    out=$BUILD/refresh/$generation
fi
if [ "$dry" = yes ]; then
    say "$changed of ${#all[@]} patches of $generation would be refreshed, to $out"
    exit 0
fi
mkdir -p "$out" 2>/dev/null || die "cannot make the folder $out"
[ -w "$out" ] || die "cannot write to $out"
[ "$in_place" = yes ] || cp "$PATCHES/$generation/series" "$PATCHES/$generation/generation.conf" "$out/"
cp "$new"/*.patch "$out/"
say "$changed of ${#all[@]} patches of $generation refreshed, the series is in $out"
