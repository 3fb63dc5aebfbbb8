#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# soak with a boot that is quick and made up: no boot is counted twice, none is
# lost, whatever ends the run; and what cannot be done is said in one line.

bats_require_minimum_version 1.5.0
load common

# The boot of these tests: HANGS_EVERY makes each Nth one a hang.
setup_boot() {
    command -v parallel >/dev/null || skip "parallel is missing (package parallel)"
    mkdir -p "$here/journal"
    cat >"$here/boot" <<'EOF'
#!/bin/bash
sleep "${BOOT_SLEEP:-0}"
if [ -n "${BOOT_WAIT:-}" ]; then
    timeout 60 bash -c 'touch "$0.here"; until [ -e "$0" ]; do sleep 0.1; done' "$BOOT_WAIT"
fi
outcome=ok
if [ -n "${HANGS_EVERY:-}" ]; then
    exec 9>>"$0.count"
    flock 9
    echo >&9
    (($(wc -l <"$0.count") % HANGS_EVERY)) || outcome=hang
fi
printf '%s\t1.5\t0.50\t40\t0\t33\t-\t-\n' "$outcome"
EOF
    chmod +x "$here/boot"
}

soak() { "$top/scripts/soak.sh" --journal "$here/journal" --command "$here/boot" "$@"; }

count() { cat "$here/journal/journal.tsv" 2>/dev/null | wc -l; }

# usage: whole N: the journal has N boots, none twice, none cut short
whole() {
    [ "$(count)" -eq "$1" ]
    [ -z "$(cut -f1 "$here/journal/journal.tsv" | sort | uniq -d)" ]
    [ "$(awk -F'\t' 'NF != 12' "$here/journal/journal.tsv" | wc -l)" -eq 0 ]
}

nothing_runs() {
    local i
    for ((i = 0; i < 50; i++)); do
        [ -n "$(pgrep -f "$here/boot")" ] || return 0
        sleep 0.1
    done
    pgrep -af "$here/boot"
    return 1
}

@test "soak: two binaries side by side, a line a boot, and the bound for no hang" {
    setup_boot
    run --separate-stderr soak --boots 3 --jobs 2 /bin/true /bin/cat
    echo "$output"
    [ "$status" -eq 0 ]
    whole 6
    # 1 - 0.05^(1/3)
    [[ ${lines[1]} == */true*" 3 "*"0.00 %"*"63.16 %"* ]]
    [[ ${lines[2]} == */cat*" 3 "* ]]
}

@test "soak: hangs are counted, and the bound is Clopper and Pearson's" {
    setup_boot
    HANGS_EVERY=10 run --separate-stderr soak --boots 10 --jobs 1 /bin/true
    echo "$output"
    [ "$status" -eq 1 ]
    # qbeta(0.95, 2, 9)
    [[ ${lines[1]} == *"10.00 %"*"39.42 %"* ]]
    [ "$(cut -f5 "$here/journal/journal.tsv" | grep -c hang)" -eq 1 ]
}

@test "soak: what is done is not done again" {
    setup_boot
    soak --boots 2 --jobs 1 /bin/true
    run soak --boots 5 --jobs 1 /bin/true
    [ "$status" -eq 0 ]
    [[ $output == *"2 boots are in"*"3 to go"* ]]
    whole 5
    run soak --boots 5 /bin/true
    [ "$status" -eq 0 ]
    whole 5
}

@test "soak: stopped in the middle, it leaves nothing running and goes on" {
    setup_boot
    local signal result before
    for signal in TERM INT KILL; do
        before=$(count)
        # bash lets what it starts with & ignore SIGINT
        BOOT_SLEEP=0.5 env --default-signal=INT "$top/scripts/soak.sh" --journal "$here/journal" \
            --command "$here/boot" --boots 14 --jobs 2 /bin/true 3>&- >out 2>&1 &
        pid=$!
        for ((i = 0; i < 150; i++)); do
            [ "$(count)" -lt $((before + 2)) ] || break
            sleep 0.1
        done
        kill -$signal $pid
        result=0
        wait $pid || result=$?
        echo "$signal: $result"
        [ "$result" -gt 128 ]
        nothing_runs
        whole "$(count)"
    done
    run soak --boots 14 --jobs 4 /bin/true
    echo "$output"
    [ "$status" -eq 0 ]
    whole 14
}

@test "soak: --for ends it in time, and the next run goes on" {
    setup_boot
    BOOT_SLEEP=1 run soak --boots 30 --jobs 1 --for 2 /bin/true
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"the same command goes on"* ]]
    nothing_runs
    [ "$(count)" -lt 10 ]
}

@test "soak: a line that was cut short is no boot" {
    setup_boot
    soak --boots 2 --jobs 1 /bin/true
    printf '1.3\t2026-01-01' >>journal/journal.tsv
    run soak --boots 3 --jobs 1 /bin/true
    [ "$status" -eq 0 ]
    whole 3
}

@test "soak: a journal of something else is not mixed with this" {
    setup_boot
    soak --boots 1 /bin/true
    run soak --boots 1 /bin/cat
    echo "$output"
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    whole 1
}

@test "soak: two at the same time" {
    setup_boot
    BOOT_WAIT=$here/go soak --boots 1 /bin/true 3>&- &
    timeout 60 bash -c 'until [ -e "$0" ]; do sleep 0.1; done' "$here/go.here" ||
        { echo "the first soak did not boot within 60 s"; false; }
    run soak --boots 1 /bin/true
    touch "$here/go"
    wait
    echo "$output"
    [ "$status" -eq 2 ]
    [[ $output == *"another soak"* ]]
    [ "${#lines[@]}" -eq 1 ]
}

@test "soak: disk full: one line, and what stands in the journal stays" {
    setup_boot
    unshare -rm true 2>/dev/null || skip "no private mounts here (unshare -rm)"
    export here
    run unshare -rm bash -c 'mount -t tmpfs -o size=12k none "$here/journal" &&
        "$0" --journal "$here/journal" --command "$here/boot" --boots 200 --jobs 4 /bin/true
        status=$?
        cp "$here/journal/journal.tsv" "$here/kept"
        exit $status' "$top/scripts/soak.sh"
    echo "$output"
    [ "$status" -eq 77 ]
    [[ $output == *"disk full"* ]]
    [ "$(grep -c '^1[.][0-9]*	' kept)" -gt 10 ]
    nothing_runs
}

@test "soak: boots that cannot be made here" {
    setup_boot
    printf '#!/bin/bash\necho "boot: no such thing" >&2\nexit 77\n' >boot
    run soak --boots 20 --jobs 1 /bin/true
    echo "$output"
    [ "$status" -eq 77 ]
    [[ $output == *"no such thing"* ]]
}

@test "soak: no GNU parallel" {
    setup_boot
    hide parallel
    run soak /bin/true
    echo "$output"
    [ "$status" -eq 77 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"apt-get install"*parallel* ]]
}

@test "soak: no gnuplot: the numbers come all the same" {
    setup_boot
    hide gnuplot
    run soak --boots 1 /bin/true
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *gnuplot-nox* ]]
    whole 1
}

@test "soak: the plot is there, and a hang is in it" {
    command -v gnuplot >/dev/null || skip "gnuplot is missing (package gnuplot-nox)"
    setup_boot
    HANGS_EVERY=3 run soak --boots 6 --jobs 1 /bin/true
    [ "$status" -eq 1 ]
    grep -q '</svg>' journal/times.svg
    grep -q 'hang' journal/times.svg
}

@test "soak: a host that is named" {
    setup_boot
    run soak --boots 2 --sshlogin : /bin/true
    echo "$output"
    [ "$status" -eq 0 ]
    whole 2
}

@test "soak: --summary says what the journal holds, and starts nothing" {
    setup_boot
    soak --boots 2 /bin/true
    rm boot
    run --separate-stderr "$top/scripts/soak.sh" --journal journal --summary
    echo "$output"
    [ "$status" -eq 0 ]
    [[ ${lines[1]} == */true*" 2 "* ]]
}

@test "soak: wrong words" {
    for words in "--boots 0" "--boots many" "--jobs 0" "--for soon" "--mode other" "--what" "/nonexistent"; do
        # shellcheck disable=SC2086
        run "$top/scripts/soak.sh" $words
        echo "$words: $output"
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}
