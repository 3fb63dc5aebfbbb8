/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A round is lost when the guest has waited in vain and the engine saw, at
 * that moment, the main loop asleep in a poll that would have gone on and no
 * other thread that could still wake it.  Any other late round is only slow.  "Not affected" has
 * to be earned: by so many rounds in which every hold of the schedule was met.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine-log.h"
#include "qemu-process.h"
#include "scenario.h"

/* Longer than patience, rescue and a hold's bound together */
#define STUCK_US (6 * G_USEC_PER_SEC)

/* With somebody who waits for the hang; no round takes so long otherwise */
#define HOLD_US (3 * G_USEC_PER_SEC / 2)
#define HOLD_PATIENCE_MS 600000

/* So often a look finds a QEMU that is slow, not hung */
#define MAX_SLOW 10

/* In so many rounds a hang has come, if it does */
#define HOLD_ROUNDS 30

/*
 * So many rounds in a row in which the threads did not meet: they never will.
 * Fewer are enough if the engine can say why.
 */
#define MAX_UNMET 5000
#define MAX_UNREACHABLE 5

/* One stray poll storm (a signal, a slow thread) is no spin; two are. */
#define SPINS_TO_TELL 2

static const char *const two_cpus[] = { "-smp", "2", NULL };

const Scenario scenarios[] = {
    {
        .name = "lost-bh", .guest = "lost-bh", .schedule = "lost-bh.schedule",
        .loses = "the completion of a virtio-blk read", .rounds = 30,
        .needs_workers = true,
    },
    {
        .name = "clear-before-poll", .guest = "lost-bh",
        .schedule = "clear-before-poll.schedule",
        .loses = "the same, with the main loop on its way to sleep",
        .rounds = 30, .needs_workers = true,
    },
    {
        .name = "late-write", .guest = "lost-bh",
        .schedule = "late-write.schedule",
        .loses = "the peace of the main loop, or later wakeups", .rounds = 30,
        .needs_workers = true,
    },
    {
        .name = "lost-timer", .guest = "lost-timer",
        .schedule = "lost-timer.schedule",
        .loses = "the interrupt of a timer", .rounds = 30,
    },
    {
        .name = "lost-shutdown", .guest = "lost-shutdown",
        .schedule = "lost-shutdown.schedule",
        .loses = "the guest's request to power off", .rounds = 3,
        .boot_a_round = true,
    },
    {
        .name = "lost-reset", .guest = "lost-reset",
        .schedule = "lost-reset.schedule",
        .loses = "the guest's request to reset", .rounds = 15,
        .options = two_cpus,
    },
    {
        .name = "free-run", .guest = "free-run", .schedule = NULL,
        .loses = "a disk read, with nothing forced", .rounds = 10000,
    },
    {
        .name = "free-timer", .guest = "lost-timer", .schedule = NULL,
        .loses = "a timer, with nothing forced", .rounds = 3000,
    },
};
const unsigned n_scenarios = G_N_ELEMENTS(scenarios);

typedef struct Run {
    const Scenario *scenario;
    const RunOptions *opts;
    ScenarioResult *result;
    unsigned need;
    unsigned held_at;           /* rounds that had ended at the newest hang */
    unsigned met_last;          /* r->met, when it last grew, */
    unsigned met_at;            /* and r->rounds then */
    unsigned drawn;             /* rounds that the progress bar has */
    bool done;
} Run;

const Scenario *scenario_find(const char *name)
{
    for (unsigned i = 0; i < n_scenarios; i++) {
        if (!strcmp(scenarios[i].name, name)) {
            return &scenarios[i];
        }
    }
    return NULL;
}

const char *verdict_name(Verdict verdict)
{
    static const char *const names[] = {
        [VERDICT_NOT_AFFECTED] = "NOT AFFECTED",
        [VERDICT_AFFECTED] = "AFFECTED",
        [VERDICT_CANNOT_TELL] = "CANNOT TELL",
        [VERDICT_NOT_REACHABLE] = "NOT REACHABLE",
    };

    return names[verdict];
}

/* One bar for all scenarios that run; @done: rounds of this one so far */
static void draw_progress(Run *run, unsigned done)
{
    enum { WIDTH = 40 };
    static gint all_done;
    const RunOptions *opts = run->opts;
    unsigned more = MIN(done, run->need) - run->drawn;
    unsigned sum = g_atomic_int_add(&all_done, more) + more;
    unsigned full = (guint64)sum * WIDTH / MAX(opts->total_rounds, 1);

    run->drawn += more;
    if (opts->progress) {
        full = MIN(full, WIDTH);
        fprintf(stderr, "\r  [%.*s%*s] %u of %u rounds ", full,
                "########################################", WIDTH - full, "",
                sum, opts->total_rounds);
    }
}

void scenario_progress_end(const RunOptions *opts)
{
    if (opts->progress) {
        fprintf(stderr, "\r%*s\r", 78, "");
    }
}

static void set_string(char **place, char *value)
{
    g_free(*place);
    *place = value;
}

static void take_columns(Run *run, const EngineLog *log)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    engine_log_print_columns(log, out);
    fclose(out);
    set_string(&run->result->columns, g_strdup(text));
    free(text);
}

static void take_loss(Run *run, const EngineLog *log, const char *what,
                      bool rescued)
{
    ScenarioResult *r = run->result;
    const Evidence *e = &log->evidence;
    bool asleep = log->has_evidence && e->main_polls && e->others_sleep &&
                  (e->sleep_ms < 0 || e->sleep_ms >= 1000);
    g_autofree char *sleep = NULL;

    if (run->scenario->schedule && !asleep) {
        r->slow++;
        return;
    }
    r->lost++;
    r->rescued += rescued;
    if (e->sleep_ms < 0 || (e->sleep_ms > r->sleep_ms && r->sleep_ms >= 0)) {
        r->sleep_ms = e->sleep_ms;
    }
    if (!run->scenario->schedule) {
        return;
    }
    sleep = e->sleep_ms < 0 ? g_strdup("with no timeout")
                            : g_strdup_printf("for %.0f ms", e->sleep_ms);
    set_string(&r->evidence, g_strdup_printf(
        "%s lost: main thread asleep in system call %ld %s, eventfd-count %lld"
        " (fd %d)", what, e->main_syscall, sleep, e->count, e->notifier));
    take_columns(run, log);
}

/* One line of the guest; returns false when this QEMU has said all it will */
static bool take_line(Run *run, EngineLog *log, const char *line)
{
    ScenarioResult *r = run->result;
    unsigned n, lost;
    unsigned long us;
    char what[32], rescued[8];

    if (sscanf(line, "round %u lost %31s rescued %7s us %lu", &n, what,
               rescued, &us) == 4) {
        r->rounds++;
        take_loss(run, log, what, !strcmp(rescued, "yes"));
    } else if (sscanf(line, "round %u kept", &n) == 1) {
        r->rounds++;
    } else if (sscanf(line, "progress %u lost %u us %lu", &n, &lost,
                      &us) == 3) {
        r->rounds = n;
        r->lost = lost;
        r->elapsed_s = us / 1e6;
        draw_progress(run, n);
    } else if (sscanf(line, "end rounds %u lost %u us %lu", &n, &lost,
                      &us) == 3) {
        r->elapsed_s += us / 1e6;
        if (!run->scenario->schedule) {
            r->rounds = n;
            r->lost = lost;
        }
        run->done = true;
        return false;
    } else if (g_str_has_prefix(line, "error ")) {
        set_string(&r->reason, g_strdup_printf("the guest says: %s",
                                               line + strlen("error ")));
        run->done = true;
        return false;
    }
    return true;
}

/* Enough rounds?  One that was slow has shown nothing, and does not count. */
static bool survived(const Run *run)
{
    const ScenarioResult *r = run->result;

    return (run->scenario->schedule ? r->met : r->rounds) >=
           run->need + r->slow;
}

static bool judged(const Run *run)
{
    const ScenarioResult *r = run->result;

    /* a loss is told before the rescue, which then ends QEMU */
    if (run->scenario->boot_a_round && r->lost > r->rescued) {
        return false;
    }
    if (!run->opts->to_the_end && !run->opts->hold &&
        (r->lost || r->spins >= SPINS_TO_TELL)) {
        return true;
    }
    /* so many hangs are wanted; not every round is one */
    if (run->opts->hold && r->met < HOLD_ROUNDS) {
        return r->held >= run->need && r->rounds > run->held_at;
    }
    return survived(run) || r->slow > run->need;
}

/*
 * Do the threads not come into the order of the schedule, for many rounds in a
 * row?  The engine says why they cannot, if it knows; but that may be a matter
 * of one round, in which one worker thread did what two are for.
 */
static bool never_meets(Run *run, EngineLog *log)
{
    ScenarioResult *r = run->result;
    unsigned unmet;

    if (r->met != run->met_last) {
        run->met_last = r->met;
        run->met_at = r->rounds;
        g_clear_pointer(&log->unreachable, g_free);
    }
    unmet = r->rounds - run->met_at;
    if (log->unreachable &&
        (run->scenario->boot_a_round || unmet >= MAX_UNREACHABLE)) {
        set_string(&r->reason, g_strdup(log->unreachable));
        r->unreachable = true;
        return true;
    }
    if (run->scenario->schedule && unmet >= MAX_UNMET) {
        set_string(&r->reason, g_strdup_printf(
            "%u rounds in a row did not meet the schedule%s%s", MAX_UNMET,
            log->missed ? "; missed: " : "", log->missed ? log->missed : ""));
        return true;
    }
    return false;
}

/*
 * No line for long.  If the main thread sleeps in a poll, the whole machine
 * hangs and no guest can say so.  If it sleeps anywhere else, this is another
 * bug: a 7.2 that powers off may deadlock on the BQL, for one.
 */
static void take_stuck(Run *run, QemuProcess *q, const EngineLog *log)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task", (int)q->pid);
    g_autoptr(GString) text = g_string_new(NULL);
    GDir *dir = g_dir_open(tasks, 0, NULL);
    bool main_polls = false;
    const char *tid;

    while (dir && (tid = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(tasks, tid, "syscall", NULL);
        g_autofree char *syscall = NULL;
        bool is_main = atoi(tid) == q->pid;

        if (g_file_get_contents(path, &syscall, NULL, NULL)) {
            syscall[strcspn(syscall, " \n")] = '\0';
            g_string_append_printf(text, " %s%s:%s", is_main ? "main/" : "",
                                   tid, syscall);
            main_polls |= is_main && (atoi(syscall) == SYS_ppoll ||
                                      atoi(syscall) == SYS_poll);
        }
    }
    g_clear_pointer(&dir, g_dir_close);
    if (!main_polls) {
        set_string(&run->result->reason, g_strdup_printf(
            "QEMU hangs, but its main thread is in no poll: not a lost wakeup;"
            " thread:system call%s", text->str));
        return;
    }
    run->result->stuck = true;
    run->result->lost++;
    set_string(&run->result->evidence, g_strdup_printf(
        "the whole machine hangs for %d s in the middle of a round;"
        " thread:system call%s", (int)(STUCK_US / G_USEC_PER_SEC), text->str));
    take_columns(run, log);
}

/* Has a round ended since the newest hang? */
static bool was_freed(const Run *run)
{
    return run->result->held && run->result->rounds > run->held_at;
}

/*
 * Leaves the hung QEMU to the command that the user named; a round that ends
 * after it was freed by it.  Returns false when there is nothing to run it on.
 */
static bool hold_hang(Run *run, QemuProcess *q, unsigned *slow)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/syscall", (int)q->pid);
    g_autofree char *syscall = NULL;
    g_autofree char *pid = g_strdup_printf("%d", (int)q->pid);
    g_auto(GStrv) env = g_environ_setenv(g_get_environ(), "AIO_WAKEUP_PID",
                                         pid, true);
    const char *argv[] = { "/bin/sh", "-c", run->opts->hold, NULL };
    g_autoptr(GError) error = NULL;

    /* a hang that the command has not ended is not run beside again */
    if (!run->opts->hold || (run->result->held && !was_freed(run))) {
        return false;
    }
    /* with a main thread that does not sleep it is a slow host, for a while */
    if (!g_file_get_contents(path, &syscall, NULL, NULL) ||
        (atoi(syscall) != SYS_ppoll && atoi(syscall) != SYS_poll)) {
        return ++*slow < MAX_SLOW && !qemu_process_signal();
    }
    run->result->freed += was_freed(run);
    run->result->held++;
    run->held_at = run->result->rounds;
    if (!g_spawn_sync(NULL, (char **)argv, env, G_SPAWN_CHILD_INHERITS_STDIN,
                      NULL, NULL, NULL, NULL, NULL, &error)) {
        set_string(&run->result->reason, g_strdup(error->message));
        return false;
    }
    return !qemu_process_signal();
}

/*
 * QEMU has gone by itself.  Where the round is to end it (power off), this is
 * a round that was kept, or one that was lost and rescued; anywhere else it is
 * a failure.
 */
static void take_exit(Run *run, QemuProcess *q, bool spoke)
{
    ScenarioResult *r = run->result;
    g_autofree char *words = NULL;

    if (run->scenario->boot_a_round && spoke && WIFEXITED(q->wait_status) &&
        WEXITSTATUS(q->wait_status) == 0) {
        if (r->lost > r->rescued) {
            r->rescued++;   /* counted as a round when it was lost */
        } else {
            r->rounds++;
        }
        return;
    }
    words = qemu_process_last_words(q);
    run->done = true;
    set_string(&r->reason, g_strdup_printf("QEMU %s%s%s",
        spoke ? "ended in the middle of a run" : "ended at its start",
        *words ? ": " : "", words));
}

static bool run_qemu(Run *run, GError **error)
{
    const RunOptions *opts = run->opts;
    ScenarioResult *r = run->result;
    g_autofree char *bin = g_strconcat(run->scenario->guest, ".bin", NULL);
    g_autofree char *firmware = g_build_filename(opts->guest_dir, bin, NULL);
    g_autofree char *schedule = run->scenario->schedule ?
        g_build_filename(opts->schedule_dir, run->scenario->schedule, NULL) :
        NULL;
    QemuConfig config = {
        .binary = opts->binary,
        .firmware = firmware,
        .engine = schedule ? opts->engine : NULL,
        .schedule = schedule,
        .preload = opts->preload,
        .options = run->scenario->options,
        .aio = opts->aio,
        .rounds = schedule ? 0 : run->need,
        .patience_ms = opts->hold ? HOLD_PATIENCE_MS : opts->patience_ms,
        .log_rounds = 2,
    };
    QemuProcess *q = qemu_process_start(&config, opts->scratch, error);
    unsigned met_before = r->met;
    unsigned spins_before = r->spins;
    unsigned slow = 0;
    bool talking = true;
    bool spoke = false;
    bool gone = false;
    EngineLog *log;

    if (!q) {
        return false;
    }
    log = engine_log_new(q->log_path);
    while (talking && !run->done) {
        gint64 stuck = g_get_monotonic_time() +
                       (opts->hold && spoke && (!r->held || was_freed(run)) ?
                        HOLD_US : STUCK_US);
        gint64 deadline = MIN(opts->deadline_us, stuck);
        g_autofree char *line = NULL;

        if (!qemu_process_next_line(q, deadline, &line)) {
            engine_log_update(log);
            if (stuck <= opts->deadline_us && spoke && !log->unreachable &&
                hold_hang(run, q, &slow)) {
                continue;
            }
            if (stuck <= opts->deadline_us && spoke) {
                take_stuck(run, q, log);
            } else {
                set_string(&r->reason, g_strdup_printf(
                    "time is over after %u of %u rounds%s%s", r->met,
                    run->need, log->missed ? "; missed: " : "",
                    log->missed ? log->missed : ""));
            }
            run->done = true;
            break;
        }
        engine_log_update(log);
        r->met = met_before + log->met;
        r->spins = spins_before + log->spins;
        if (never_meets(run, log)) {
            run->done = true;
            break;
        }
        if (!line) {
            gone = true;
            break;
        }
        spoke = true;
        talking = take_line(run, log, line);
        if (run->scenario->schedule) {
            draw_progress(run, r->met);
        }
        run->done |= judged(run);
    }
    qemu_process_stop(q);
    engine_log_update(log);
    r->met = met_before + log->met;
    r->writes += log->writes;
    r->clears += log->clears;
    r->polls += log->polls;
    if (gone) {
        take_exit(run, q, spoke);
    }
    if (log->missed && r->met < run->need && !r->reason) {
        r->reason = g_strdup_printf("missed in round %s", log->missed);
    }
    engine_log_free(log);
    qemu_process_free(q, opts->keep);
    return true;
}

static void judge(Run *run)
{
    ScenarioResult *r = run->result;

    if (r->held) {
        r->verdict = VERDICT_AFFECTED;
        set_string(&r->evidence, g_strdup_printf(
            "%u hangs, each left to the command; %u were freed", r->held,
            r->freed + was_freed(run)));
    } else if (r->lost) {
        r->verdict = VERDICT_AFFECTED;
        if (r->evidence && !r->stuck) {
            set_string(&r->evidence, g_strdup_printf(
                "%s, %s by the guest's next event", r->evidence,
                r->rescued ? "rescued" : "not rescued"));
        }
    } else if (r->spins >= SPINS_TO_TELL) {
        r->verdict = VERDICT_AFFECTED;
        set_string(&r->evidence, g_strdup_printf(
            "main loop spins: in %u of %u quiet times it did not sleep",
            r->spins, r->rounds));
    } else if (r->unreachable) {
        r->verdict = VERDICT_NOT_REACHABLE;
    } else if (survived(run)) {
        r->verdict = VERDICT_NOT_AFFECTED;
    } else {
        r->verdict = VERDICT_CANNOT_TELL;
        if (!r->reason) {
            r->reason = g_strdup_printf(
                "%u rounds met the schedule, %u are needed; %u were slow",
                r->met, run->need, r->slow);
        }
    }
}

ScenarioResult *scenario_run(const Scenario *scenario, const RunOptions *opts,
                             GError **error)
{
    ScenarioResult *result = g_new0(ScenarioResult, 1);
    Run run = {
        .scenario = scenario,
        .opts = opts,
        .result = result,
        .need = opts->rounds ? opts->rounds : scenario->rounds,
    };

    result->scenario = scenario;
    if (scenario->needs_workers && strcmp(opts->aio, "threads")) {
        result->unreachable = true;
        result->reason = g_strdup_printf("no worker thread reads with aio=%s",
                                         opts->aio);
        run.done = true;
    }
    while (!run.done) {
        if (!run_qemu(&run, error)) {
            scenario_result_free(result);
            return NULL;
        }
        run.done |= !scenario->boot_a_round || judged(&run);
    }
    draw_progress(&run, run.need);
    judge(&run);
    return result;
}

void scenario_result_free(ScenarioResult *result)
{
    g_free(result->evidence);
    g_free(result->reason);
    g_free(result->columns);
    g_free(result);
}
