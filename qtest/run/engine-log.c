/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine-log.h"

/*
 * An idle main loop polls a few times in a quiet time of 2 ms; one that spins
 * does it hundreds of times.  Measured on a loaded machine as well.
 */
#define SPIN_POLLS 40

#define COLUMN_WIDTH 26
#define MAX_COLUMNS  8

static void step_free(gpointer data)
{
    Step *step = data;

    g_free(step->role);
    g_free(step->text);
    g_free(step);
}

EngineLog *engine_log_new(const char *path)
{
    EngineLog *log = g_new0(EngineLog, 1);

    log->path = g_strdup(path);
    log->partial = g_string_new(NULL);
    log->steps = g_ptr_array_new_with_free_func(step_free);
    return log;
}

void engine_log_free(EngineLog *log)
{
    g_free(log->path);
    g_free(log->missed);
    g_free(log->unreachable);
    g_string_free(log->partial, true);
    g_ptr_array_free(log->steps, true);
    g_free(log);
}

static void parse_step(EngineLog *log, const char *line)
{
    unsigned long round;
    long long us;
    int tid, text;
    char role[64];
    Step *step;

    if (sscanf(line, "step %lu %lld %d %63s %n", &round, &us, &tid, role,
               &text) != 4) {
        return;
    }
    if (round != log->steps_round) {
        g_ptr_array_set_size(log->steps, 0);
        log->steps_round = round;
    }
    step = g_new0(Step, 1);
    step->us = us;
    step->tid = tid;
    step->role = g_strdup(role);
    step->text = g_strdup(line + text);
    g_ptr_array_add(log->steps, step);
}

static void parse_evidence(EngineLog *log, const char *line)
{
    Evidence e = { 0 };
    char why[32];
    int polls, others;

    if (sscanf(line, "evidence %lu %31s main-syscall=%ld main-polls=%d "
               "sleep-ms=%lf notifier=%d count=%lld others-sleep=%d", &e.round, why,
               &e.main_syscall, &polls, &e.sleep_ms, &e.notifier,
               &e.count, &others) == 8) {
        e.main_polls = polls;
        e.others_sleep = others;
        if (!strcmp(why, "lost")) {
            log->evidence = e;
            log->has_evidence = true;
        }
    }
}

static void parse_line(EngineLog *log, const char *line)
{
    unsigned long round, polls;
    long long us;

    if (g_str_has_prefix(line, "step ")) {
        parse_step(log, line);
    } else if (g_str_has_prefix(line, "evidence ")) {
        parse_evidence(log, line);
    } else if (g_str_has_prefix(line, "round ")) {
        log->rounds++;
        log->met += g_str_has_suffix(line, " met");
    } else if (g_str_has_prefix(line, "missed ")) {
        g_free(log->missed);
        log->missed = g_strdup(line + strlen("missed "));
    } else if (g_str_has_prefix(line, "unreachable ")) {
        g_free(log->unreachable);
        log->unreachable = g_strdup(line + strlen("unreachable "));
    } else if (sscanf(line, "quiet %lu polls=%lu us=%lld", &round, &polls,
                      &us) == 3) {
        log->quiets++;
        log->spins += polls >= SPIN_POLLS;
        log->max_polls = MAX(log->max_polls, polls);
    } else {
        sscanf(line, "counts writes=%lu clears=%lu polls=%lu", &log->writes,
               &log->clears, &log->polls);
    }
}

void engine_log_update(EngineLog *log)
{
    char buf[65536];
    ssize_t n;
    int fd = open(log->path, O_RDONLY | O_CLOEXEC);
    char *end;

    if (fd < 0) {
        return;
    }
    while ((n = pread(fd, buf, sizeof(buf), log->offset)) > 0) {
        char *line = log->partial->str;

        log->offset += n;
        g_string_append_len(log->partial, buf, n);
        line = log->partial->str;
        while ((end = strchr(line, '\n'))) {
            *end = '\0';
            parse_line(log, line);
            line = end + 1;
        }
        g_string_erase(log->partial, 0, line - log->partial->str);
    }
    close(fd);
}

static int find_column(char *columns[], int *n, const char *role)
{
    for (int i = 0; i < *n; i++) {
        if (!strcmp(columns[i], role)) {
            return i;
        }
    }
    if (*n == MAX_COLUMNS) {
        return -1;
    }
    columns[*n] = (char *)role;
    return (*n)++;
}

void engine_log_print_columns(const EngineLog *log, FILE *out)
{
    char *columns[MAX_COLUMNS];
    int n = 0;
    gint64 start;

    if (!log->steps->len) {
        return;
    }
    start = ((Step *)log->steps->pdata[0])->us;
    for (guint i = 0; i < log->steps->len; i++) {
        find_column(columns, &n, ((Step *)log->steps->pdata[i])->role);
    }
    fprintf(out, "%10s", "us");
    for (int i = 0; i < n; i++) {
        fprintf(out, "  %-*s", COLUMN_WIDTH, columns[i]);
    }
    fprintf(out, "\n");
    for (guint i = 0; i < log->steps->len; i++) {
        const Step *step = log->steps->pdata[i];
        int column = find_column(columns, &n, step->role);

        fprintf(out, "%10lld  %*s%s\n", (long long)(step->us - start),
                MAX(column, 0) * (COLUMN_WIDTH + 2), "", step->text);
    }
}
