#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs a program of unit cases on a given tree, and compares what each case said
# with what it must say there: "ok" where it is kept, "not ok" where it is lost.
# Prints TAP, one line a case.
#
# usage: judge.sh [OPTION...] SOURCE.c COMMAND...
#
#   SOURCE.c         says in its header what is expected of each case:
#                      Kept since STATE: CASE...    lost before STATE
#                      Kept always: CASE...
#                    STATE as printed by tree-state.sh; "(posix)" or "(win32)"
#                    after STATE restricts a line to such a host, "(external)" or
#                    "(no-external)" to a tree that has, or has not, what notifies
#                    at the end of a drain (aio_enable_external, to 8.0), "(ring)"
#                    to a run with --ring, "(sqe-notify)" or "(no-sqe-notify)" to a
#                    tree where aio_add_sqe() notified before the series (10.2.2)
#                    A later line counts
#   COMMAND          the program, with a wrapper before it if it needs one; "#
#                    no verdict" before "not ok" says that the case is not lost
#                    It is ended after AIO_WAKEUP_LIMIT seconds (60).
#   --tree DIR       the tree that it was built with
#   --expect WORD    lost: as on a stock tree; kept: as on a tree with the whole
#                    series; auto (default): what the tree's content says; or a
#                    STATE
#   --only PATTERN   only the cases that this matches; the program must leave out
#                    others by itself, for AIO_WAKEUP_ONLY=PATTERN
#   --arch WORD      only what the header says for "(WORD)": another architecture
#   --ring           with io_uring, also in a program about something else
#   --win32          the program was built for Windows
#   --table          instead of TAP: CASE, lost or kept, expected, ms; tabs
#                    between them
#
# Exit status: 0 all as expected, 1 not, 2 wrong use.

set -euo pipefail

tree=
expect=auto
os=posix
arch=
ring=no-ring
table=no
wrong() { echo "judge.sh: $*" >&2; exit 2; }
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) sed -n '4,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --tree) tree=${2:-}; shift ;;
    --expect) expect=${2:-}; shift ;;
    --only) export AIO_WAKEUP_ONLY=${2:-}; shift ;;
    --arch) arch=${2:-}; shift ;;
    --win32) os=win32 ;;
    --ring) ring=ring; export AIO_WAKEUP_RING=1 ;;
    --table) table=yes ;;
    -*) wrong "unknown option $1" ;;
    *) break ;;
    esac
    shift
done
[ $# -ge 2 ] || wrong "a source file and a command"
source=$1
shift

states=(stock rule awake requests armed submitted batch failed)
case $expect in
lost) state=stock ;;
kept) state=${states[-1]} ;;
auto) state=$("$(dirname "$0")/tree-state.sh" "$tree") ;;
*) state=$expect ;;
esac
rank() {
    local i
    for i in "${!states[@]}"; do
        [ "${states[i]}" != "$1" ] || { echo "$i"; return; }
    done
    wrong "there is no state '$1'"
}
have=$(rank "$state")
external=no-external
! grep -qs aio_enable_external "$tree/include/block/aio.h" || external=external
notifies=no-sqe-notify
! grep -qs 'Wake the main loop if it is sleeping in ppoll' "$tree/util/aio-posix.c" || notifies=sqe-notify

# What must be: wanted[CASE] = kept or lost
declare -A wanted=()
while read -r line; do
    names=${line#*: }
    head=${line%%:*}
    given=
    [[ $head != *'('*')' ]] || { given=${head##*\(}; given=${given%)}; }
    if [ -n "$arch" ]; then
        [ "$given" = "$arch" ] || continue
    elif [ -n "$given" ]; then
        [ "$given" = "$os" ] || [ "$given" = "$external" ] ||
            [ "$given" = "$notifies" ] || [ "$given" = "$ring" ] || continue
    fi
    case $head in
    'Kept always'*) since=0 ;;
    'Kept since '*) since=${head#Kept since }; since=$(rank "${since%% *}") ;;
    esac
    for name in $names; do
        # shellcheck disable=SC2053
        [[ $name == ${AIO_WAKEUP_ONLY:-*} ]] || continue
        if [ "$have" -ge "$since" ]; then wanted[$name]=kept; else wanted[$name]=lost; fi
    done
done < <(sed -nE 's/^ \* (Kept (always|since [a-z]+)( \([a-z0-9-]+\))?: )/\1/p' "$source")
[ ${#wanted[@]} -gt 0 ] || wrong "$source does not say what is kept"

out=$(mktemp)
trap 'rm -f "$out"' EXIT
run() {
    local status=0
    timeout --foreground "${AIO_WAKEUP_LIMIT:-60}" "$@" --tap -k 2>&1 || status=$?
    echo "# exit status $status"
}

count=0
bad=0
skipped=
declare -A seen=()
say_case() {
    local name=$1 got=$2 want=${wanted[$1]:-} verdict='ok' note=
    count=$((count + 1))
    if [ "$got" != "$want" ]; then
        verdict='not ok'
        bad=$((bad + 1))
        note=", must be ${want:-named in the header of $(basename "$source")}"
    fi
    if [ "$table" = yes ]; then
        printf '%s\t%s\t%s\t%s\n' "$name" "$got" "${want:-?}" "$3"
    else
        printf '%s %s %s: %s%s\n' "$verdict" "$count" "$name" "$got" "$note"
    fi
}

fails=lost
begin=${EPOCHREALTIME/./}
while read -r line; do
    line=${line%$'\r'}
    printf '%s\n' "$line" >>"$out"
    name=${line##*/aio-wakeup/}
    name=${name%% *}
    ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
    [[ $line != *'ok '* ]] || begin=${EPOCHREALTIME/./}
    case $line in
    '1..0 # SKIP'*) skipped=${line#*SKIP } ;;
    'ok '*'# SKIP'*) seen[$name]=skip; [ "$table" = yes ] || { count=$((count + 1)); echo "ok $count $name # SKIP ${line#*SKIP }"; } ;;
    'ok '*) seen[$name]=1; say_case "$name" kept "$ms" ;;
    'not ok '*) seen[$name]=1; say_case "$name" "$fails" "$ms" ;;
    esac
    case $line in
    '# no verdict'*) fails='no verdict' ;;
    *'ok '[0-9]*) fails=lost ;;
    esac
done < <(run "$@")

# Not possible here at all
if [ -n "$skipped" ]; then
    [ "$table" = yes ] || echo "1..0 # SKIP $skipped"
    exit 0
fi

# A program that ended early takes cases with it.
for name in "${!wanted[@]}"; do
    [ -n "${seen[$name]:-}" ] || say_case "$name" gone 0
done
if [ "$table" = no ]; then
    echo "1..$count"
    echo "# $(basename "$source") on a tree that is $state"
    sed 's/^/# /' "$out"
fi
[ "$bad" -eq 0 ] || exit 1
