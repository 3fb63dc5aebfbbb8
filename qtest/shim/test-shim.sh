#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs test-shim without a shim, with the shim and with wrong ones, and compares
# the cases that fail with those that must.  Prints TAP, a case a shim.
#
# usage: test-shim.sh PROGRAM SHIM FOLDER_OF_MUTANTS

set -euo pipefail

program=$1 shim=$2 mutants=$3
number=0 wrong=0

# usage: expect NAME LIBRARY SWITCH CASE...: these cases fail, and no others
expect() {
    local name=$1 library=$2 switch=$3 want got out status=0
    shift 3
    number=$((number + 1))
    want=$(printf '%s\n' "$@" | sort | paste -sd' ')
    out=$(timeout 60 env LD_PRELOAD="$library" AIO_WAKEUP_SHIM="$switch" "$program" 2>&1) || status=$?
    got=$(sed -n 's/^not ok [0-9]* - //p' <<<"$out" | sort | paste -sd' ')
    # without io_uring, what needs it can neither fail nor pass
    if grep -q '# SKIP' <<<"$out"; then
        want=$(tr ' ' '\n' <<<"$want" | grep -v '^ring' | paste -sd' ' || :)
    fi
    if [ "$got" = "$want" ] && [ "$status" -le 1 ]; then
        echo "ok $number - $name: ${got:-nothing} fails"
    else
        echo "not ok $number - $name: '$got' fails instead of '$want', status $status"
        printf '# %s\n' "${out//$'\n'/$'\n# '}"
        wrong=1
    fi
}

echo 1..9
lost=(armed taken-late nested between large-fd fork ring ring-notifier)
expect "no shim" "" on "${lost[@]}" note
expect "the shim in a program that is no QEMU" "$shim" verbose "${lost[@]}" environment note
expect "the shim" "$shim" on
expect "before-read: gives back before it has taken" "$mutants/mutant-before-read.so" on taken-late
expect "only-in-poll: not to a main loop on its way to sleep" "$mutants/mutant-only-in-poll.so" on \
    "${lost[@]}" note
expect "no-ring: forgets io_uring" "$mutants/mutant-no-ring.so" on ring ring-notifier
expect "write-notifier: gives back into the notifier itself" "$mutants/mutant-write-notifier.so" on \
    notifier-stays-clear ring-notifier
expect "not-nested: not what the main thread takes from itself" "$mutants/mutant-not-nested.so" on nested
expect "everybodys: takes each eventfd for the main loop's" "$mutants/mutant-everybodys.so" on \
    iothread large-fd
exit "$wrong"
