#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The front door and its scripts, given what they cannot use.

bats_require_minimum_version 1.5.0
load common

@test "every script has a manual" {
    for script in "$top"/build.sh "$top"/scripts/*.sh; do
        [ -x "$script" ] || continue
        run "$script" --help
        [ "$status" -eq 0 ] || { echo "$script"; false; }
        [ "${#lines[@]}" -ge 3 ]
    done
}

@test "a word that does not exist" {
    run "$top/build.sh" nonsense
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"no word 'nonsense'"* ]]
}

@test "words that a script does not know" {
    for script in main qemu source packages clean apply generations check module; do
        run "$top/scripts/$script.sh" --nonsense
        [ "$status" -eq 2 ] || { echo "$script: $status"; false; }
        [ "${#lines[@]}" -eq 1 ]
    done
}

@test "an option without its value" {
    run "$top/scripts/apply.sh" --tree
    [ "$status" -eq 2 ]
    [[ ${lines[0]} == *"--tree needs a value"* ]]
}

@test "generations: a row for each folder that describes one" {
    run "$top/build.sh" generations
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq $((1 + $(ls "$top"/patches/*/generation.conf | wc -l))) ]
}

@test "the main job on a tree that is not QEMU" {
    mkdir tree
    run "$top/build.sh" --tree tree
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"not a QEMU tree"* ]]
}

@test "not root and packages missing: one command, exit status 2" {
    fake dpkg-query <<<'exit 1'
    fake id <<<'echo 1000'
    run "$top/scripts/packages.sh" main
    [ "$status" -eq 2 ]
    [[ ${lines[-1]} == *"run this as root"*"apt-get install --no-install-recommends "*gcc* ]]
    run "$top/build.sh"
    [ "$status" -eq 2 ]
}

@test "packages out of reach" {
    fake dpkg-query <<<'exit 1'
    fake id <<<'echo 0'
    fake apt-get <<<'echo E: no network; exit 100'
    run "$top/scripts/packages.sh" verdict
    [ "$status" -eq 77 ]
    [[ ${lines[-1]} == *"out of reach"* ]]
}

@test "not a Debian system" {
    mkdir few
    for tool in bash dirname basename cat; do ln -s "$(command -v $tool)" few/; done
    PATH=$here/few run "$top/scripts/packages.sh" verdict
    [ "$status" -eq 77 ]
    [[ $output == *"not a Debian system"* ]]
}

@test "a source package out of reach" {
    fake apt-get <<<'echo E: no network; exit 100'
    run "$top/scripts/source.sh" "$here/src"
    [ "$status" -eq 77 ]
    [[ ${lines[-1]} == *"out of reach"* ]]
    [ ! -e src ]
}

@test "private sources keep URIs, keys and options, of both formats" {
    mkdir -p etc/sources.list.d
    cat >etc/sources.list <<'EOF'
# comment
deb [arch=amd64 signed-by=/keys/a.gpg trusted=yes] http://one.example/debian stable main contrib
deb http://one.example/other bookworm-pgdg main
deb-src http://one.example/debian stable main
EOF
    cat >etc/sources.list.d/two.sources <<'EOF'
Types: deb
URIs: http://two.example/debian
Suites: bookworm bookworm-updates
Components: main non-free-firmware
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
Check-Valid-Until: no

Enabled: no
Types: deb
URIs: http://three.example/debian
Suites: bookworm
Components: main
EOF
    real=$(command -v apt-config)
    fake apt-config <<EOF
exec $real -o Dir::Etc::sourcelist=$here/etc/sources.list -o Dir::Etc::sourceparts=$here/etc/sources.list.d "\$@"
EOF
    fake apt-get <<<'exit 100'
    run "$top/scripts/source.sh" --suite sometime "$here/src"
    [ "$status" -eq 77 ]
    run cat cache/apt-sometime/sources.d/private.list
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "deb-src ["*"signed-by=/keys/a.gpg trusted=yes] http://one.example/debian sometime main" ]]
    run cat cache/apt-sometime/sources.d/private.sources
    [[ $output == *"Types: deb-src"*"Suites: sometime"*"http://two.example/debian"*"PGP PUBLIC"*"Check-Valid-Until: no"* ]]
    [[ $output != *three* ]]
    [[ $output != *updates* ]]
}

@test "no disk space: what is needed and what is free" {
    fake df <<<'echo Filesystem; echo x 1 1 1024 1% /'
    run "$top/scripts/source.sh" "$here/src"
    [ "$status" -eq 77 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"no disk space"*"needs 500 MiB"*"1 MiB are free"* ]]
}

@test "a build folder that cannot be made" {
    touch file
    AIO_WAKEUP_BUILD=$here/file/build run "$top/scripts/source.sh" "$here/src"
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"cannot make the build folder"* ]]
}

@test "two runs at the same time: the second says who is the first" {
    mkfifo go
    fake apt-get <<<"[[ \" \$* \" != *' update '* ]] || cat $here/go; exit 100"
    "$top/scripts/source.sh" "$here/src" 3>&- 2>/dev/null &
    first=$!
    until [ -s build/lock ]; do sleep 0.1; done
    run "$top/scripts/source.sh" "$here/src"
    echo >go &
    wait $first || :
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"another run works in"*"source.sh, process $first"* ]]
}

@test "Ctrl-C in a long step: nothing is left running, the next run works" {
    fake apt-get <<EOF
echo \$\$ >$here/started
sleep 300 &
echo \$! >$here/grandchild
wait
EOF
    bash -c "trap - INT; echo \$\$ >pid; exec $top/scripts/source.sh $here/src" 3>&- &
    until [ -s grandchild ]; do sleep 0.1; done
    kill -TERM "$(cat pid)"
    wait $! && status=0 || status=$?
    [ "$status" -eq 143 ]
    gone "$(cat started)"
    gone "$(cat grandchild)"
    [ ! -e src ]
    [ -z "$(find cache -name download)" ]
    # the lock is free again
    fake apt-get <<<'exit 100'
    run "$top/scripts/source.sh" "$here/src"
    [ "$status" -eq 77 ]
}

@test "clean removes what was built, and only that" {
    mkdir -p build/module cache other
    touch build/lock
    run "$top/build.sh" clean
    [ "$status" -eq 0 ]
    [ ! -e build ]
    [ -d cache ]
    run "$top/build.sh" clean --cache
    [ ! -e cache ]
    echo precious >other/file
    AIO_WAKEUP_BUILD=$here/other run "$top/build.sh" clean
    [ "$status" -eq 2 ]
    [ -e other/file ]
}

@test "a tree that does not configure: one line, and where the log is" {
    quick_tree tree
    printf '#!/bin/sh\necho this does not work; exit 1\n' >tree/configure
    run "$top/scripts/qemu.sh" --tree tree
    [ "$status" -eq 77 ]
    [[ ${lines[-1]} == *"does not configure"*"-configure.log"* ]]
    [[ $output == *"this does not work"* ]]
}

@test "a variant that does not exist" {
    run "$top/scripts/qemu.sh" --variant 0
    [ "$status" -eq 2 ]
    run "$top/scripts/qemu.sh" --variant nonsense
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
}
