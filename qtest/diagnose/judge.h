/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is this QEMU asleep with work pending?
 *
 * An idle QEMU looks the same from outside.  So the answer is LOST WAKEUP only
 * when work was seen that the very poll in which the main thread was asleep has
 * to be woken for (look.h), and in a second and a third look, later, the same
 * work was still there and the main thread had not run, while every other
 * thread had either run or was asleep: nobody was on the way to wake it.
 */
#ifndef AIO_WAKEUP_JUDGE_H
#define AIO_WAKEUP_JUDGE_H

#include <glib.h>

#include "context.h"
#include "target.h"

typedef enum Answer {
    ANSWER_NOT_THIS,
    ANSWER_LOST_WAKEUP,
    ANSWER_CANNOT_TELL,
} Answer;

typedef struct Diagnosis {
    int pid;                    /* 0: a core file */
    char *program;              /* or NULL */
    char *version;              /* or NULL */
    Answer answer;
    char *reason;               /* one line: what was lost, or what it is */
    GPtrArray *pending;         /* strings: work that nobody does */
    GPtrArray *keys;            /* of each piece of it; see drop_done() */
    GPtrArray *key_texts;       /* the same for people */
    GPtrArray *requests;        /* strings: block requests, all along */
    bool throttled;             /* one of them, by a filter */
    GPtrArray *nodes;           /* strings: all block nodes, or NULL */
    char *main_loop;            /* what its thread does, or NULL */
    char *notifier;             /* or NULL */
    char *timers;               /* or NULL */
    GPtrArray *threads;         /* strings, all others */
    char *shim;                 /* what it has done, or NULL: none */
    char *how;                  /* how the facts were come by, or NULL */
    gint64 timeout_ms;          /* of the main loop's poll; -1: none */
    gint64 still_ms;            /* its thread has not run for so long; or -1 */
    bool asleep;                /* the main loop, in poll */
    bool ring;                  /* it polls an io_uring */
    int wake_fd;                /* notifier that the main loop waits for */
    int iohandler_fd;           /* of the context that nobody else polls; -1 */
    gint64 notify_me, notified, notifier_count;     /* -1: not known */
    char *woken;                /* of --wake: what was done, or NULL */
    char *captured;             /* of --capture: what was written, or NULL */
    bool freed;                 /* the pending work is gone */
    Target *target;             /* to look again, or NULL */
    Finder *finder;
} Diagnosis;

/*
 * diagnose_process, diagnose_core: look, and judge.
 * @within_us: time for all of it
 *
 * Returns: a diagnosis, to be freed with diagnosis_free(); NULL with @error
 * set to TARGET_ERROR_USE when the user named the wrong thing.
 */
Diagnosis *diagnose_process(int pid, gint64 within_us, GError **error);
Diagnosis *diagnose_core(const char *core, const char *binary,
                         GError **error);
void diagnosis_free(Diagnosis *d);

/*
 * diagnosis_drop_done: take the work that is not pending any more off @d->keys
 * and @d->key_texts; only for one that has a target.
 */
void diagnosis_drop_done(Diagnosis *d);

const char *answer_name(Answer answer);

#endif
