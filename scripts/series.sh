# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What is known about the series under patches/, and what a tree has of them.
# To be sourced after common.sh.  A tree is only read here; patches are tried on
# copies of the files that they touch.  No fuzz is allowed: a hunk fits or not.

PATCHES=${AIO_WAKEUP_PATCHES:-$ROOT/patches}
# more patches at the end of every series: with-tests.sh makes them
series_extra=()

must_be_qemu() {
    [ -d "$1" ] || die "there is no folder $1"
    if [ ! -f "$1/VERSION" ] || [ ! -f "$1/configure" ] || [ ! -f "$1/qemu-options.hx" ]; then
        die "$1 is not a QEMU tree: it lacks VERSION, configure or qemu-options.hx"
    fi
}

# usage: must_build_here TREE: ends if it is older than what can be built here
must_build_here() {
    local why="is built with make, not with meson"
    [ ! -e "$1/meson.build" ] || return 0
    ! grep -q 'Python 3 or later is not yet supported' "$1/configure" || why="needs Python 2"
    cannot "QEMU $(cat "$1/VERSION") $why: build it where that is usual (Debian 11 has both, a chroot will do), then: ./build.sh verdict BINARY"
}

# usage: generations: their names, one a line; described by generation.conf
generations() {
    (cd "$PATCHES" 2>/dev/null && for conf in */generation.conf; do
        [ ! -e "$conf" ] || dirname "$conf"
    done | sort -V)
}

# usage: described GENERATION KEY: the values of this key, one a line
described() {
    sed -n "s/^$2 *= *//p" "$PATCHES/$1/generation.conf"
}

# usage: says TREE 'FILE... | STRING': a line of one of the files holds the fixed
# string
says() {
    local files
    read -ra files <<<"${2%% | *}"
    (cd "$1" && grep -qsF -e "${2#* | }" -- "${files[@]}")
}

# usage: not_so TREE lacks|has 'FILE... | STRING': the same, for people
not_so() {
    local paths path
    read -ra paths <<<"${3%% | *}"
    for path in "${paths[@]}"; do
        if [ -e "$1/$path" ]; then
            printf "%s %s '%s'\n" "$path" "$2" "${3#* | }"
            return
        fi
    done
    printf 'it has no %s\n' "${3%% | *}"
}

# usage: unlike TREE GENERATION: how the tree differs from this generation, one
# a line, nothing if it is of it
unlike() {
    local mark
    while read -r mark; do
        says "$1" "$mark" || not_so "$1" lacks "$mark"
    done < <(described "$2" need)
    while read -r mark; do
        ! says "$1" "$mark" || not_so "$1" has "$mark"
    done < <(described "$2" lack)
}

# usage: not_here TREE GENERATION: upstream's fixes of lost wakeups that neither
# the tree nor the series has, "COMMIT (RELEASE): what is lost", one a line
not_here() {
    local commit release files string lost file
    while IFS=$'\t' read -r commit release files string lost; do
        ! says "$1" "$files | $string" || continue
        for file in $files; do
            [ -e "$1/$file" ] || continue
            printf '%s (%s): %s\n' "$commit" "$release" "$lost"
            break
        done
    done < <(described "$2" upstream | sed 's/ | /\t/g')
}

# usage: find_generation TREE: the generation whose files the tree has
find_generation() {
    local generation differences count fewest=999 nearest=
    while read -r generation; do
        differences=$(unlike "$1" "$generation")
        if [ -z "$differences" ]; then
            printf '%s\n' "$generation"
            return
        fi
        # each file that is not there counts for three, of equals the latest is taken
        count=$(sort -u <<<"$differences" | awk '/^it has no / { n += 2 } { n++ } END { print n }')
        if [ "$count" -le "$fewest" ]; then
            fewest=$count
            nearest="$generation, but $(head -n 1 <<<"$differences")"
        fi
    done < <(generations)
    die "$1 is of no generation that this project knows${nearest:+: nearest is $nearest}"
}

# usage: series_patches GENERATION: the patch files in order, one a line
series_patches() {
    local name
    while read -r name _; do
        case $name in
        '' | '#'*) ;;
        *) printf '%s\n' "$PATCHES/$1/$name" ;;
        esac
    done <"$PATCHES/$1/series"
    [ ${#series_extra[@]} -eq 0 ] || printf '%s\n' "${series_extra[@]}"
}

series_length() { series_patches "$1" | wc -l; }

# usage: length_of_state GENERATION STATE: how many patches of the series a tree in
# this state has; STATE is stock, patched (the whole series), a number, or one that
# generation.conf names
length_of_state() {
    local patches
    case $2 in
    stock | '') echo 0 ;;
    patched) series_length "$1" ;;
    *[!0-9]*)
        patches=$(described "$1" state | sed -n "s/^$2 | //p")
        [ -n "$patches" ] || die "the series of $1 has no state '$2'; it has: stock $(described "$1" state | sed 's/ | .*//' | paste -sd' ') patched"
        printf '%s\n' "$patches"
        ;;
    *) printf '%s\n' "$2" ;;
    esac
}

# usage: touched_files PATCH...
touched_files() {
    sed -n 's,^\(---\|+++\) [ab]/\([^	]*\).*,\2,p' "$@" | sort -u
}

# usage: copy_touched TREE TO PATCH...: TO gets what the patches touch, alone
copy_touched() {
    local tree=$1 to=$2 file
    shift 2
    rm -rf "$to"
    mkdir -p "$to"
    while read -r file; do
        [ ! -e "$tree/$file" ] || (cd "$tree" && cp --parents -- "$file" "$to/")
    done < <(touched_files "$@")
}

# usage: put PATCH FOLDER [-R]: on failure prints what does not fit, one a line
put() {
    local out
    out=$(patch -p1 -F0 -N -f --no-backup-if-mismatch -r - -d "$2" -i "$1" "${@:3}" 2>&1) && return 0
    awk '/^(patching|checking) file |^can.t find file/ { file = $3 }
         /^The text leading up to this was:/ { lost = 1 }
         lost && /^\|\+\+\+ / { print "file " $2 " (not there)"; lost = 0 }
         /previously applied/ { print "file " file " (already so)" }
         /^Hunk .*FAILED/ { sub(/\.? *$/, ""); print "file " file ", " tolower($1) " " $2 " near line " $5 }' <<<"$out" |
        sed 's/[.]$//' | sort -u
    return 1
}

# usage: brief WHY: the first few of those lines as one
brief() { head -n 3 <<<"${1:-it is malformed}" | paste -sd';' | sed 's/;/; /g'; }

# usage: try_patches TREE ASIDE PATCH...: ASIDE gets the touched files with these
# patches on
try_patches() {
    local tree=$1 aside=$2 patch why
    shift 2
    copy_touched "$tree" "$aside" "$@"
    for patch; do
        why=$(put "$patch" "$aside") ||
            die "$(basename "$patch") does not fit: $(brief "$why"); nothing was changed"
    done
}

# usage: try_series TREE GENERATION FROM UPTO ASIDE: the same with patches
# FROM+1..UPTO of the series; FROM > UPTO takes FROM..UPTO+1 off.
try_series() {
    local tree=$1 from=$3 upto=$4 aside=$5 all i why
    mapfile -t all < <(series_patches "$2")
    [ "$upto" -le ${#all[@]} ] || die "the series of $2 has ${#all[@]} patches, there is no patch $upto"
    if [ "$upto" -ge "$from" ]; then
        try_patches "$tree" "$aside" "${all[@]:from:upto-from}"
        return
    fi
    copy_touched "$tree" "$aside" "${all[@]:upto:from-upto}"
    for ((i = from; i > upto; i--)); do
        why=$(put "${all[i - 1]}" "$aside" -R) ||
            die "$(basename "${all[i - 1]}") does not come off: $(brief "$why"); nothing was changed"
    done
}

# usage: in_part TREE ASIDE PATCH WHY: ends with what is odd about a tree that the
# first patch goes neither on nor off; a file that it only comes off has it
in_part() {
    local have
    copy_touched "$1" "$2" "$3"
    have=$(comm -23 <(sed 's/^file //; s/, .*//' <<<"$4" | sort -u) \
        <(put "$3" "$2" -R | sed 's/^file //; s/, .*//' | sort -u) | paste -sd' ')
    rm -rf "$2"
    [ -z "$have" ] || die "$1 has the series in part: $have has patch 1 ($(basename "$3")), other files do not"
    die "$1 has changes of its own: patch 1 ($(basename "$3")) goes neither on nor off: $(brief "$4")"
}

# usage: series_state TREE GENERATION: prints how many patches the tree has
series_state() {
    local tree=$1 generation=$2 all aside n k i why
    mapfile -t all < <(series_patches "$generation")
    n=${#all[@]}
    mkdir -p "$BUILD"
    aside=$(mktemp -d "$BUILD/state.XXXXXX")
    for ((k = n; k > 0; k--)); do
        copy_touched "$tree" "$aside" "${all[@]}"
        for ((i = k; i > 0; i--)); do
            put "${all[i - 1]}" "$aside" -R >/dev/null || break
        done
        [ "$i" -gt 0 ] || break
    done
    if [ "$k" -eq 0 ]; then
        copy_touched "$tree" "$aside" "${all[@]}"
        if ! why=$(put "${all[0]}" "$aside"); then
            in_part "$tree" "$aside" "${all[0]}" "$why"
        fi
    fi
    rm -rf "$aside"
    printf '%s\n' "$k"
}
