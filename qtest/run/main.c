/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * aio-wakeup-verdict: does this QEMU lose wakeups of its main loop?
 *
 * Exit status: 0 not affected, 1 affected, 2 wrong use, 77 cannot tell.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "probe.h"
#include "qemu-process.h"
#include "report.h"
#include "scenario.h"

#define DEFAULT_BINARY "qemu-system-x86_64"
#define DEFAULT_SECONDS 8

enum {
    EXIT_NOT_AFFECTED = 0,
    EXIT_AFFECTED = 1,
    EXIT_USE = 2,
    EXIT_CANNOT_TELL = 77,
};

static char **opt_scenarios;
static int opt_rounds;
static int opt_seconds;
static int opt_patience = 300;
static int opt_jobs = 3;
static char *opt_engine;
static char *opt_guest_dir;
static char *opt_schedule_dir;
static char *opt_keep;
static char *opt_aio = (char *)"threads";
static char *opt_hold;
static char *opt_preload;
static char *opt_shim_library;
static gboolean opt_shim;
static gboolean opt_json;
static gboolean opt_show;
static gboolean opt_progress;
static gboolean opt_all;
static gboolean opt_list;
static char **opt_binary;

static const GOptionEntry entries[] = {
    { "scenario", 's', 0, G_OPTION_ARG_STRING_ARRAY, &opt_scenarios,
      "run this scenario only (may stand more than once; see --list)", "NAME" },
    { "rounds", 'n', 0, G_OPTION_ARG_INT, &opt_rounds,
      "rounds to survive in each scenario (and no time limit)", "N" },
    { "seconds", 't', 0, G_OPTION_ARG_INT, &opt_seconds,
      "time limit for all of it (8 without --rounds)", "N" },
    { "patience", 0, 0, G_OPTION_ARG_INT, &opt_patience,
      "how long the guest waits before it calls a round lost", "MS" },
    { "jobs", 'j', 0, G_OPTION_ARG_INT, &opt_jobs,
      "scenarios to run side by side (default 3)", "N" },
    { "all", 0, 0, G_OPTION_ARG_NONE, &opt_all,
      "go on after the first loss and count", NULL },
    { "aio", 0, 0, G_OPTION_ARG_STRING, &opt_aio,
      "aio= of the disk: threads, native or io_uring", "MODE" },
    { "show", 0, 0, G_OPTION_ARG_NONE, &opt_show,
      "print the interleaving of a lost round, one column a thread", NULL },
    { "json", 0, 0, G_OPTION_ARG_NONE, &opt_json, "print JSON", NULL },
    { "progress", 0, 0, G_OPTION_ARG_NONE, &opt_progress,
      "draw a bar on stderr (default on a terminal)", NULL },
    { "keep", 0, 0, G_OPTION_ARG_FILENAME, &opt_keep,
      "leave the files of the runs, logs included, in DIR", "DIR" },
    { "hold", 0, 0, G_OPTION_ARG_STRING, &opt_hold,
      "run this shell command beside each hang (--rounds N of them), with "
      "AIO_WAKEUP_PID set; it may free QEMU", "COMMAND" },
    { "shim", 0, 0, G_OPTION_ARG_NONE, &opt_shim,
      "judge the binary together with the shim", NULL },
    { "shim-library", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME,
      &opt_shim_library, "where the shim is", "FILE.so" },
    { "preload", 0, 0, G_OPTION_ARG_FILENAME, &opt_preload,
      "the same with another library", "FILE.so" },
    { "engine", 0, 0, G_OPTION_ARG_FILENAME, &opt_engine,
      "the schedule engine", "FILE.so" },
    { "guest-dir", 0, 0, G_OPTION_ARG_FILENAME, &opt_guest_dir,
      "where the guest firmware is", "DIR" },
    { "schedule-dir", 0, 0, G_OPTION_ARG_FILENAME, &opt_schedule_dir,
      "where the *.schedule files are", "DIR" },
    { "list", 0, 0, G_OPTION_ARG_NONE, &opt_list,
      "list the scenarios and leave", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_binary,
      NULL, "[BINARY]" },
    { NULL }
};

static int complain(int status, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

static int complain(int status, const char *fmt, ...)
{
    va_list ap;

    fputs("verdict: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return status;
}

/* "@name" of the module's build folder, unless the user named another place */
static char *built(const char *chosen, const char *program, const char *name)
{
    g_autofree char *run_dir = g_path_get_dirname(program);
    g_autofree char *build_dir = g_path_get_dirname(run_dir);

    return chosen ? g_canonicalize_filename(chosen, NULL)
                  : g_build_filename(build_dir, name, NULL);
}

static bool need_file(const char *path, const char *what)
{
    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        return true;
    }
    complain(EXIT_USE, "%s: no %s is there; build it with './build.sh verdict'"
             " or name another place", path, what);
    return false;
}

static bool choose_scenarios(GPtrArray *chosen)
{
    for (int i = 0; opt_scenarios && opt_scenarios[i]; i++) {
        const Scenario *s = scenario_find(opt_scenarios[i]);

        if (!s) {
            complain(EXIT_USE, "'%s' is no scenario; --list names them",
                     opt_scenarios[i]);
            return false;
        }
        g_ptr_array_add(chosen, (gpointer)s);
    }
    for (unsigned i = 0; !opt_scenarios && i < n_scenarios; i++) {
        if (scenarios[i].schedule) {
            g_ptr_array_add(chosen, (gpointer)&scenarios[i]);
        }
    }
    return true;
}

/* An order that cannot come says nothing, unless there is nothing else */
static Verdict sum_up(const GPtrArray *results)
{
    Verdict all = VERDICT_CANNOT_TELL;
    bool untold = false;

    for (guint i = 0; i < results->len; i++) {
        Verdict v = ((ScenarioResult *)results->pdata[i])->verdict;

        if (v == VERDICT_AFFECTED) {
            return v;
        }
        if (v == VERDICT_NOT_AFFECTED) {
            all = v;
        }
        untold |= v == VERDICT_CANNOT_TELL;
    }
    return untold ? VERDICT_CANNOT_TELL : all;
}

static void result_free(gpointer result)
{
    scenario_result_free(result);
}

/* One scenario on its way: a task of the thread pool */
typedef struct Task {
    const Scenario *scenario;
    const RunOptions *opts;
    ScenarioResult *result;
    GError *error;
} Task;

static void run_task(gpointer data, gpointer unused)
{
    Task *task = data;

    (void)unused;
    if (!qemu_process_signal()) {
        task->result = scenario_run(task->scenario, task->opts, &task->error);
    }
}

/*
 * Runs them all, some side by side: on a busy host a run then gets its share
 * of the processors for each, and most of a round is waiting.  Returns false
 * with @error set when a QEMU does not start.
 */
static bool run_all(const GPtrArray *chosen, const RunOptions *opts,
                    GPtrArray *results, GError **error)
{
    g_autofree Task *tasks = g_new0(Task, chosen->len);
    GThreadPool *pool = g_thread_pool_new(run_task, NULL, opt_jobs, true, NULL);
    bool ok = true;

    for (guint i = 0; i < chosen->len; i++) {
        tasks[i].scenario = chosen->pdata[i];
        tasks[i].opts = opts;
        g_thread_pool_push(pool, &tasks[i], NULL);
    }
    g_thread_pool_free(pool, false, true);
    scenario_progress_end(opts);
    for (guint i = 0; i < chosen->len; i++) {
        if (tasks[i].result) {
            g_ptr_array_add(results, tasks[i].result);
        } else if (tasks[i].error && ok) {
            g_propagate_error(error, tasks[i].error);
            ok = false;
        } else {
            g_clear_error(&tasks[i].error);
        }
    }
    return ok;
}

static char *make_scratch(GError **error)
{
    if (opt_keep) {
        if (g_mkdir_with_parents(opt_keep, 0777) < 0) {
            g_set_error(error, RUN_ERROR, RUN_ERROR_USE,
                        "%s cannot be made; name another folder with --keep",
                        opt_keep);
            return NULL;
        }
        return g_canonicalize_filename(opt_keep, NULL);
    }
    return g_dir_make_tmp("aio-wakeup-XXXXXX", error);
}

static unsigned total_rounds(const GPtrArray *chosen)
{
    unsigned n = 0;

    for (guint i = 0; i < chosen->len; i++) {
        n += opt_rounds ? (unsigned)opt_rounds
                        : ((const Scenario *)chosen->pdata[i])->rounds;
    }
    return n;
}

static int verdict(const char *program, const GPtrArray *chosen)
{
    static const int status[] = {
        [VERDICT_NOT_AFFECTED] = EXIT_NOT_AFFECTED,
        [VERDICT_AFFECTED] = EXIT_AFFECTED,
        [VERDICT_CANNOT_TELL] = EXIT_CANNOT_TELL,
    };
    g_autofree char *engine = built(opt_engine, program,
                                    "schedule/aio-wakeup-schedule.so");
    g_autofree char *guests = built(opt_guest_dir, program, "guest");
    g_autofree char *schedules = built(opt_schedule_dir, program, "schedule");
    g_autofree char *preload = built(opt_preload ? opt_preload
                                                 : opt_shim_library, program,
                                     "shim/libaio-wakeup-shim.so");
    g_autofree char *scratch = NULL;
    g_autofree char *binary = NULL;
    g_autofree char *version = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) results = g_ptr_array_new_with_free_func(result_free);
    int seconds = opt_seconds ? opt_seconds : opt_rounds ? 0 : DEFAULT_SECONDS;
    RunOptions opts = {
        .engine = engine, .guest_dir = guests, .schedule_dir = schedules,
        .aio = opt_aio, .rounds = opt_rounds, .patience_ms = opt_patience,
        .to_the_end = opt_all, .keep = opt_keep != NULL,
        .progress = opt_progress, .hold = opt_hold,
        .total_rounds = total_rounds(chosen),
        .deadline_us = seconds ? g_get_monotonic_time() +
                       seconds * G_USEC_PER_SEC : G_MAXINT64,
    };
    Report report = { .results = results };

    if (opt_shim || opt_preload) {
        report.preload = opts.preload = preload;
    }
    if (!need_file(engine, "schedule engine") ||
        !need_file(guests, "guest firmware") ||
        !need_file(schedules, "schedule") ||
        (opts.preload && !need_file(preload, "library to preload"))) {
        return EXIT_USE;
    }
    report.binary = opt_binary ? opt_binary[0] : DEFAULT_BINARY;
    if (probe_binary(report.binary, &binary, &version, &error)) {
        report.binary = opts.binary = binary;
        scratch = make_scratch(&error);
        opts.scratch = scratch;
        if (scratch) {
            run_all(chosen, &opts, results, &error);
        }
        if (scratch && !opt_keep) {
            g_rmdir(scratch);
        }
    }
    report.version = version;
    if (qemu_process_signal()) {
        return complain(128 + qemu_process_signal(), "stopped by a signal");
    }
    if (error && g_error_matches(error, RUN_ERROR, RUN_ERROR_IMPOSSIBLE)) {
        report.verdict = VERDICT_CANNOT_TELL;
        report.reason = error->message;
    } else if (error) {
        return complain(EXIT_USE, "%s", error->message);
    } else {
        report.verdict = sum_up(results);
    }
    if (opt_json) {
        report_json(&report);
    } else {
        report_text(&report, opt_show);
    }
    return status[report.verdict];
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GPtrArray) chosen = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);

    opt_progress = isatty(STDERR_FILENO);
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_summary(context,
        "Runs a guest under schedules that make an affected QEMU lose a\n"
        "wakeup of its main loop, and says AFFECTED, NOT AFFECTED or CANNOT\n"
        "TELL (exit status 1, 0, 77; 2: wrong use).");
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        return complain(EXIT_USE, "%s", error->message);
    }
    if (opt_list) {
        for (unsigned i = 0; i < n_scenarios; i++) {
            printf("%-18s loses %s%s\n", scenarios[i].name, scenarios[i].loses,
                   scenarios[i].schedule ? "" : " (only when named)");
        }
        return 0;
    }
    if (opt_binary && opt_binary[1]) {
        return complain(EXIT_USE, "one binary at a time, not '%s' as well",
                        opt_binary[1]);
    }
    if (opt_rounds < 0 || opt_seconds < 0 || opt_patience < 1 ||
        opt_jobs < 1) {
        return complain(EXIT_USE, "--rounds, --seconds, --patience and --jobs "
                        "take positive numbers");
    }
    if (!choose_scenarios(chosen)) {
        return EXIT_USE;
    }
    qemu_process_catch_signals();
    return verdict(program, chosen);
}
