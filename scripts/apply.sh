#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Puts the fix series on a QEMU tree, or takes it off: all of it or nothing.
#
# usage: apply.sh --tree DIR [--upto STATE | --with-tests] [--dry-run] [--reverse]
#
#   --tree DIR   the QEMU tree that is changed
#   --upto STATE so that the tree is that: rule, awake or requests; or a number of patches.  With --reverse, so that
#                this stays
#   --with-tests also the qtest and the iotest that boot a guest, as the last
#                patches (see with-tests.sh); --reverse takes them off, too
#   --dry-run    only say what would be done
#   --reverse    take the series off
#   --with HOW   git, quilt or patch, instead of what the tree suggests
#
# The series is chosen by what the files say, not by a version.  A git clone gets
# commits (git am; to take them off, commits that undo them), a Debian source
# tree gets quilt patches and a changelog entry, any other tree is patched.
# Everything is tried on copies first; a patch that does not fit is named with
# its hunk, and the tree stays as it was.  A note names each fix of a lost wakeup
# that upstream has and neither the tree nor the series does.
#
# Exit status: 0 done or already so, 2 wrong use or it does not fit, 77 not
# possible here.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$SCRIPTS/series.sh"

title() { sed -n '/^Subject:/{N;s/\n //;s/\n.*//;s/^Subject: *\(\[[^]]*\] *\)\{0,1\}//p;q}' "$1"; }

# ---- what is kept until the work is done ----------------------------------

# Everything that is about to change, or to be made, below the tree.
kept_paths() {
    touched_files "${all[@]}"
    [ "$how" = quilt ] || return 0
    (cd "$tree" && find debian/changelog debian/patches/series .pc/applied-patches \
        debian/patches/aio-wakeup-* .pc/aio-wakeup-* -maxdepth 0 2>/dev/null) || :
}

keep() {
    local file
    mkdir -p "$before"
    while read -r file; do
        [ ! -e "$tree/$file" ] || (cd "$tree" && cp -a --parents -- "$file" "$before/")
    done < <(kept_paths)
    on_failure put_back
}

put_back() {
    local file
    while read -r file; do
        [ -e "$before/$file" ] || rm -rf "${tree:?}/$file"
    done < <(kept_paths)
    drop_empty
    cp -a "$before/." "$tree/"
}

# Folders that a patch has made and another one has emptied
drop_empty() {
    local file
    while read -r file; do
        [ -e "$tree/$file" ] ||
            (cd "$tree" && rmdir -p "$(dirname "$file")" 2>/dev/null) || :
    done < <(touched_files "${all[@]}")
}

# ---- a plain tree ---------------------------------------------------------

with_patch() {
    local file
    keep
    while read -r file; do
        if [ ! -e "$after/$file" ]; then
            rm -f "$tree/$file"
        elif ! cmp -s "$after/$file" "$tree/$file"; then
            mkdir -p "$(dirname "$tree/$file")"
            cp "$after/$file" "$tree/$file"
        fi
    done < <(touched_files "${part[@]}")
    drop_empty
    on_failure_clear
}

# ---- a git clone ----------------------------------------------------------

in_tree() { git -C "$tree" "$@"; }

git_is_ready() {
    local dir
    dir=$(in_tree rev-parse --absolute-git-dir)
    if [ -d "$dir/rebase-apply" ] || [ -d "$dir/rebase-merge" ] || [ -f "$dir/MERGE_HEAD" ]; then
        die "$tree is in the middle of a git am, rebase or merge; finish it first"
    fi
    [ -z "$(in_tree status --porcelain --untracked-files=no)" ] ||
        die "$tree has changes that are not committed; commit or stash them first"
    in_tree var GIT_COMMITTER_IDENT >/dev/null 2>&1 ||
        die "git does not know who commits in $tree; set user.name and user.email"
}

git_undo() {
    in_tree am --abort >/dev/null 2>&1 || :
    in_tree reset -q --hard "$was"
}

with_git() {
    local i
    was=$(in_tree rev-parse HEAD)
    on_failure git_undo
    if [ "$upto" -gt "$have" ]; then
        in_tree am -q --keep-non-patch "${all[@]:have:upto-have}" ||
            die "git am did not take the series; $tree is as it was"
    fi
    for ((i = have; i > upto; i--)); do
        in_tree apply -R --index "${all[i - 1]}"
        in_tree commit -q -m "Revert \"$(title "${all[i - 1]}")\"" \
            -m "The aio-wakeup series is taken off."
    done
    on_failure_clear
}

# ---- a Debian source tree -------------------------------------------------

quilted() { (cd "$tree" && QUILT_PATCHES=debian/patches QUILT_PC=.pc quilt --quiltrc=- "$@"); }

in_debian() { printf 'aio-wakeup-%s\n' "$(basename "$1")"; }

quilt_is_ready() {
    local last top
    last=$(sed 's/#.*//' "$tree/debian/patches/series" | awk 'NF { l = $1 } END { print l }')
    top=$(quilted top 2>/dev/null || :)
    [ "${top#debian/patches/}" = "$last" ] ||
        die "not all of debian/patches is applied in $tree; run there: quilt push -a"
    if [ "$have" -gt "$upto" ] && [ "$last" != "$(in_debian "${all[have - 1]}")" ]; then
        die "the last patch of $tree is $last, not ours; take that off first, or use --with patch"
    fi
}

changelog_entry() {
    local version who
    version=$(sed -n '1s/.*(\(.*\)).*/\1/p' "$tree/debian/changelog")
    who="${DEBFULLNAME:-$(git config user.name 2>/dev/null || id -un)} <${DEBEMAIL:-$(git config user.email 2>/dev/null || echo "$(id -un)@localhost")}>"
    printf 'qemu (%s+aiowakeup1) UNRELEASED; urgency=medium\n\n' "${version%+aiowakeup1}"
    printf '  * Add patches 1 to %s of the aio-wakeup series (%s):\n' "$upto" "$generation"
    local i
    for ((i = 0; i < upto; i++)); do
        printf '    - %s\n' "$(title "${all[i]}")"
    done | fold -s -w 76 | sed 's/^\([^ ]\)/      \1/; s/ *$//'
    printf '\n -- %s  %s\n\n' "$who" "$(date -R)"
}

# Our entry, if it is the newest one, goes away; a new one says what is on now.
write_changelog() {
    local log=$tree/debian/changelog rest=$tree/debian/changelog
    if head -n 1 "$log" | grep -q '+aiowakeup1) UNRELEASED'; then
        rest=$before/changelog.rest
        awk 'NR > 1 && /^[a-z]/ { on = 1 } on' "$log" >"$rest"
    fi
    { [ "$upto" -eq 0 ] || changelog_entry; cat "$rest"; } >"$before/changelog.new"
    cat "$before/changelog.new" >"$log"
}

with_quilt() {
    local i name
    keep
    for ((i = have; i < upto; i++)); do
        name=$(in_debian "${all[i]}")
        cp "${all[i]}" "$tree/debian/patches/$name"
        printf '%s\n' "$name" >>"$tree/debian/patches/series"
        quilted push -q --fuzz=0 >/dev/null
    done
    for ((i = have; i > upto; i--)); do
        name=$(in_debian "${all[i - 1]}")
        quilted pop -q >/dev/null
        quilted delete -r "$name" >/dev/null
    done
    drop_empty
    write_changelog
    on_failure_clear
}

# ---- the work -------------------------------------------------------------

tree=
upto=
dry=no
reverse=no
with_tests=no
how=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --tree) tree=$(value_of "$@"); shift ;;
    --upto) upto=$(value_of "$@"); shift ;;
    --with) how=$(value_of "$@"); shift ;;
    --with-tests) with_tests=yes ;;
    --dry-run) dry=yes ;;
    --reverse) reverse=yes ;;
    *) die "unknown word $1" ;;
    esac
    shift
done
[ -n "$tree" ] || die "which tree? --tree DIR"
[[ $with_tests = no || -z $upto ]] || die "--with-tests comes after the whole series, so --upto cannot be given as well"
must_be_qemu "$tree"
tree=$(cd "$tree" && pwd -P)
need_commands "applying the series" patch=patch

if [ -z "$how" ]; then
    if [ -f "$tree/debian/patches/series" ] && [ ! -e "$tree/.git" ]; then
        how=quilt
    elif [ -e "$tree/.git" ]; then
        how=git
    else
        how='patch'
    fi
fi
case $how in
git | quilt) need_commands "applying with $how" "$how=$how" ;;
patch) ;;
*) die "--with takes git, quilt or patch, not '$how'" ;;
esac

generation=$(find_generation "$tree")
[ -z "$upto" ] || upto=$(length_of_state "$generation" "$upto")
mkdir -p "$BUILD"
work=$(mktemp -d "$BUILD/apply.XXXXXX")
at_end "$work"
if [ "$with_tests" = yes ] || [ -e "$tree/tests/qtest/aio-wakeup-test.c" ]; then
    "$SCRIPTS/with-tests.sh" --tree "$tree" "$work/tests"
    series_extra=("$work"/tests/*.patch)
fi
mapfile -t all < <(series_patches "$generation")
have=$(series_state "$tree" "$generation")
if [ ${#series_extra[@]} -gt 0 ] && [ "$have" -lt ${#all[@]} ] && [ -e "$tree/tests/qtest/aio-wakeup-test.c" ]; then
    die "the tests that --with-tests put into $tree were changed since, or are of another version; take them off with that one"
fi
if [ "$reverse" = yes ]; then
    upto=${upto:-0}
    [ "$have" -gt "$upto" ] || { say "$tree has $have of the ${#all[@]} patches of $generation: nothing to take off"; exit 0; }
else
    upto=${upto:-${#all[@]}}
    [ "$upto" -ne "$have" ] || { say "$tree has patches 1 to $have of ${#all[@]} already ($generation): nothing to do"; exit 0; }
    [ "$upto" -gt "$have" ] || die "$tree has patches 1 to $have already; to leave only $upto, use --reverse --upto $upto"
fi

[ ! "$how" = git ] || git_is_ready
[ ! "$how" = quilt ] || quilt_is_ready
[ -w "$tree" ] || cannot "$tree cannot be written to"

after=$work/after
before=$work/before
try_series "$tree" "$generation" "$have" "$upto" "$after"

if [ "$reverse" = yes ]; then
    part=("${all[@]:upto:have-upto}")
    words="taken off: patches $((upto + 1)) to $have of ${#all[@]} ($generation, with $how)"
else
    part=("${all[@]:have:upto-have}")
    words="applied: patches $((have + 1)) to $upto of ${#all[@]} ($generation, with $how)"
fi
if [ "$dry" = yes ]; then
    say "would be $words"
    exit 0
fi
"with_$how"
say "$words"
[ "$reverse" = yes ] || not_here "$tree" "$generation" | sed 's/^/note: not in this tree, nor in the series: /'
