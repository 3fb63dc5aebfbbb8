# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What is known about the series under patches/, and what a tree has of them.
# To be sourced after common.sh.  A tree is only read here; patches are tried on
# copies of the files that they touch.  No fuzz is allowed: a hunk fits or not.

PATCHES=${AIO_WAKEUP_PATCHES:-$ROOT/patches}

must_be_qemu() {
    [ -d "$1" ] || die "there is no folder $1"
    if [ ! -f "$1/VERSION" ] || [ ! -f "$1/configure" ] || [ ! -f "$1/qemu-options.hx" ]; then
        die "$1 is not a QEMU tree: it lacks VERSION, configure or qemu-options.hx"
    fi
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
}

series_length() { series_patches "$1" | wc -l; }

# usage: touched_files PATCH...
touched_files() {
    sed -n 's,^\(---\|+++\) [ab]/\([^	]*\).*,\2,p' "$@" | sort -u
}

# usage: copy_touched TREE GENERATION TO: TO gets what the series touches, alone
copy_touched() {
    local tree=$1 to=$3 file all
    mapfile -t all < <(series_patches "$2")
    rm -rf "$to"
    mkdir -p "$to"
    while read -r file; do
        [ ! -e "$tree/$file" ] || (cd "$tree" && cp --parents -- "$file" "$to/")
    done < <(touched_files "${all[@]}")
}

# usage: put PATCH FOLDER [-R]: on failure prints the hunks that do not fit
put() {
    local out
    out=$(patch -p1 -F0 -N -f --no-backup-if-mismatch -r - -d "$2" -i "$1" "${@:3}" 2>&1) && return 0
    awk '/^(patching|checking) file |^can.t find file/ { file = $3 }
         /^The text leading up to this was:/ { lost = 1 }
         lost && /^\|\+\+\+ / { print "file " $2 " (not there)"; lost = 0 }
         /previously applied/ { print "file " file " (already so)" }
         /^Hunk .*FAILED/ { sub(/\.? *$/, ""); print "file " file ", " tolower($1) " " $2 " near line " $5 }' <<<"$out" |
        sed 's/[.]$//' | sort -u | head -n 3 | paste -sd';' | sed 's/;/; /g'
    return 1
}

# usage: try_series TREE GENERATION FROM UPTO ASIDE: ASIDE gets the touched files
# with patches FROM+1..UPTO on; FROM > UPTO takes FROM..UPTO+1 off.
try_series() {
    local tree=$1 generation=$2 from=$3 upto=$4 aside=$5 all i why
    mapfile -t all < <(series_patches "$generation")
    [ "$upto" -le ${#all[@]} ] || die "the series of $generation has ${#all[@]} patches, there is no patch $upto"
    copy_touched "$tree" "$generation" "$aside"
    for ((i = from; i < upto; i++)); do
        why=$(put "${all[i]}" "$aside") ||
            die "patch $((i + 1)) ($(basename "${all[i]}")) does not fit: ${why:-malformed}; nothing was changed"
    done
    for ((i = from; i > upto; i--)); do
        why=$(put "${all[i - 1]}" "$aside" -R) ||
            die "patch $i ($(basename "${all[i - 1]}")) does not come off: ${why:-malformed}; nothing was changed"
    done
}

# usage: series_state TREE GENERATION: prints how many patches the tree has
series_state() {
    local tree=$1 generation=$2 all aside n k i why
    mapfile -t all < <(series_patches "$generation")
    n=${#all[@]}
    mkdir -p "$BUILD"
    aside=$(mktemp -d "$BUILD/state.XXXXXX")
    for ((k = n; k > 0; k--)); do
        copy_touched "$tree" "$generation" "$aside"
        for ((i = k; i > 0; i--)); do
            put "${all[i - 1]}" "$aside" -R >/dev/null || break
        done
        [ "$i" -gt 0 ] || break
    done
    if [ "$k" -eq 0 ]; then
        copy_touched "$tree" "$generation" "$aside"
        if ! why=$(put "${all[0]}" "$aside"); then
            rm -rf "$aside"
            die "$tree has the series in part, or changes of its own: patch 1 ($(basename "${all[0]}")) fits neither on nor off: $why"
        fi
    fi
    rm -rf "$aside"
    printf '%s\n' "$k"
}

# usage: find_generation TREE: the generation whose files the tree has
find_generation() {
    local series generation
    for series in "$PATCHES"/*/series; do
        [ -e "$series" ] || continue
        generation=$(basename "$(dirname "$series")")
        if (series_state "$1" "$generation") >/dev/null 2>&1; then
            printf '%s\n' "$generation"
            return
        fi
    done
    die "$1 is of no generation that this project knows"
}
