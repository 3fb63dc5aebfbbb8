#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# bench and the comparisons: wrong use, and the arithmetic on made-up runs.

bats_require_minimum_version 1.5.0
load common

bench() { run "$top/scripts/bench.sh" "$@"; }

# usage: made_up MEASURE PART FACTOR: eleven runs of stock, of stock again, and of
# requests that differ by the factor and by -5 to 5 % more
made_up() {
    local run
    [ -e runs.csv ] || echo part,measure,variant,run,value >runs.csv
    for run in {1..11}; do
        awk -v OFS=, -v m="$1" -v p="$2" -v f="$3" -v r="$run" 'BEGIN {
            stock = 1000 + r * 10
            print p, m, "stock", r, stock
            print p, m, "again", r, stock * 0.9
            print p, m, "requests", r, stock * f * (1 + (r * 7 % 11 - 5) / 100) }' >>runs.csv
    done
}

@test "wrong use of bench is said in one line" {
    for words in "--runs 5" "--runs x" "--only nothing" "--variants rule" "--variants stock" "other" \
        "--seconds 0" "--seconds x" "--builds nowhere" "--table nowhere"; do
        # shellcheck disable=SC2086
        bench $words
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -le 2 ]
    done
}

@test "one processor is too few for --pin, which is said" {
    run taskset -c "$(taskset -pc $$ | sed 's/.*: //; s/[-,].*//')" "$top/scripts/bench.sh" --pin --runs 6 --only iops
    [ "$status" -eq 77 ]
    [[ $output == *"--pin needs two processors"* ]]
}

@test "median, ratio and the interval by ranks 2 and 10 of 11" {
    made_up iops-1 iops 1
    bench --table runs.csv
    [ "$status" -eq 1 ]
    [[ ${lines[1]} =~ ^iops-1\ +stock\ +11\ +1060 ]]
    # what is stock once more is not judged
    [[ ${lines[2]} =~ ^iops-1\ +again\ .*0\.900$ ]]
    [[ ${lines[3]} =~ \ 1\.000\ +0\.960\ +1\.040\ +MISSED ]]
}

@test "a gain is within the limit, a cost is not" {
    made_up iops-1 iops 1.1
    bench --table runs.csv
    [ "$status" -eq 0 ]
    [[ ${lines[3]} == *"ok (low >= 0.97)"* ]]
    made_up poll-main-bh poll 0.9
    bench --table runs.csv
    [ "$status" -eq 1 ]
    [[ $output == *"poll-main-bh"*MISSED* ]]
}

@test "system calls: at most 1.10 of stock" {
    made_up writes calls 2
    made_up calls calls 1.09
    bench --table runs.csv
    [ "$status" -eq 0 ]
    [[ $output == *"ok (<= 1.1)"* ]]
    made_up calls calls 1.12
    bench --table runs.csv
    [ "$status" -eq 1 ]
}

@test "what is counted must not be more; nothing of nothing is no ratio" {
    cat >runs.csv <<END
part,measure,variant,run,value
idle,asleep-main,stock,1,0
idle,asleep-main,requests,1,0
locked,executed-aio_poll,stock,1,4
locked,executed-aio_poll,requests,1,4
locked,code-aio_poll,stock,1,1
locked,code-aio_poll,requests,1,3
END
    bench --table runs.csv
    [ "$status" -eq 0 ]
    sed -i 's/aio_poll,requests,1,4/aio_poll,requests,1,5/' runs.csv
    bench --table runs.csv
    [ "$status" -eq 1 ]
    sed -i 's/aio_poll,requests,1,5/aio_poll,requests,1,4/; s/main,requests,1,0/main,requests,1,1/' runs.csv
    bench --table runs.csv
    [ "$status" -eq 1 ]
}

# usage: unit_test FOLDER NAME CASE...: a program that says that these pass
unit_test() {
    mkdir -p "$1"
    { echo '#!/bin/sh'; echo 'echo 1..9'; printf 'echo "ok 1 %s"\n' "${@:3}"; } >"$1/$2"
    chmod +x "$1/$2"
}

@test "compare-unit: the same cases, others, none" {
    unit_test stock test-aio /a /b
    unit_test patched test-aio /b /a
    run "$top/scripts/compare-unit.sh" --builds stock patched
    [ "$status" -eq 0 ]
    [[ $output == *"test-aio: the same 2 cases"* ]]
    unit_test patched test-aio /a
    run "$top/scripts/compare-unit.sh" --builds stock patched
    [ "$status" -eq 1 ]
    [[ $output == *"only on stock: /b;"* ]]
    unit_test stock test-aio '/a # SKIP no' '/b # SKIP no'
    run "$top/scripts/compare-unit.sh" --builds stock patched
    [ "$status" -eq 1 ]
    [[ $output == *"no case passes on stock"* ]]
}

@test "wrong use of the comparisons" {
    for words in "compare-unit --builds here" "compare-unit x" "compare-iotests --builds a b" \
        "compare-iotests --only x" "tsan --runs 0" "tsan x"; do
        # shellcheck disable=SC2086
        set -- $words
        run "$top/scripts/$1.sh" "${@:2}"
        [ "$status" -eq 2 ]
    done
}
