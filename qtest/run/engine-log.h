/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the schedule engine's log while it grows; see
 * qtest/schedule/README.md for its lines.
 */
#ifndef AIO_WAKEUP_ENGINE_LOG_H
#define AIO_WAKEUP_ENGINE_LOG_H

#include <stdbool.h>
#include <stdio.h>

#include <glib.h>

/* One thing that one thread did; @us counts from the start of QEMU. */
typedef struct Step {
    gint64 us;
    int tid;
    char *role;
    char *text;
} Step;

/* What the engine saw when the guest said that it had waited in vain */
typedef struct Evidence {
    unsigned long round;
    long main_syscall;      /* number, or -1: the main loop was running */
    bool main_polls;        /* that system call is a poll */
    bool others_sleep;      /* so does every thread but the guest's vCPU */
    double sleep_ms;        /* timeout of the poll, -1: none */
    int notifier;           /* fd that the temporary waiter clears, or -1 */
    long long count;        /* its eventfd counter, or -1 */
} Evidence;

typedef struct EngineLog {
    char *path;
    gint64 offset;
    GString *partial;
    unsigned rounds;        /* that have ended */
    unsigned met;           /* of these: every hold of the schedule was met */
    unsigned quiets;        /* quiet times that were looked at */
    unsigned spins;         /* of these: the main loop kept polling */
    unsigned long max_polls;
    bool has_evidence;      /* a loss; see @evidence for the newest one */
    Evidence evidence;
    char *unreachable;      /* why the order cannot come, or NULL */
    char *missed;           /* newest hold that was not met, or NULL */
    GPtrArray *steps;       /* Step, of the newest round that was logged */
    unsigned long steps_round;
    unsigned long writes, clears, polls; /* totals; set when QEMU has exited */
} EngineLog;

EngineLog *engine_log_new(const char *path);
void engine_log_free(EngineLog *log);

/* Reads what has been added since the last call. */
void engine_log_update(EngineLog *log);

/* Prints the newest logged round, one column a thread. */
void engine_log_print_columns(const EngineLog *log, FILE *out);

#endif
