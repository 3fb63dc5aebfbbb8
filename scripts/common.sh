# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# What every script here shares: where things are, how a step is announced and
# timed, how a run is ended without leaving anything running or half made.
# To be sourced.  Progress goes to stderr, results go to stdout.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
SCRIPTS=$ROOT/scripts
BUILD=${AIO_WAKEUP_BUILD:-$ROOT/build}
CACHE=${AIO_WAKEUP_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/aio-wakeup}
ME=$(basename "$0")

# Exit statuses, the same for every word.
FINDING=1
WRONG_USE=2
NOT_POSSIBLE=77

say() { printf '%s\n' "$*" >&2; }
warn() { say "$ME: $*"; }
die() { warn "$*"; exit "$WRONG_USE"; }
cannot() { warn "$*"; exit "$NOT_POSSIBLE"; }

# usage: print_help FILE: the script's own header comment is its manual.
print_help() {
    awk 'NR > 1 && !/^#/ { exit }
         NR > 1 && !/SPDX/ { sub(/^# ?/, ""); if (started || NF) { started = 1; print } }' "$1"
}

# usage: value_of "$@": the word after an option, or a clear end.
value_of() {
    [ $# -ge 2 ] || die "$1 needs a value"
    printf '%s\n' "$2"
}

# ---- ending well ----------------------------------------------------------

child=
scratch=()
undo=()

# usage: at_end FILE...: remove these when the script ends, however it ends.
at_end() { scratch+=("$@"); }

# usage: on_failure COMMAND: run it if the script ends before on_failure_clear.
on_failure() { undo+=("$1"); }
on_failure_clear() { undo=(); }

finish() {
    local status=$? i
    trap '' INT TERM HUP
    if [ -n "$child" ]; then
        # One that is suspended hears of it only when it goes on.
        kill -TERM -- "-$child" 2>/dev/null || :
        kill -CONT -- "-$child" 2>/dev/null || :
        wait "$child" 2>/dev/null || :
        child=
    fi
    for ((i = ${#undo[@]} - 1; i >= 0; i--)); do
        eval "${undo[i]}" || warn "could not undo: ${undo[i]}"
    done
    [ ${#scratch[@]} -eq 0 ] || rm -rf -- "${scratch[@]}"
    exit "$status"
}
trap finish EXIT
# What ends a script without a word of its own is a mistake in the script.
trap 'case $? in 2 | 77 | 1[2-9]?) ;; *) warn "gave up at line $LINENO: $BASH_COMMAND" ;; esac' ERR

# usage: stoppable / unstoppable: whether this script may be told to stop now.
stoppable() {
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
}
unstoppable() { trap '' INT TERM HUP; }
stoppable

# usage: guarded COMMAND...: run it in its own process group, which is ended as
# a whole when this script is told to stop.  A shell function given here must
# return its own status: "set -e" does not reach into it.
guarded() {
    local status=0
    set -m
    "$@" </dev/null &
    child=$!
    set +m
    wait "$child" || status=$?
    child=
    return "$status"
}

# usage: step WORDS LOG COMMAND...: a long step: one line before, its time
# after; its output goes to LOG, of which the end is shown when it fails, but
# for steps of which the caller says in a line why they failed ($step_tail 0).
step_tail=15
step() {
    local words=$1 log=$2 begin=$SECONDS status=0
    shift 2
    say "$words ..."
    mkdir -p "$(dirname "$log")"
    guarded "$@" >"$log" 2>&1 || status=$?
    if [ "$status" -ne 0 ] && [ "$step_tail" -eq 0 ]; then
        say "    failed after $((SECONDS - begin)) s; the log is $log"
        return "$status"
    elif [ "$status" -ne 0 ]; then
        say "    failed after $((SECONDS - begin)) s; the end of $log:"
        tail -n "$step_tail" "$log" | sed 's/^/    | /' >&2
        return "$status"
    fi
    say "    done in $((SECONDS - begin)) s"
}

# ---- one run at a time ----------------------------------------------------

# usage: take_build_folder: only one run works in a build folder; a second one
# is told who does.  Scripts called by the holder inherit the lock.
take_build_folder() {
    local holder
    [ "${AIO_WAKEUP_HOLDS:-}" != "$BUILD" ] || return 0
    mkdir -p "$BUILD" 2>/dev/null || die "cannot make the build folder $BUILD"
    exec {lock_fd}<>"$BUILD/lock"
    if ! flock -n "$lock_fd"; then
        holder=$(cat "$BUILD/lock" 2>/dev/null || :)
        die "another run works in $BUILD: ${holder:-not known which}; wait for it, or use AIO_WAKEUP_BUILD=another folder"
    fi
    printf '%s, process %s, since %s\n' "$ME" "$$" "$(date +%H:%M:%S)" >"$BUILD/lock"
    export AIO_WAKEUP_HOLDS=$BUILD
}

# usage: folder_of_suite NAME[=VERSION]: a name for a folder of this release's
folder_of_suite() {
    local name=${1/=/-}
    printf '%s\n' "${name//:/_}"
}

# ---- what the machine has -------------------------------------------------

# usage: need_space FOLDER MIB WHAT
need_space() {
    local folder=$1 mib=$2 what=$3 have
    mkdir -p "$folder" 2>/dev/null || die "cannot make the folder $folder"
    have=$(df -Pk -- "$folder" | awk 'NR == 2 { print int($4 / 1024) }')
    [ "${have:-0}" -ge "$mib" ] ||
        cannot "no disk space: $what needs $mib MiB in $folder, $have MiB are free"
}

# usage: need_commands WHAT COMMAND=PACKAGE...
need_commands() {
    local what=$1 pair packages=
    shift
    for pair; do
        command -v "${pair%%=*}" >/dev/null || packages+=" ${pair#*=}"
    done
    [ -z "$packages" ] || cannot "$what needs packages that are missing; install them with: apt-get install --no-install-recommends$packages"
}

# The compiler cache: found by name in front of the compilers; the same object
# serves every copy of a tree below the build folder.
use_ccache() {
    PATH=/usr/bin:/bin:/usr/sbin:/sbin
    [ ! -d /usr/lib/ccache ] || PATH=/usr/lib/ccache:$PATH
    export PATH
    export CCACHE_DIR=${CCACHE_DIR:-$CACHE/ccache}
    export CCACHE_BASEDIR=$BUILD CCACHE_NOHASHDIR=1
    export CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-2G}
}

jobs_wanted() { printf '%s\n' "${AIO_WAKEUP_JOBS:-$(nproc)}"; }

# usage: build_cases unit|qtest WORK: the programs under qtest/ of that name, linked
# with what the folder WORK of qemu.sh holds now; sets $dir, which has them, and $log,
# how the names of their logs begin
build_cases() {
    local kind=$1 work=$2 flags
    dir=$(dirname "$work")/$kind
    log=$BUILD/log/$(basename "$(dirname "$work")")-$kind
    flags=$(cat "$work/configured" "$ROOT/qtest/unit/tree-flags.sh" "$ROOT/qtest/meson_options.txt" | cksum)
    if [ "$(cat "$dir/flags" 2>/dev/null || :)" != "$flags" ]; then
        rm -rf "$dir"
        step "configuring the $kind cases" "$log-configure.log" \
            meson setup "$dir" "$ROOT/qtest" "-Donly_$kind=true" \
            -Dqemu_src="$work/src" -Dqemu_build="$work/build" ||
            cannot "the $kind cases do not configure here; see above"
        printf '%s\n' "$flags" >"$dir/flags"
    fi
    if [[ $(ninja -C "$dir" -n "$kind" | tail -n 1) != *"no work to do"* ]]; then
        step "building the $kind cases" "$log-build.log" \
            ninja -C "$dir" -j "$(jobs_wanted)" "$kind" ||
            cannot "the $kind cases do not build here; see above"
    fi
}

# usage: columns [LEAD BETWEEN TRAIL RULE]: tab-separated rows on stdin as a
# table; RULE is yes for a line of dashes under the first row
columns() {
    awk -F'\t' -v lead="${1:-}" -v between="${2-  }" -v trail="${3:-}" -v rule="${4:-no}" '
        function pad(text, width) { while (length(text) < width) text = text " "; return text }
        { for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) }
          if (NF > most) most = NF }
        END { for (r = 1; r <= NR; r++) {
                  line = lead
                  for (i = 1; i <= most; i++) line = line (i > 1 ? between : "") pad(cell[r, i], width[i])
                  line = line trail
                  sub(/ +$/, "", line)
                  print line
                  if (r == 1 && rule == "yes") {
                      gsub(/[^|]/, "-", line); print line
                  } } }'
}
