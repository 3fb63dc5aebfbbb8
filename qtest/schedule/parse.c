/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a schedule file.  Plain libc: this runs inside a foreign QEMU. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedule.h"

#define MAX_WORDS 40

typedef struct Parser {
    Schedule *s;
    const char *path;
    int line;
    char *err;
    size_t err_size;
    char *words[MAX_WORDS];
    int n;
    int pos;
} Parser;

static const char *const point_names[POINT__MAX] = {
    [POINT_BEFORE_POLL] = "before-poll",
    [POINT_BEFORE_SLEEP] = "before-sleep",
    [POINT_AFTER_POLL] = "after-poll",
    [POINT_BEFORE_CLEAR] = "before-clear",
    [POINT_AFTER_CLEAR] = "after-clear",
    [POINT_BEFORE_WRITE] = "before-write",
    [POINT_AFTER_WRITE] = "after-write",
    [POINT_BEFORE_IO] = "before-io",
    [POINT_AFTER_IO] = "after-io",
    [POINT_BEFORE_BQL] = "before-bql",
    [POINT_AT_MARK] = "at-mark",
    [POINT_MARK] = "mark",
    [POINT_DONE] = "done",
    [POINT_IDLE] = "idle",
    [POINT_ASLEEP] = "asleep",
};

const char *schedule_point_name(Point point)
{
    return point_names[point];
}

static bool __attribute__((format(printf, 2, 3)))
fail(Parser *p, const char *fmt, ...)
{
    va_list ap;
    int n;

    n = snprintf(p->err, p->err_size, "%s:%d: ", p->path, p->line);
    if (n < 0 || (size_t)n >= p->err_size) {
        return false;
    }
    va_start(ap, fmt);
    vsnprintf(p->err + n, p->err_size - n, fmt, ap);
    va_end(ap);
    return false;
}

static const char *peek(const Parser *p)
{
    return p->pos < p->n ? p->words[p->pos] : "";
}

static const char *next(Parser *p)
{
    return p->pos < p->n ? p->words[p->pos++] : "";
}

static bool accept(Parser *p, const char *word)
{
    if (strcmp(peek(p), word)) {
        return false;
    }
    p->pos++;
    return true;
}

static int find_role(const Schedule *s, const char *name)
{
    for (int i = 0; i < s->n_roles; i++) {
        if (!strcmp(s->roles[i].name, name)) {
            return i;
        }
    }
    return -1;
}

/* ROLE POINT [MARK] [after REF]; *index is set to its place in s->refs */
static bool parse_ref(Parser *p, int *index)
{
    Schedule *s = p->s;
    PointRef ref = { .after = -1 };
    const char *word = next(p);
    int point;

    ref.role = find_role(s, word);
    if (ref.role < 0) {
        return fail(p, "'%s' is no role of this schedule", word);
    }
    word = next(p);
    for (point = 0; point < POINT__MAX; point++) {
        if (!strcmp(word, point_names[point])) {
            break;
        }
    }
    if (point == POINT__MAX) {
        return fail(p, "'%s' is no point (see README.md beside the schedules)",
                    word);
    }
    ref.point = point;
    if (ref.point == POINT_MARK || ref.point == POINT_AT_MARK) {
        word = next(p);
        if (strlen(word) != 1) {
            return fail(p, "a mark is one character, not '%s'", word);
        }
        ref.mark = word[0];
    }
    if (accept(p, "after") && !parse_ref(p, &ref.after)) {
        return false;
    }
    if (s->n_refs == SCHEDULE_MAX_REFS) {
        return fail(p, "more than %d points", SCHEDULE_MAX_REFS);
    }
    *index = s->n_refs;
    s->refs[s->n_refs++] = ref;
    return true;
}

static bool parse_alternatives(Parser *p, int *refs, int *n)
{
    do {
        if (*n == SCHEDULE_MAX_ALT) {
            return fail(p, "more than %d alternatives", SCHEDULE_MAX_ALT);
        }
        if (!parse_ref(p, &refs[*n])) {
            return false;
        }
        (*n)++;
    } while (accept(p, "or"));
    return true;
}

static bool parse_role(Parser *p)
{
    static const struct {
        const char *word;
        RoleKind kind;
        bool has_arg;
    } kinds[] = {
        { "main-thread", ROLE_MAIN_THREAD, false },
        { "marks", ROLE_MARKS, true },
        { "reads", ROLE_READS, true },
        { "writes", ROLE_WRITES, true },
        { "syncs", ROLE_SYNCS, true },
        { "named", ROLE_NAMED, true },
        { "temporary-waiter", ROLE_TEMPORARY_WAITER, false },
    };
    Schedule *s = p->s;
    Role *role = &s->roles[s->n_roles];
    const char *name = next(p);
    const char *kind = next(p);

    if (s->n_roles == SCHEDULE_MAX_ROLES) {
        return fail(p, "more than %d roles", SCHEDULE_MAX_ROLES);
    }
    if (!*name || strlen(name) >= sizeof(role->name)) {
        return fail(p, "a role needs a name of 1 to %zu characters",
                    sizeof(role->name) - 1);
    }
    if (find_role(s, name) >= 0) {
        return fail(p, "role '%s' stands here twice", name);
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!strcmp(kind, kinds[i].word)) {
            strcpy(role->name, name);
            role->kind = kinds[i].kind;
            if (kinds[i].has_arg) {
                const char *arg = next(p);

                if (!*arg || strlen(arg) >= sizeof(role->arg)) {
                    return fail(p, "'%s' needs a value after it", kind);
                }
                strcpy(role->arg, arg);
            }
            s->n_roles++;
            return true;
        }
    }
    return fail(p, "'%s' says not who '%s' is: main-thread, marks, reads, "
                "writes, syncs, named or temporary-waiter", kind, name);
}

static bool parse_hold(Parser *p, const char *text, bool optional)
{
    Schedule *s = p->s;
    Rule *rule = &s->rules[s->n_rules];

    if (s->n_rules == SCHEDULE_MAX_RULES) {
        return fail(p, "more than %d holds", SCHEDULE_MAX_RULES);
    }
    memset(rule, 0, sizeof(*rule));
    rule->optional = optional;
    snprintf(rule->text, sizeof(rule->text), "%s", text);
    if (!parse_alternatives(p, rule->at, &rule->n_at)) {
        return false;
    }
    if (!accept(p, "until")) {
        return fail(p, "'until' is missing after the point to hold at");
    }
    if (!parse_alternatives(p, rule->until, &rule->n_until)) {
        return false;
    }
    for (int i = 0; i < rule->n_at; i++) {
        Point point = s->refs[rule->at[i]].point;

        if (point > POINT_MARK) {
            return fail(p, "nobody can be held at '%s'", point_names[point]);
        }
    }
    s->n_rules++;
    return true;
}

static bool parse_signal(Parser *p)
{
    static const struct {
        const char *word;
        int number;
    } names[] = {
        { "SIGTERM", SIGTERM }, { "SIGINT", SIGINT }, { "SIGHUP", SIGHUP },
    };
    Schedule *s = p->s;
    SignalRule *rule = &s->signals[s->n_signals];
    const char *word = next(p);

    if (s->n_signals == SCHEDULE_MAX_ALT) {
        return fail(p, "more than %d signals", SCHEDULE_MAX_ALT);
    }
    memset(rule, 0, sizeof(*rule));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(word, names[i].word)) {
            rule->number = names[i].number;
            strcpy(rule->name, word);
        }
    }
    if (!rule->number) {
        return fail(p, "a signal is SIGTERM, SIGINT or SIGHUP, not '%s'", word);
    }
    if (!accept(p, "at")) {
        return fail(p, "'at' is missing after the signal");
    }
    if (!parse_ref(p, &rule->at)) {
        return false;
    }
    s->n_signals++;
    return true;
}

static bool parse_line(Parser *p, const char *text)
{
    Schedule *s = p->s;
    const char *word = next(p);

    if (!strcmp(word, "schedule")) {
        const char *name = next(p);

        if (!*name || strlen(name) >= sizeof(s->name)) {
            return fail(p, "a schedule needs a name");
        }
        strcpy(s->name, name);
        return true;
    }
    if (!strcmp(word, "bound")) {
        s->bound_ms = atoi(next(p));
        if (s->bound_ms <= 0 || !accept(p, "ms")) {
            return fail(p, "a bound reads: bound NUMBER ms");
        }
        return true;
    }
    if (!strcmp(word, "role")) {
        return parse_role(p);
    }
    if (!strcmp(word, "round") || !strcmp(word, "quiet")) {
        bool round = word[0] == 'r';

        if (!parse_ref(p, round ? &s->round_begin : &s->quiet_begin)) {
            return false;
        }
        if (!accept(p, "to")) {
            return fail(p, "'to' is missing");
        }
        return parse_ref(p, round ? &s->round_end : &s->quiet_end);
    }
    if (!strcmp(word, "evidence")) {
        return parse_ref(p, &s->evidence);
    }
    if (!strcmp(word, "signal")) {
        return parse_signal(p);
    }
    if (!strcmp(word, "hold")) {
        return parse_hold(p, text, false);
    }
    if (!strcmp(word, "may") && accept(p, "hold")) {
        return parse_hold(p, text, true);
    }
    return fail(p, "'%s' is not understood: schedule, bound, role, round, "
                "quiet, evidence, signal, hold or may hold", word);
}

static void split(Parser *p, char *line)
{
    char *save = NULL;

    p->n = p->pos = 0;
    for (char *w = strtok_r(line, " \t\r\n", &save); w && p->n < MAX_WORDS;
         w = strtok_r(NULL, " \t\r\n", &save)) {
        p->words[p->n++] = w;
    }
}

static void squeeze(char *out, size_t size, const Parser *p)
{
    size_t len = 0;

    out[0] = '\0';
    for (int i = 0; i < p->n; i++) {
        int n = snprintf(out + len, size - len, "%s%s", i ? " " : "",
                         p->words[i]);

        if (n < 0 || (size_t)n >= size - len) {
            return;
        }
        len += n;
    }
}

bool schedule_load(const char *path, Schedule *s, char *err, size_t err_size)
{
    Parser p = { .s = s, .path = path, .err = err, .err_size = err_size };
    char line[512];
    char text[512];
    bool ok = true;
    FILE *f;

    memset(s, 0, sizeof(*s));
    s->bound_ms = 2000;
    s->round_begin = s->round_end = s->evidence = -1;
    s->quiet_begin = s->quiet_end = -1;

    f = fopen(path, "re");
    if (!f) {
        snprintf(err, err_size, "%s: cannot be read: %m", path);
        return false;
    }
    while (ok && fgets(line, sizeof(line), f)) {
        p.line++;
        line[strcspn(line, "#")] = '\0';
        split(&p, line);
        if (!p.n) {
            continue;
        }
        squeeze(text, sizeof(text), &p);
        ok = parse_line(&p, text);
        if (ok && p.pos != p.n) {
            ok = fail(&p, "'%s' is too much", p.words[p.pos]);
        }
    }
    fclose(f);
    if (ok && (!s->name[0] || s->round_begin < 0)) {
        ok = fail(&p, "a schedule needs the lines 'schedule NAME' and "
                  "'round REF to REF'");
    }
    return ok;
}
