/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * aio-wakeup-watch: run a command, and report each QEMU below it that loses a
 * wakeup of its main loop; or watch all of the host (guard.c).
 *
 * As the subreaper of all that the command starts, it still finds a QEMU that
 * has daemonized itself.  A look at a QEMU costs two small files in /proc; only
 * one whose main thread has not run for some seconds is diagnosed.
 *
 * Exit status: that of the command, as a shell gives it; 1 after a finding; 2
 * wrong use; 128 + N when signal N has stopped the watch itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "guard.h"
#include "judge.h"
#include "progress.h"
#include "report.h"
#include "target.h"
#include "wake.h"

#define SCAN_US      (G_USEC_PER_SEC / 2)
#define MIN_AGAIN_US (2 * G_USEC_PER_SEC)
#define MAX_AGAIN_US (30 * G_USEC_PER_SEC)
#define DIAGNOSE_US  1000000
#define END_US       (5 * G_USEC_PER_SEC)

enum { EXIT_FINDING = 1, EXIT_USE = 2 };

/* A QEMU below us */
typedef struct Watched {
    int pid;
    guint64 progress;       /* of its main thread */
    gint64 since_us;        /* when that was seen to change last */
    gint64 next_us;         /* not diagnosed again before */
    gint64 again_us;
    bool lost;              /* reported, and has not run since */
    bool judged;            /* in this sleep */
    bool seen;              /* in this scan */
} Watched;

static double opt_after = 3;
static gboolean opt_wake;
static gboolean opt_leave;
static gboolean opt_all;
static double opt_interval = 20;
static char *opt_metrics;
static int opt_wakes = 6;
static int opt_scans;
static double opt_kill_after;
static char *opt_capture;
static char *opt_report;
static char **opt_command;

static const GOptionEntry entries[] = {
    { "after", 0, 0, G_OPTION_ARG_DOUBLE, &opt_after,
      "look at a QEMU whose main thread has not run for so long (default 3)",
      "SECONDS" },
    { "wake", 0, 0, G_OPTION_ARG_NONE, &opt_wake,
      "wake those that have lost a wakeup", NULL },
    { "leave", 0, 0, G_OPTION_ARG_NONE, &opt_leave,
      "leave running what the command leaves running", NULL },
    { "report", 0, 0, G_OPTION_ARG_FILENAME, &opt_report,
      "append the findings to FILE as well", "FILE" },
    { "kill-after", 0, 0, G_OPTION_ARG_DOUBLE, &opt_kill_after,
      "kill a QEMU whose main thread has not run for so long, whatever it "
      "waits for; its answer and its stacks are printed first", "SECONDS" },
    { "capture", 0, 0, G_OPTION_ARG_FILENAME, &opt_capture,
      "of one that is killed, write DIR/qemu-PID.tar instead of its stacks",
      "DIR" },
    { "all", 0, 0, G_OPTION_ARG_NONE, &opt_all,
      "no command: watch every QEMU of the host, until SIGTERM", NULL },
    { "interval", 0, 0, G_OPTION_ARG_DOUBLE, &opt_interval,
      "with --all: look so often (default 20)", "SECONDS" },
    { "metrics", 0, 0, G_OPTION_ARG_FILENAME, &opt_metrics,
      "with --all: keep FILE up to date, for Prometheus's textfile collector",
      "FILE" },
    { "wake-limit", 0, 0, G_OPTION_ARG_INT, &opt_wakes,
      "with --all --wake: wake one VM at most so often in an hour (default 6)",
      "N" },
    { "scans", 0, 0, G_OPTION_ARG_INT, &opt_scans,
      "with --all: end after N scans", "N" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &opt_command, NULL,
      "[--] COMMAND..." },
    { NULL }
};

static GHashTable *watched;     /* PID -> Watched */
static unsigned n_seen, n_findings;
static bool interrupted;
static sigset_t our_signals;

static void G_GNUC_PRINTF(1, 2) tell(const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    fprintf(stderr, "watch: %s\n", text);
    if (opt_report) {
        FILE *out = fopen(opt_report, "a");

        if (out) {
            fprintf(out, "%s\n", text);
            fclose(out);
        }
    }
}

static char *proc_text(int pid, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, name);
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

/* Parent and state of a process; false: it has gone */
static bool read_parent(int pid, int *parent, char *state)
{
    g_autofree char *stat = proc_text(pid, "stat");
    const char *at = stat ? strrchr(stat, ')') : NULL;

    return at && sscanf(at + 1, " %c %d", state, parent) == 2;
}

/* All processes below us: PID -> state */
static GHashTable *find_descendants(void)
{
    g_autoptr(GHashTable) parents = g_hash_table_new(NULL, NULL);
    GHashTable *below = g_hash_table_new(NULL, NULL);
    GDir *dir = g_dir_open("/proc", 0, NULL);
    GHashTableIter iter;
    gpointer key, value;
    const char *name;
    bool more = true;

    while (dir && (name = g_dir_read_name(dir))) {
        int pid = atoi(name);
        int parent;
        char state;

        if (pid > 0 && read_parent(pid, &parent, &state) && state != 'Z') {
            g_hash_table_insert(parents, GINT_TO_POINTER(pid),
                                GINT_TO_POINTER(parent));
        }
    }
    g_clear_pointer(&dir, g_dir_close);
    while (more) {
        more = false;
        g_hash_table_iter_init(&iter, parents);
        while (g_hash_table_iter_next(&iter, &key, &value)) {
            if (!g_hash_table_contains(below, key) &&
                (GPOINTER_TO_INT(value) == getpid() ||
                 g_hash_table_contains(below, value))) {
                g_hash_table_add(below, key);
                more = true;
            }
        }
    }
    return below;
}

static void report(Watched *w, Diagnosis *d, gint64 now)
{
    GString *work = g_string_new(NULL);

    for (guint i = 0; i < d->pending->len; i++) {
        g_string_append_printf(work, "%s%s", i ? ", " : "",
                               (char *)d->pending->pdata[i]);
    }
    if (opt_wake) {
        wake(d);
    }
    n_findings++;
    tell("LOST WAKEUP: PID %d, %s %s: %s; main loop %s, has not run for "
         "%.1f s%s%s",
         w->pid, d->program, d->version, work->str, d->main_loop,
         (now - w->since_us) / (double)G_USEC_PER_SEC,
         d->woken ? "; " : "", d->woken ? d->woken : "");
    g_string_free(work, true);
}

/* What a CI job's log needs to say why it failed */
static void kill_hung(Watched *w, gint64 now)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *what = g_strdup_printf("PID %d", w->pid);
    Diagnosis *d = diagnose_process(w->pid, DIAGNOSE_US, &error);

    if (!d) {
        w->next_us = G_MAXINT64;    /* no QEMU, or gone */
        return;
    }
    n_findings++;
    w->lost = w->judged = true;
    tell("killing PID %d, whose main thread has not run for %.1f s: %s: %s",
         w->pid, (now - w->since_us) / (double)G_USEC_PER_SEC,
         answer_name(d->answer), d->reason);
    if (opt_capture) {
        g_autofree char *name = g_strdup_printf("qemu-%d.tar", w->pid);
        g_autofree char *path = g_build_filename(opt_capture, name, NULL);
        g_autofree char *text = capture(d, path, false, DIAGNOSE_US, &error);

        tell("captured %s", text ? text : error->message);
    } else {
        g_autofree char *stacks = capture_stacks(w->pid);

        report_text(d, what);
        printf("%s\n", stacks);
        fflush(stdout);
    }
    kill(w->pid, SIGKILL);
    diagnosis_free(d);
}

static void diagnose(Watched *w)
{
    g_autoptr(GError) error = NULL;
    Diagnosis *d = diagnose_process(w->pid, DIAGNOSE_US, &error);
    gint64 now = g_get_monotonic_time();

    w->judged = true;
    w->next_us = now + w->again_us;
    w->again_us = MIN(2 * w->again_us, MAX_AGAIN_US);
    if (!d) {
        w->next_us = G_MAXINT64;    /* no QEMU, or gone */
    } else if (d->answer == ANSWER_LOST_WAKEUP) {
        report(w, d, now);
        w->lost = !d->freed;
    } else if (d->answer == ANSWER_CANNOT_TELL && now - w->since_us <
               opt_after * G_USEC_PER_SEC + MIN_AGAIN_US) {
        tell("CANNOT TELL: PID %d: %s", w->pid, d->reason);
    }
    diagnosis_free(d);
}

static void look_at(Watched *w)
{
    guint64 progress = progress_of(w->pid);
    gint64 now = g_get_monotonic_time();

    if (progress != w->progress) {
        w->progress = progress;
        w->since_us = now;
        w->next_us = 0;
        w->again_us = MIN_AGAIN_US;
        w->lost = w->judged = false;
    } else if (opt_kill_after > 0 && w->next_us != G_MAXINT64 &&
               now - w->since_us >= opt_kill_after * G_USEC_PER_SEC) {
        kill_hung(w, now);
    } else if (!w->lost && now >= w->next_us &&
               now - w->since_us >= opt_after * G_USEC_PER_SEC) {
        diagnose(w);
    }
}

/* Returns whether a QEMU is left that has not been judged. */
static bool scan(void)
{
    g_autoptr(GHashTable) below = find_descendants();
    GHashTableIter iter;
    gpointer key, value;
    bool more = false;

    g_hash_table_iter_init(&iter, watched);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        ((Watched *)value)->seen = false;
    }
    g_hash_table_iter_init(&iter, below);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        Watched *w = g_hash_table_lookup(watched, key);

        if (!progress_may_be_qemu(GPOINTER_TO_INT(key))) {
            continue;
        }
        if (!w) {
            w = g_new0(Watched, 1);
            w->pid = GPOINTER_TO_INT(key);
            g_hash_table_insert(watched, key, w);
            n_seen++;
        }
        w->seen = true;
        look_at(w);
        more |= !w->judged;
    }
    g_hash_table_iter_init(&iter, watched);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        if (!((Watched *)value)->seen) {
            g_hash_table_iter_remove(&iter);
        }
    }
    return more;
}

/* Takes note of all that have ended; returns whether @pid has. */
static bool reap(pid_t pid, int *status)
{
    bool ended = false;
    int s;
    pid_t one;

    while ((one = waitpid(-1, &s, WNOHANG)) > 0) {
        if (one == pid) {
            *status = s;
            ended = true;
        }
    }
    return ended;
}

static void signal_all(GHashTable *below, int sig)
{
    GHashTableIter iter;
    gpointer key;

    g_hash_table_iter_init(&iter, below);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        kill(GPOINTER_TO_INT(key), sig);
    }
}

/* What is left of the command ends: asked first, then killed. */
static void end_all(bool quietly)
{
    gint64 begin = g_get_monotonic_time();
    bool asked = false;
    int status;

    while (true) {
        g_autoptr(GHashTable) below = find_descendants();
        bool late = g_get_monotonic_time() - begin > END_US;

        if (!g_hash_table_size(below)) {
            break;
        }
        if (!asked && !quietly) {
            tell("ending %u processes that the command has left",
                 g_hash_table_size(below));
        }
        if (!asked || late) {
            signal_all(below, late ? SIGKILL : SIGTERM);
            signal_all(below, SIGCONT);
        }
        asked = true;
        g_usleep(50000);
        reap(0, &status);
    }
}

static pid_t start(const sigset_t *old)
{
    int failure[2];
    int error = 0;
    pid_t pid;

    if (pipe2(failure, O_CLOEXEC) < 0) {
        return -1;
    }
    pid = fork();
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, old, NULL);
        execvp(opt_command[0], opt_command);
        error = errno;
        if (write(failure[1], &error, sizeof(error)) < 0) {
            error = 0;
        }
        _exit(127);
    }
    close(failure[1]);
    if (read(failure[0], &error, sizeof(error)) == sizeof(error)) {
        fprintf(stderr, "watch: %s: %s\n", opt_command[0], g_strerror(error));
        waitpid(pid, NULL, 0);
        pid = -1;
    }
    close(failure[0]);
    return pid;
}

/* Returns the command's exit status as a shell gives it. */
static int watch(pid_t pid)
{
    const struct timespec interval = { 0, SCAN_US * 1000 };
    gint64 ended = 0;
    gint64 next = 0;
    int status = 0;

    while (true) {
        int sig = sigtimedwait(&our_signals, NULL, &interval);
        bool more = true;

        if (reap(pid, &status)) {
            ended = g_get_monotonic_time();
        }
        if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP) {
            if (!ended) {
                kill(pid, sig);
                kill(pid, SIGCONT);
            }
            end_all(true);
            interrupted = true;
            return 128 + sig;
        }
        if (g_get_monotonic_time() >= next) {
            more = scan();
            next = g_get_monotonic_time() + SCAN_US;
        }
        /* a QEMU that it has left running is judged once, if it sleeps */
        if (ended && (!more || !g_hash_table_size(watched) ||
                      g_get_monotonic_time() - ended >
                      (opt_after + 2) * G_USEC_PER_SEC)) {
            break;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    sigset_t old;
    pid_t pid;
    int status;

    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_strict_posix(context, true);
    g_option_context_set_summary(context,
        "Runs COMMAND, and reports each QEMU below it that has lost a wakeup\n"
        "of its main loop.  Exit status: COMMAND's, or 1 after a finding.\n"
        "--wake writes 8 bytes to the eventfd that a main loop sleeps on, if a\n"
        "wakeup is lost; see diagnose --help.");
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "watch: %s\n", error->message);
        return EXIT_USE;
    }
    if (opt_after <= 0 || opt_interval <= 0 || opt_wakes < 0 ||
        opt_kill_after < 0 || opt_scans < 0) {
        fprintf(stderr, "watch: --after and the like take positive numbers\n");
        return EXIT_USE;
    }
    if (!opt_command == !opt_all) {
        fprintf(stderr, "watch: name a command, or --all; see --help\n");
        return EXIT_USE;
    }
    if (opt_all && (opt_kill_after > 0 || opt_leave || opt_capture)) {
        fprintf(stderr, "watch: --kill-after, --capture and --leave are for a "
                "command: --all kills nothing\n");
        return EXIT_USE;
    }
    if (!opt_all && opt_metrics) {
        fprintf(stderr, "watch: --metrics is for --all\n");
        return EXIT_USE;
    }
    watched = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigemptyset(&our_signals);
    sigaddset(&our_signals, SIGCHLD);
    sigaddset(&our_signals, SIGINT);
    sigaddset(&our_signals, SIGTERM);
    sigaddset(&our_signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &our_signals, &old);
    if (opt_all) {
        const GuardOptions options = {
            .after_s = opt_after, .interval_s = opt_interval,
            .metrics = opt_metrics, .wake = opt_wake,
            .wakes_per_hour = opt_wakes, .scans = opt_scans,
        };

        return guard_run(&options, &our_signals, tell);
    }
    pid = start(&old);
    if (pid < 0) {
        return EXIT_USE;
    }
    status = watch(pid);
    if (!opt_leave) {
        end_all(false);
    }
    tell("%u QEMU processes seen, %u lost wakeups", n_seen, n_findings);
    return n_findings && !interrupted ? EXIT_FINDING : status;
}
