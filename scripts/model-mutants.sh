#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Does the model notice?  Drops each step of the protocol part of
# docs/aio_wakeup.promela, doubles it, and swaps it with the next one, one mutant
# at a time, and checks that a verdict of the whole series (variant p3) changes.
#
#   scripts/model-mutants.sh [--jobs N] [--only REGEX] [--list]
#                            [--results FILE [--seconds N]]
#
#   --jobs N        that many at a time (default: one per CPU)
#   --only REGEX    only the mutants "KIND LINE STEP" that match; KIND is drop,
#                   double or swap
#   --list          print the mutants and stop
#   --results FILE  keep what was found in FILE, and do not run again what is in it
#                   for this model
#   --seconds N     start no mutant after that time: for a run in parts
#
# A step is a line of the model with a tag.  Swapped are two steps that follow
# each other in the same function.  Survivors are those that change no verdict;
# they must stand in the table "survivor:" at the end of the model, with the
# reason.
#
# Exit status: 0 each mutant is found or known, 1 a new survivor, or a known one
# that is found now, or some are left, 2 wrong use, 77 not possible here.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
model=$(realpath "$here/../docs/aio_wakeup.promela")
jobs=$(nproc) only=. list=no results='' seconds=''
die() { echo "model-mutants.sh: $*" >&2; exit 2; }

# One mutant against the checks, cheap ones first; prints the one that notices.
one_mutant() {
    local dir=$1 kind=$2 line=$3 step=$4 check property world found host
    [ -z "${MUTANTS_UNTIL:-}" ] || [ "$(date +%s)" -lt "$MUTANTS_UNTIL" ] || return 0
    while read -r host property world; do
        [ -e "$dir/$host" ] || continue
        # shellcheck disable=SC2086
        found=$("$here/model-run.sh" "$dir/aio_wakeup.promela" p3 "$property" holds $world 2>/dev/null |
            cut -f8)
        check="$property${world:+ $world}"
        if [ "$found" != holds ]; then
            printf '%s\t%s\t%s\tfound\t%s: %s\n' "$kind" "$line" "$step" "$check" "$found"
            return
        fi
    done <<'CHECKS'
posix bh
posix livelock LONE TIMER=2
posix bh IOTHREAD REARM TIMER=2
posix rearm TIMER=2 LONE
posix cost
posix livelock
posix livelock LONE TIMER=3
posix bh KICK
win32 bh WIN32
win32 livelock WIN32 LONE SOCKET
win32 bh WIN32 LONE SOCKETS SOCKET
win32 bh WIN32 FD FDOP SOCKETS SOCKET LONE
win32 rearm WIN32 TIMER=2 LONE
CHECKS
    printf '%s\t%s\t%s\tsurvives\t-\n' "$kind" "$line" "$step"
}
if [ "${1:-}" = --one ]; then
    shift
    one_mutant "$@"
    exit 0
fi

while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) awk 'NR > 3 && !/^#/ { exit } NR > 3 { sub(/^# ?/, ""); print }' "$0"; exit 0 ;;
    --list) list=yes ;;
    --jobs | --only | --results | --seconds)
        [ $# -ge 2 ] || die "$1 needs a value"
        case $1 in
        --jobs) jobs=$2 ;;
        --only) only=$2 ;;
        --results) results=$2 ;;
        --seconds) seconds=$2 ;;
        esac
        shift ;;
    *) die "unknown word '$1'; see --help" ;;
    esac
    shift
done
[[ $jobs =~ ^[1-9][0-9]*$ && ${seconds:-1} =~ ^[1-9][0-9]*$ ]] || die "--jobs and --seconds want a number"
for need in spin gcc parallel; do
    command -v $need >/dev/null ||
        { echo "model-mutants.sh: install it with: apt-get install --no-install-recommends $need" >&2; exit 77; }
done

work=$(mktemp -d "${TMPDIR:-/tmp}/aio-wakeup-mutants.XXXXXX")
trap 'rm -rf "$work"' EXIT

plain() { gcc -E -P -x c -std=gnu99 -DVP3 -DRESCHED -DKICK "$@" 2>/dev/null; }
plain "$model" >"$work/posix"
plain -DWIN32 "$model" >"$work/win32"

# the numbers of the lines that this variant has, on either host
for host in posix win32; do
    define=()
    [ $host = posix ] || define=(-DWIN32)
    gcc -E -C -x c -std=gnu99 -DVP3 -DRESCHED -DKICK "${define[@]}" "$model" 2>/dev/null |
        awk '/^# [0-9]+ / { n = $2; ours = ($3 ~ /aio_wakeup/); next }
             { if (ours && $0 !~ /^[ \t]*$/) print n; n++ }'
done | sort -nu >"$work/active"

# writes $work/N/aio_wakeup.promela for each, and $work/mutants
awk -v work="$work" '
    BEGIN { while ((getline line < (work "/active")) > 0) active[line] = 1 }
    function tagged(n) { return (n in active) && text[n] ~ /\/\*@ [A-Z0-9]+ \*\// }
    function parse(n,   s, at) {
        s = text[n]
        match(s, /\/\*@ [A-Z0-9]+ \*\//)
        tag = substr(s, RSTART + 4, RLENGTH - 7)
        s = substr(s, 1, RSTART - 1); sub(/ +$/, "", s)
        end = ""
        if (s ~ /;$/) { end = ";"; sub(/;$/, "", s) }
        prefix = ""
        if (match(s, /^.*-> */)) { prefix = substr(s, 1, RLENGTH); s = substr(s, RLENGTH + 1) }
        else { match(s, /^ */); prefix = substr(s, 1, RLENGTH); s = substr(s, RLENGTH + 1) }
        statement = s
        # something to mutate: a whole statement
        return s != "" && s !~ /^(\/\*|#|atomic \{$|::)/ && s !~ /^[^{]*\{[^}]*$/ && s !~ /^event\[.*->$/
    }
    function emit(kind, n, m, a, b,   i, file) {
        count++
        file = work "/" count ".promela"
        for (i = 1; i <= lines; i++) print (i == n ? a : i == m ? b : text[i]) > file
        close(file)
        print count, kind, n, name > (work "/mutants")
    }
    { text[++lines] = $0 }
    END {
        for (n = 1; n <= lines; n++) {
            if (text[n] ~ /^#ifndef IOTHREAD/) break
            if (!tagged(n) || !parse(n)) continue
            name = tag; p = prefix; s = statement; e = end
            emit("drop", n, 0, p "skip" e, "")
            emit("double", n, 0, p s "; " s e, "")
            for (m = n + 1; m <= lines && text[m] !~ /^}/ && m < n + 16; m++) {
                if (!tagged(m)) continue
                if (!parse(m)) break
                if (statement != s) {
                    name = name "-" tag
                    emit("swap", n, m, p statement e, prefix s end)
                }
                break
            }
        }
        # the main loop
        for (; n <= lines && text[n] !~ /^proctype temporary_waiter/; n++) {
            if (!tagged(n) || !parse(n)) continue
            name = tag; p = prefix; s = statement; e = end
            emit("drop", n, 0, p "skip" e, "")
            emit("double", n, 0, p s "; " s e, "")
            for (m = n + 1; m <= lines && m < n + 24; m++) {
                if (!tagged(m)) continue
                if (!parse(m)) break
                name = name "-" tag
                emit("swap", n, m, p statement e, prefix s end)
                break
            }
        }
    }' "$model"

while read -r number kind line step; do
    mkdir "$work/$number"
    mv "$work/$number.promela" "$work/$number/aio_wakeup.promela"
    # a line of another variant changes nothing here
    plain "$work/$number/aio_wakeup.promela" | cmp -s - "$work/posix" || touch "$work/$number/posix"
    plain -DWIN32 "$work/$number/aio_wakeup.promela" | cmp -s - "$work/win32" || touch "$work/$number/win32"
    [ -e "$work/$number/posix" ] || [ -e "$work/$number/win32" ] || continue
    [[ "$kind $line $step" =~ $only ]] || continue
    printf '%s %s %s %s\n' "$work/$number" "$kind" "$line" "$step"
done <"$work/mutants" >"$work/jobs"

total=$(wc -l <"$work/jobs")
if [ $list = yes ]; then
    cut -d' ' -f2- "$work/jobs"
    exit 0
fi
# what is known of this very model
checksum=$(grep -v '^ \* survivor: ' "$model" | cksum)
touch "$work/known"
if [ -n "$results" ]; then
    if [ "$(head -n 1 "$results" 2>/dev/null)" != "$checksum" ]; then
        echo "$checksum" >"$results" || die "cannot write $results"
    fi
    tail -n +2 "$results" >"$work/known"
fi
awk -F'[ \t]' 'FILENAME == ARGV[1] { known[$1, $2, $3] = 1; next } !(($2, $3, $4) in known)' \
    "$work/known" "$work/jobs" >"$work/left"
# those of this call
awk -F'[ \t]' 'FILENAME == ARGV[1] { wanted[$2, $3, $4] = 1; next } ($1, $2, $3) in wanted' \
    "$work/jobs" "$work/known" >"$work/table"
echo "$total mutants of variant p3, $(wc -l <"$work/left") to run ..." >&2
begin=$SECONDS
bar=()
[ ! -t 2 ] || bar=(--bar)
[ -z "$seconds" ] || export MUTANTS_UNTIL=$(($(date +%s) + seconds))
parallel "${bar[@]}" --will-cite -j "$jobs" --colsep ' ' "$0" --one :::: "$work/left" |
    tee -a "$work/table" ${results:+"$results"} >&2 || :

status=0
while IFS=$'\t' read -r kind line step verdict check; do
    known=$(sed -n "s/^ \* survivor: $kind $step //p" "$model" | head -n 1)
    case $verdict:${known:+known} in
    found:) printf '%s %s %s: found by %s\n' "$kind" "$line" "$step" "$check" ;;
    survives:known) printf '%s %s %s: survives: %s\n' "$kind" "$line" "$step" "$known" ;;
    found:known)
        # a tag may stand at two places, of which one survives
        ! grep -q "^$kind"$'\t[0-9]*\t'"$step"$'\tsurvives' "$work/table" || continue
        printf '%s %s %s: found by %s, but the table says that it survives\n' "$kind" "$line" "$step" "$check"
        status=1 ;;
    *)
        printf '%s %s %s: SURVIVES\n' "$kind" "$line" "$step"
        status=1 ;;
    esac
done < <(sort -t$'\t' -k2,2n -k1,1 "$work/table")
echo "$total mutants, $(grep -c $'\tfound\t' "$work/table") found, $(grep -c $'\tsurvives\t' "$work/table") survive, $((SECONDS - begin)) s"
[ "$(wc -l <"$work/table")" -eq "$total" ] || { echo "model-mutants.sh: some gave no answer" >&2; status=1; }
exit $status
