#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Is diagnose right?  Asks it beside hangs that schedules have made, then has it
# free them; and beside QEMUs that hang for another reason, work or idle.
#
# usage: diagnose-sweep.sh [OPTION...] [BINARY]
#
#   BINARY          a qemu-system-x86_64 that loses wakeups; default: the installed one
#   --hangs N       how many hangs (default 100), over the scenarios in turn
#   --others N      how many QEMUs that have lost nothing (default 100), over the kinds in turn
#   --scenario S    only hangs of this scenario (may stand more than once)
#   --kind K        only others of this kind (may stand more than once); --list names them
#   --limit MS      longest answer that is allowed (default 2000)
#   --list          name the kinds, and what each is
#
# A hang is one when the guest has stood still for 1.5 s; it was freed when the
# guest ends its round after --wake, and --wake saw the very work gone that was
# pending.  Some binaries lose wakeups with nothing forced: LOST WAKEUP of a QEMU
# at work is right if its guest then reports the loss.  "Not made": this QEMU does not
# hang so, or it did not come to it in time.  The result is a table, a
# line for each scenario and kind.  Exit status: 0 every answer was right and in
# time, 1 one was not.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

tools=$ROOT/qtest/diagnose
# shellcheck source=qtest/diagnose/faults.bash
. "$tools/faults.bash"

hangs=100 others=100 limit=2000 scenarios=() kinds=() binary=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    --hangs) hangs=$(value_of "$@"); shift ;;
    --others) others=$(value_of "$@"); shift ;;
    --kind) kinds+=("$(value_of "$@")"); shift ;;
    --list) sed -n '/^fault_kinds=(/,/^)/s/^    //p' "$tools/faults.bash"; exit 0 ;;
    --scenario) scenarios+=("$(value_of "$@")"); shift ;;
    --limit) limit=$(value_of "$@"); shift ;;
    -*) die "unknown option $1" ;;
    *) [ -z "$binary" ] || die "one binary at a time"; binary=$1 ;;
    esac
    shift
done
[[ $hangs =~ ^[0-9]+$ && $others =~ ^[0-9]+$ && $limit =~ ^[0-9]+$ ]] || die "--hangs, --others and --limit take numbers"
[ ${#kinds[@]} -gt 0 ] || kinds=("${fault_kinds[@]}")
[ ${#scenarios[@]} -gt 0 ] || scenarios=(lost-bh lost-timer clear-before-poll lost-reset lost-shutdown)
need_commands "the sweep" jq=jq perl=perl python3=python3 qemu-img=qemu-utils
[ -n "$binary" ] || binary=$(command -v qemu-system-x86_64) || cannot "no qemu-system-x86_64 is installed; name one"

"$SCRIPTS/module.sh"
modules=$BUILD/module
work=$(mktemp -d "${TMPDIR:-/tmp}/aio-wakeup-sweep.XXXXXX")
at_end "$work"

# usage: ask PID: one line: status, ms, verdict, why
cat >"$work/ask" <<EOF
#!/bin/bash
begin=\$(date +%s%N) status=0
answer=\$("$modules/diagnose/aio-wakeup-diagnose" --json "\$1") || status=\$?
ms=\$(((\$(date +%s%N) - begin) / 1000000))
printf '%s\t%s\t%s\n' "\$status" "\$ms" "\$(jq -r '[.verdict, .because, (.pending | join(", "))] | @tsv' <<<"\$answer")"
EOF
cat >"$work/beside" <<EOF
#!/bin/bash
answer=\$("$work/ask" "\$AIO_WAKEUP_PID")
woken=\$("$modules/diagnose/aio-wakeup-diagnose" --wake --json "\$AIO_WAKEUP_PID" | jq -r '[.freed, .woken] | @tsv')
printf '%s\t%s\t%s\n' "\$SCENARIO" "\$answer" "\$woken" >>"$work/hangs"
EOF
chmod +x "$work/ask" "$work/beside"
: >"$work/hangs"
: >"$work/others"

# ---- hangs ----------------------------------------------------------------

freed=0 asked=0
# usage: hold SCENARIO N
hold() {
    local text
    text=$(SCENARIO=$1 guarded timeout 550 "$modules/run/aio-wakeup-verdict" --scenario "$1" --rounds "$2" \
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
# each scenario gets its share, at most ten at a time
share=$(((hangs + ${#scenarios[@]} - 1) / ${#scenarios[@]}))
share=$((share > 10 ? 10 : share))
for ((i = 0; asked < hangs && i < 3 * hangs; i++)); do
    more=$((hangs - asked))
    hold "${scenarios[i % ${#scenarios[@]}]}" $((more < share ? more : share))
    asked=$(wc -l <"$work/hangs")
    say "    $asked of $hangs, the last one: $(tail -n 1 "$work/hangs" | cut -f 1-4,6 | tr '\t' ' ')"
done

# ---- no hangs -------------------------------------------------------------

pids=()
end_qemus() {
    local one
    for one in "${pids[@]}"; do
        kill -KILL "$one" 2>/dev/null || :
    done
    for one in "${pids[@]}"; do
        wait "$one" 2>/dev/null || :
    done
    pids=()
}
on_failure end_qemus

# usage: ask_beside KIND: appends a line: kind, status, ms, verdict, right or what it said
ask_beside() {
    local answer said qemu=$binary
    if ! fault "$1"; then
        printf '%s\t-\t0\tnot there\n' "$1" >>"$work/others"
        return
    fi
    # one that has just been started is at work: that would be a right answer, too
    [ "$1" = free-run ] || until_10_s settled "$pid" || :
    answer=$("$work/ask" "$pid")
    said="because    $(cut -f 4 <<<"$answer")"
    # shellcheck disable=SC2053,SC2154
    if [[ $said == $reason ]]; then
        said=right
    elif [[ $answer == *'LOST WAKEUP'* ]] && until_10_s grep -q ' lost read ' report; then
        said=right
    fi
    printf '%s\t%s\t%s\n' "$1" "$(cut -f 1-3 <<<"$answer")" "$said" >>"$work/others"
}

[ "$others" -eq 0 ] || say "$others QEMUs that have lost nothing ..."
for ((i = 0; i < others; i++)); do
    mkdir "$work/qemu"
    cd "$work/qemu"
    ask_beside "${kinds[i % ${#kinds[@]}]}" 2>>"$work/err"
    end_qemus
    cd /
    rm -rf "$work/qemu"
    say "    $((i + 1)) of $others: $(tail -n 1 "$work/others" | tr '\t' ' ')"
done
on_failure_clear

# ---- what came of it ------------------------------------------------------

echo "$binary"
python3 - "$work" "$freed" <<'END' | columns '| ' ' | ' ' |' yes
import collections
import sys

work, freed = sys.argv[1], int(sys.argv[2])
rows = collections.OrderedDict()


def lines(name):
    return [line.rstrip("\n").split("\t") for line in open(f"{work}/{name}")]


def add(name, right, lost, unknown, ms, gone):
    row = rows.setdefault(name, [0] * 6)
    for i, n in enumerate((1, right, lost, unknown)):
        row[i] += n
    row[4] = max(row[4], ms)
    row[5] += gone


for hang in lines("hangs"):
    scenario, _, ms, verdict = hang[:4]
    add("hang: " + scenario, verdict == "LOST WAKEUP", verdict == "LOST WAKEUP",
        verdict == "CANNOT TELL", int(ms), hang[6] == "true")
for other in lines("others"):
    kind, _, ms, verdict = other[:4]
    if verdict == "not there":
        rows.setdefault(kind, [0] * 6)
        continue
    add(kind, other[4] == "right", verdict == "LOST WAKEUP",
        verdict == "CANNOT TELL", int(ms), 0)
print("kind", "right", "LOST WAKEUP", "CANNOT TELL", "longest answer", "freed",
      sep="\t")
for name, (n, right, lost, unknown, ms, gone) in rows.items():
    hang = name.startswith("hang: ")
    print(name, f"{right} of {n}" if n else "not made",
          lost, unknown, f"{ms} ms" if n else "-",
          f"{gone} of {n}" if hang else "-", sep="\t")
END
wrong=$(awk -F'\t' '$4 != "LOST WAKEUP" || $7 != "true"' "$work/hangs" | tee "$work/wrong" | wc -l)
wrong=$((wrong + $(awk -F'\t' '$4 != "not there" && $5 != "right"' "$work/others" | tee -a "$work/wrong" | wc -l)))
slow=$(cat "$work/hangs" "$work/others" | awk -F'\t' -v limit="$limit" '$3 > limit' | wc -l)
sed 's/^/    wrong: /' "$work/wrong" >&2
echo "hangs: $asked of $hangs asked for, $freed went on after --wake; wrong answers: $wrong, later than $limit ms: $slow"
[ "$wrong" -eq 0 ] && [ "$slow" -eq 0 ] && [ "$asked" -ge "$hangs" ] && [ "$freed" -eq "$asked" ] || exit "$FINDING"
