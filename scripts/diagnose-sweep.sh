#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Is diagnose right?  Asks it beside hangs that schedules have made, then has it
# free them; and beside QEMUs that work or idle.
#
# usage: diagnose-sweep.sh [OPTION...] [BINARY]
#
#   BINARY          a qemu-system-x86_64 that loses wakeups; default: the installed one
#   --hangs N       so many hangs (default 100), over the scenarios in turn
#   --healthy N     so many QEMUs that do not hang (default 100): at work, idle, paused
#   --scenario S    only hangs of this scenario (may stand more than once)
#   --limit MS      longest answer that is allowed (default 2000)
#
# A hang is one when the guest has stood still for 1.5 s; it was freed when the
# guest ends its round after --wake.  Some binaries lose wakeups with nothing
# forced: LOST WAKEUP of a QEMU at work is right if its guest then reports the
# loss.  Exit status: 0 every answer was right and in time, 1 one was not.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

hangs=100 healthy=100 limit=2000 scenarios=() binary=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --hangs) hangs=$(value_of "$@"); shift ;;
    --healthy) healthy=$(value_of "$@"); shift ;;
    --scenario) scenarios+=("$(value_of "$@")"); shift ;;
    --limit) limit=$(value_of "$@"); shift ;;
    -*) die "unknown option $1" ;;
    *) [ -z "$binary" ] || die "one binary at a time"; binary=$1 ;;
    esac
    shift
done
[[ $hangs =~ ^[0-9]+$ && $healthy =~ ^[0-9]+$ && $limit =~ ^[0-9]+$ ]] || die "--hangs, --healthy and --limit take numbers"
[ ${#scenarios[@]} -gt 0 ] || scenarios=(lost-bh lost-timer clear-before-poll lost-reset lost-shutdown)
need_commands "the sweep" jq=jq perl=perl
[ -n "$binary" ] || binary=$(command -v qemu-system-x86_64) || cannot "no qemu-system-x86_64 is installed; name one"

"$SCRIPTS/module.sh"
module=$BUILD/module
work=$(mktemp -d "${TMPDIR:-/tmp}/aio-wakeup-sweep.XXXXXX")
at_end "$work"

# usage: ask PID: one line: status, ms, verdict, why
cat >"$work/ask" <<EOF
#!/bin/bash
begin=\$(date +%s%N) status=0
answer=\$("$module/diagnose/aio-wakeup-diagnose" --json "\$1") || status=\$?
ms=\$(((\$(date +%s%N) - begin) / 1000000))
printf '%s\t%s\t%s\n' "\$status" "\$ms" "\$(jq -r '[.verdict, .because, (.pending | join(", "))] | @tsv' <<<"\$answer")"
EOF
cat >"$work/beside" <<EOF
#!/bin/bash
answer=\$("$work/ask" "\$AIO_WAKEUP_PID")
woken=\$("$module/diagnose/aio-wakeup-diagnose" --wake --json "\$AIO_WAKEUP_PID" | jq -r .woken)
printf '%s\t%s\t%s\n' "\$SCENARIO" "\$answer" "\$woken" >>"$work/hangs"
EOF
chmod +x "$work/ask" "$work/beside"
: >"$work/hangs"
: >"$work/healthy"

# ---- hangs ----------------------------------------------------------------

freed=0 asked=0
# usage: hold SCENARIO N
hold() {
    local text
    text=$(SCENARIO=$1 guarded timeout 550 "$module/run/aio-wakeup-verdict" --scenario "$1" --rounds "$2" \
        --hold "$work/beside" "$binary" 2>"$work/err") || :
    if [[ $text =~ ([0-9]+)' were freed' ]]; then
        freed=$((freed + BASH_REMATCH[1]))
        # a round may be kept: it counts as one, and is no hang
        freed=$((freed > $(wc -l <"$work/hangs") ? $(wc -l <"$work/hangs") : freed))
    else
        say "    no hang: $text"
    fi
}

[ "$hangs" -eq 0 ] || say "$hangs hangs of $binary ..."
for ((i = 0; asked < hangs && i < 3 * hangs; i++)); do
    more=$((hangs - asked))
    hold "${scenarios[i % ${#scenarios[@]}]}" $((more < 10 ? more : 10))
    asked=$(wc -l <"$work/hangs")
    say "    $asked of $hangs, the last one: $(tail -n 1 "$work/hangs" | cut -f 1-4,6 | tr '\t' ' ')"
done

# ---- no hangs -------------------------------------------------------------

pid=
end_qemu() { [ -z "$pid" ] || kill -KILL "$pid"; }
on_failure end_qemu

# usage: boot FIRMWARE [OPTION...]
boot() {
    local firmware=$1
    shift
    cp "$module/guest/$firmware.bin" "$work/firmware.bin"
    perl -e 'print pack("V2", 0, 1000)' |
        dd of="$work/firmware.bin" bs=1 seek=8 conv=notrunc status=none
    rm -f "$work"/*.img
    truncate -s 1M "$work/disk.img"
    head -c 65536 /dev/zero | tr '\0' '\377' >"$work/flash.img"
    "$binary" -machine pc,accel=tcg -m 16 -nodefaults -no-user-config -vga none -display none -serial none \
        -parallel none -monitor none -drive if=pflash,unit=0,format=raw,readonly=on,file="$work/firmware.bin" \
        -drive if=pflash,unit=1,format=raw,file="$work/flash.img" \
        -drive if=none,id=disk,format=raw,file="$work/disk.img" -device virtio-blk-pci,drive=disk,ioeventfd=off \
        -chardev file,id=report,path="$work/report" -device isa-debugcon,iobase=0xe9,chardev=report \
        -device isa-debug-exit,iobase=0xf4,iosize=4 "$@" >/dev/null 2>"$work/err" </dev/null &
    pid=$!
    sleep 0.4
}

[ "$healthy" -eq 0 ] || say "$healthy QEMUs that do not hang ..."
kinds=(free-run idle free-run paused)
for ((i = 0; i < healthy; i++)); do
    kind=${kinds[i % ${#kinds[@]}]}
    case $kind in
    paused) boot idle -S ;;
    *) boot "$kind" ;;
    esac
    answer=$("$work/ask" "$pid")
    guest=
    if [[ $answer == *'LOST WAKEUP'* ]]; then
        for ((wait = 0; wait < 20; wait++)); do
            guest=$(grep ' lost read ' "$work/report" | tail -n 1) || :
            [ -z "$guest" ] || break
            sleep 0.3
        done
    fi
    printf '%s\t%s\t%s\n' "$kind" "$answer" "$guest" >>"$work/healthy"
    end_qemu 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
    pid=
done
on_failure_clear

# ---- what came of it ------------------------------------------------------

# usage: longest FILE: of the answers, in ms
longest() { cut -f 3 "$1" | sort -n | tail -n 1; }
right=$(cut -f 2,4 "$work/hangs" | grep -c '^1	LOST WAKEUP$' || :)
fine=$(cut -f 2,4 "$work/healthy" | grep -c '^0	NOT THIS$' || :)
lost=$(awk -F'\t' '$4 == "LOST WAKEUP" && $7 != ""' "$work/healthy" | wc -l)
wrong=$(awk -F'\t' '$4 == "LOST WAKEUP" && $7 == ""' "$work/healthy" | wc -l)
slow=$(cat "$work/hangs" "$work/healthy" | awk -F'\t' -v limit="$limit" '$3 > limit' | wc -l)

awk -F'\t' '$4 != "LOST WAKEUP"' "$work/hangs" | sed 's/^/    wrong: /' >&2
awk -F'\t' '$4 != "NOT THIS"' "$work/healthy" | sed 's/^/    /' >&2
echo "$binary"
[ "$hangs" -eq 0 ] || echo "hangs: $right of $asked LOST WAKEUP, $freed freed by --wake, longest answer $(longest "$work/hangs") ms"
[ "$hangs" -eq 0 ] || cut -f 1,7 "$work/hangs" | sort | uniq -c | sed 's/^ */    /; s/\t/: /'
[ "$healthy" -eq 0 ] || echo "healthy: $fine of $healthy NOT THIS, $lost LOST WAKEUP that the guest confirms, $wrong that it does not, longest answer $(longest "$work/healthy") ms"
[ "$right" -eq "$asked" ] && [ "$asked" -ge "$hangs" ] && [ "$freed" -eq "$asked" ] &&
    [ $((fine + lost)) -eq "$healthy" ] && [ "$slow" -eq 0 ] || exit "$FINDING"
