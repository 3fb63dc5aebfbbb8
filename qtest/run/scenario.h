/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs one scenario on one binary, and judges what happened. */
#ifndef AIO_WAKEUP_SCENARIO_H
#define AIO_WAKEUP_SCENARIO_H

#include <stdbool.h>
#include <stdio.h>

#include <glib.h>

typedef struct Scenario {
    const char *name;       /* also of its firmware, without ".bin" */
    const char *guest;      /* firmware's name */
    const char *schedule;   /* schedule's file name, or NULL: nothing forced */
    const char *loses;      /* what is lost, for people */
    unsigned rounds;        /* to survive for "not affected" */
    bool boot_a_round;      /* the round ends QEMU */
    bool needs_workers;     /* the schedule holds threads of the thread pool */
    const char *const *options;
} Scenario;

typedef enum Verdict {
    VERDICT_NOT_AFFECTED,
    VERDICT_AFFECTED,
    VERDICT_CANNOT_TELL,
    VERDICT_NOT_REACHABLE,  /* this binary cannot come into that order */
} Verdict;

typedef struct RunOptions {
    const char *binary;
    const char *engine;         /* the preloaded library */
    const char *preload;        /* judged together with QEMU, or NULL */
    const char *guest_dir;
    const char *schedule_dir;
    const char *scratch;        /* an existing folder */
    const char *aio;
    unsigned rounds;            /* 0: as the scenario says */
    unsigned patience_ms;
    gint64 deadline_us;         /* of g_get_monotonic_time() */
    bool to_the_end;            /* go on after the first loss */
    bool keep;                  /* keep the folders of the runs */
    bool progress;              /* draw a bar on stderr */
    const char *hold;           /* shell command beside a hang, or NULL */
    unsigned total_rounds;      /* of all scenarios, for that bar */
} RunOptions;

typedef struct ScenarioResult {
    const Scenario *scenario;
    Verdict verdict;
    unsigned rounds;            /* that the guest finished */
    unsigned met;               /* of these: the threads met as scheduled */
    unsigned lost;              /* with the main loop seen asleep */
    unsigned slow;              /* too late, but some thread was running */
    unsigned rescued;           /* of the lost: by the guest's next event */
    unsigned spins;             /* quiet times in which the main loop spun */
    unsigned held;              /* hangs that a command was run beside */
    unsigned freed;             /* of these: a round ended, but for the newest */
    bool unreachable;           /* the engine said so; see @reason */
    bool stuck;                 /* no round ended, the vCPU sleeps as well */
    double sleep_ms;            /* longest sleep ahead of it, -1: for ever */
    double elapsed_s;           /* of the rounds, by the guest's clock */
    unsigned long writes, clears, polls;
    char *evidence;             /* one line, or NULL */
    char *reason;               /* of the last two verdicts, one line */
    char *columns;              /* interleaving of the newest loss, or NULL */
} ScenarioResult;

extern const Scenario scenarios[];
extern const unsigned n_scenarios;

const Scenario *scenario_find(const char *name);
const char *verdict_name(Verdict verdict);

/*
 * scenario_run: run @scenario until it is judged or the deadline has passed.
 * May be called from several threads at the same time.
 *
 * Returns: the result, to be freed with scenario_result_free(); NULL with
 * @error set when no QEMU could be started.
 */
ScenarioResult *scenario_run(const Scenario *scenario, const RunOptions *opts,
                             GError **error);
/* Wipes the bar that scenario_run() has drawn. */
void scenario_progress_end(const RunOptions *opts);
void scenario_result_free(ScenarioResult *result);

#endif
