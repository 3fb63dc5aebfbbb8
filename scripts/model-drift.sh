#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Is the model still the code?  Reads the C functions of a QEMU tree and fails
# when their statements are not in the order of the model's steps, or when one
# of the watched things (a clear, a write, an accept, a change of notify_me) is
# done in a place that no step of the model names.
#
#   scripts/model-drift.sh TREE [VARIANT]
#
# VARIANT is one of docs/aio_wakeup.promela; without it, it is found from the
# tree's content.
# The table of statements is at the end of that file.  The series is not in the
# model: a tree that has it from the state awake on is not compared.
#
# Exit status: 0 the same, 1 a difference (each is printed), 2 wrong use,
# 77 not possible here.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
model=$here/../docs/aio_wakeup.promela

case ${1:-} in
-h | --help) awk 'NR > 3 && !/^#/ { exit } NR > 3 { sub(/^# ?/, ""); print }' "$0"; exit 0 ;;
esac
[[ $# -eq 1 || $# -eq 2 ]] || { echo "model-drift.sh: see --help" >&2; exit 2; }
tree=$1 variant=${2:-}
command -v gcc >/dev/null || { echo "model-drift.sh: needs a C preprocessor; install it with: apt-get install --no-install-recommends gcc" >&2; exit 77; }

if [ -f "$tree/util/async.c" ]; then
    sources=$tree/util generation=new
elif [ -f "$tree/async.c" ]; then
    sources=$tree generation=old
else
    echo "model-drift.sh: $tree is no QEMU tree: it has neither util/async.c nor async.c" >&2
    exit 2
fi

has() { grep -qsF -- "$2" "$sources/$1"; }
if [ -z "$variant" ]; then
    if [ $generation = old ]; then
        has async.c 'ctx->notify_me' || has async.c 'ctx->dispatching' ||
            { echo "model-drift.sh: $tree is older than ctx->dispatching; only later trees can be compared" >&2; exit 2; }
        variant=2015-late
        ! has async.c 'ctx->dispatching' || variant=2014
        ! has aio-posix.c 'event_notifier_test_and_clear(&ctx->notifier)' || variant=2015-early
        ! has async.c 'ctx->notified' || variant=2015-accept
    else
        ! has async.c 'aio_ctx_awake(' ||
            { echo "model-drift.sh: $tree has the series, which is not in the model" >&2; exit 2; }
        variant=2020
        # the main loop polls an io_uring
        if has fdmon-io_uring.c 'gsource_prepare'; then
            variant=10.2-ring
            ! sed -n '/^void aio_add_sqe(/,/^}/p' "$sources/aio-posix.c" |
                grep -qF 'aio_notify(ctx)' || variant=10.2-posted
        fi
    fi
fi

# the active steps in the order of the model's text; each inline is a function
active_steps() {
    gcc -E -CC -x c -std=gnu99 "-DV$(tr 'a-z.-' 'A-Z__' <<<"$variant")" \
        -DRESCHED -DKICK "$@" "$model" 2>/dev/null |
        grep -o '/\*@ [A-Z0-9]* \*/' | awk '{ printf "%s ", $2 }'
}
steps=$(active_steps) steps_win32=$(active_steps -DWIN32)
[ -n "$steps" ] || { echo "model-drift.sh: unknown variant '$variant'" >&2; exit 2; }

table() { sed -n "s/^ \* $1: //p" "$model"; }

awk -v steps="$steps" -v steps_win32="$steps_win32" -v generation="$generation" -v sources="$sources" \
    -v variant="$variant" -v tree="$tree" '
    function squeeze(s) { gsub(/[ \t\n]+/, " ", s); gsub(/\( /, "(", s); gsub(/ \)/, ")", s); return s }
    function times(text, what,   n, at) {
        n = 0
        while ((at = index(text, what)) > 0) { n++; text = substr(text, at + length(what)) }
        return n
    }
    # all functions of a file, without comments, as QEMU writes them: the name
    # in or before the line of the first column brace
    function read_functions(file,   line, text, name, inside, comment, i, found) {
        name = ""; inside = 0; comment = 0
        while ((getline line < (sources "/" file)) > 0) {
            found = 1
            if (comment) {
                if ((i = index(line, "*/")) == 0) continue
                line = substr(line, i + 2); comment = 0
            }
            while ((i = index(line, "/*")) > 0) {
                text = substr(line, i + 2)
                if (index(text, "*/") == 0) { line = substr(line, 1, i - 1); comment = 1; break }
                line = substr(line, 1, i - 1) " " substr(text, index(text, "*/") + 2)
            }
            sub(/\/\/.*/, "", line)
            if (inside) {
                if (line ~ /^}/) { inside = 0; name = ""; continue }
                body[file, key] = body[file, key] " " line
            } else if (line ~ /^{/) {
                if (name != "") {
                    inside = 1
                    key = name
                    if ((file, key) in body) key = name "#2"
                    body[file, key] = ""
                    functions[file] = functions[file] " " key
                }
            } else if (line ~ /^[A-Za-z_].*\(/ && line !~ /;[ \t]*$/) {
                name = line
                sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
            }
        }
        if (!found) { print tree ": cannot read " file; bad++ }
    }
    BEGIN {
        n = split(steps, order, " ")
        for (i = 1; i <= n; i++) if (!(("posix", order[i]) in rank)) rank["posix", order[i]] = i
        n = split(steps_win32, order, " ")
        for (i = 1; i <= n; i++) if (!(("win32", order[i]) in rank)) rank["win32", order[i]] = i
    }
    $1 == "watch" && $2 == generation {
        sub(/^watch [a-z]+ /, ""); watch[++watches] = $0; next
    }
    $1 == "step" && $3 == generation {
        host = ($4 ~ /win32/) ? "win32" : "posix"
        if (!((host, $2) in rank)) next
        row++
        at_rank[row] = rank[host, $2]
        step[row] = $2; file[row] = $4; fn[row] = $5
        statement = $0
        sub(/^step [A-Z0-9]+ [a-z]+ [^ ]+ [^ ]+ /, "", statement)
        what[row] = statement
        files[$4] = 1
    }
    END {
        for (f in files) {
            read_functions(f)
            m = split(functions[f], names, " ")
            for (j = 1; j <= m; j++) body[f, names[j]] = squeeze(body[f, names[j]])
        }
        # the rows of each function, in the model s order
        for (r = 1; r <= row; r++) { sorted[r] = r }
        for (a = 2; a <= row; a++)
            for (b = a; b > 1 && at_rank[sorted[b]] < at_rank[sorted[b - 1]]; b--) {
                t = sorted[b]; sorted[b] = sorted[b - 1]; sorted[b - 1] = t
            }
        for (a = 1; a <= row; a++) {
            r = sorted[a]
            where = file[r] ": " fn[r] "()"
            if (!((file[r], fn[r]) in body)) {
                if (!told[where]++) { print where " is not there"; bad++ }
                continue
            }
            text = body[file[r], fn[r]]
            k = split(what[r], spelling, "|")
            # "|" stands between spellings only with no blank beside it
            if (what[r] ~ / \| /) { k = 1; spelling[1] = what[r] }
            at = 0; anywhere = 0
            start = (where in last) ? last[where] : 1
            for (s = 1; s <= k; s++) {
                words = squeeze(spelling[s])
                if (index(text, words)) anywhere = 1
                p = index(substr(text, start), words)
                if (p > 0 && (at == 0 || p < at)) { at = p; chosen = words }
            }
            if (at == 0) {
                print where ": step " step[r] (anywhere ? " is not where the model has it: " : " is missing: ") what[r]
                bad++
                continue
            }
            last[where] = start + at - 1 + length(chosen)
            named[where] = named[where] " \001" chosen
            checked++
        }
        # watched things that no step names
        for (f in files) {
            m = split(functions[f], names, " ")
            for (j = 1; j <= m; j++) {
                where = f ": " names[j] "()"
                for (w = 1; w <= watches; w++) {
                    have = times(body[f, names[j]], squeeze(watch[w]))
                    want = times(named[where], squeeze(watch[w]))
                    if (have > want) {
                        print where ": no step of the model names this: " watch[w]
                        bad++
                    }
                }
            }
        }
        printf "%s: variant %s: %d statements in order, %d differences\n", tree, variant, checked, bad
        exit bad > 0
    }' <(table watch | sed 's/^/watch /'; table step | sed 's/^/step /')
