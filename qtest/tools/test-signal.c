/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIGTERM just before the main loop of a program of QEMU's sleeps
 *
 * Invariant: a signal whose handler asks the main loop to leave is heeded even if
 * it comes between the main loop's look at that request and its ppoll.
 *
 *   main thread
 *   looks at the flag
 *   [signal: its handler sets the flag]
 *   ppoll: sleeps
 *
 * The preloaded library sends the signal there (signal-before-poll.schedule), from
 * the main thread itself, so that the handler has run when ppoll begins.  It is
 * lost when the program is still there, asleep in ppoll, and a second signal,
 * which finds it in ppoll, ends it.
 *
 * Environment:
 *   AIO_WAKEUP_BIN    a build folder of QEMU, or another with its programs
 *   AIO_WAKEUP_DIR    where schedule/ was built
 *   AIO_WAKEUP_ONLY   a pattern: only the cases that it matches
 *
 * Kept since requests: tools/qemu-storage-daemon
 * Kept always: tools/qemu-nbd tools/qemu-pr-helper tools/qemu-system
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib.h>
#include <glib/gstdio.h>

#define LOOK_US 10000
#define BOUND_US (20 * G_USEC_PER_SEC)
#define IMAGE_SIZE (1024 * 1024)

typedef struct Tool {
    const char *name;
    const char *program;        /* in the build folder */
    const char *args;           /* @D stands for the folder of the case */
} Tool;

static const Tool tools[] = {
    {
        .name = "tools/qemu-storage-daemon",
        .program = "storage-daemon/qemu-storage-daemon",
        .args = "--blockdev driver=file,node-name=disk,filename=@D/disk.img",
    }, {
        .name = "tools/qemu-nbd", .program = "qemu-nbd",
        .args = "--persistent --format=raw --socket=@D/socket @D/disk.img",
    }, {
        .name = "tools/qemu-pr-helper", .program = "qemu-pr-helper",
        .args = "--socket=@D/socket --pidfile=@D/pid",
    }, {
        .name = "tools/qemu-system", .program = "qemu-system-x86_64",
        .args = "-machine none -nodefaults -no-user-config -display none",
    },
};

static bool signal_sent(const char *log)
{
    g_autofree char *text = NULL;

    return g_file_get_contents(log, &text, NULL, NULL) &&
           strstr(text, "signal 1 SIGTERM\n");
}

/* Does the main thread sleep in ppoll? */
static bool is_asleep(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/syscall", (int)pid);
    g_autofree char *text = NULL;
    int nr;

    return g_file_get_contents(path, &text, NULL, NULL) &&
           sscanf(text, "%d", &nr) == 1 && nr == SYS_ppoll;
}

/* How often the main thread has gone to sleep */
static guint64 count_sleeps(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid);
    g_autofree char *text = NULL;
    const char *p;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return 0;
    }
    p = strstr(text, "\nvoluntary_ctxt_switches:");
    return p ? g_ascii_strtoull(strchr(p, ':') + 1, NULL, 10) : 0;
}

static bool has_gone(pid_t pid, int *status)
{
    return waitpid(pid, status, WNOHANG) == pid;
}

/* Returns false if the program has not gone within the bound. */
static bool wait_gone(pid_t pid, int *status)
{
    gint64 end = g_get_monotonic_time() + BOUND_US;

    while (!has_gone(pid, status)) {
        if (g_get_monotonic_time() > end) {
            return false;
        }
        g_usleep(LOOK_US);
    }
    return true;
}

typedef enum Outcome {
    OUTCOME_GONE,
    OUTCOME_ASLEEP,     /* the signal was sent, and it sleeps a second time */
    OUTCOME_BOUND,
} Outcome;

/*
 * A main loop that was woken by the signal does not sleep in the same poll at two
 * looks; one that was not does.
 */
static Outcome watch(pid_t pid, const char *log, int *status)
{
    gint64 end = g_get_monotonic_time() + BOUND_US;
    guint64 before = 0;

    while (g_get_monotonic_time() < end) {
        guint64 now = is_asleep(pid) ? count_sleeps(pid) : 0;

        if (has_gone(pid, status)) {
            return OUTCOME_GONE;
        }
        if (now && now == before && signal_sent(log)) {
            return OUTCOME_ASLEEP;
        }
        before = now;
        g_usleep(LOOK_US);
    }
    return OUTCOME_BOUND;
}

static void die_with_parent(gpointer unused)
{
    (void)unused;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static GPid start(const Tool *tool, const char *program, const char *dir,
                  const char *log)
{
    const char *module = g_getenv("AIO_WAKEUP_DIR");
    g_autofree char *engine = g_build_filename(module, "schedule",
                                               "aio-wakeup-schedule.so", NULL);
    g_autofree char *schedule = g_build_filename(module, "schedule",
                                    "signal-before-poll.schedule", NULL);
    g_auto(GStrv) parts = g_strsplit(tool->args, "@D", -1);
    g_autofree char *args = g_strjoinv(dir, parts);
    g_autofree char *command = g_strdup_printf("%s %s", program, args);
    g_auto(GStrv) argv = g_strsplit(command, " ", -1);
    g_auto(GStrv) env = g_get_environ();
    g_autoptr(GError) error = NULL;
    GPid pid;

    g_assert_true(g_file_test(engine, G_FILE_TEST_EXISTS));
    env = g_environ_setenv(env, "LD_PRELOAD", engine, true);
    env = g_environ_setenv(env, "AIO_WAKEUP_SCHEDULE", schedule, true);
    env = g_environ_setenv(env, "AIO_WAKEUP_LOG", log, true);
    g_spawn_async(NULL, argv, env,
                  G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL,
                  die_with_parent, NULL, &pid, &error);
    g_assert_no_error(error);
    return pid;
}

static void judge(GPid pid, const char *log)
{
    int status = 0;

    switch (watch(pid, log, &status)) {
    case OUTCOME_GONE:
        if (!signal_sent(log)) {
            g_test_message("no verdict: it ended with status %d before it slept",
                           status);
            g_test_fail();
        }
        return;
    case OUTCOME_ASLEEP:
        kill(pid, SIGTERM);
        if (wait_gone(pid, &status)) {
            g_test_message("lost; it slept on SIGTERM, and left at a second "
                           "one");
            g_test_fail();
            return;
        }
        g_test_message("no verdict: a second SIGTERM does not end it either");
        break;
    case OUTCOME_BOUND:
        g_test_message("no verdict: neither gone nor asleep in time");
        break;
    }
    g_test_fail();
    kill(pid, SIGKILL);
    wait_gone(pid, &status);
}

static void test_tool(const void *opaque)
{
    static const char *const files[] = { "disk.img", "log", "socket", "pid" };
    const Tool *tool = opaque;
    g_autofree char *program = g_build_filename(g_getenv("AIO_WAKEUP_BIN"),
                                                tool->program, NULL);
    g_autofree char *dir = NULL;
    g_autofree char *disk = NULL;
    g_autofree char *log = NULL;
    g_autofree char *zeros = g_malloc0(IMAGE_SIZE);

    if (!g_file_test(program, G_FILE_TEST_IS_EXECUTABLE)) {
        g_test_skip("this build of QEMU has no such program");
        return;
    }
    dir = g_dir_make_tmp("aio-wakeup-XXXXXX", NULL);
    g_assert_nonnull(dir);
    disk = g_build_filename(dir, "disk.img", NULL);
    log = g_build_filename(dir, "log", NULL);
    g_assert_true(g_file_set_contents(disk, zeros, IMAGE_SIZE, NULL));
    judge(start(tool, program, dir, log), log);
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(dir, files[i], NULL);

        g_unlink(path);
    }
    g_rmdir(dir);
}

int main(int argc, char **argv)
{
    const char *only = g_getenv("AIO_WAKEUP_ONLY");

    g_test_init(&argc, &argv, NULL);
    if (!g_getenv("AIO_WAKEUP_BIN") || !g_getenv("AIO_WAKEUP_DIR")) {
        fprintf(stderr, "set AIO_WAKEUP_BIN and AIO_WAKEUP_DIR\n");
        return 2;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(tools); i++) {
        g_autofree char *path = g_strdup_printf("/aio-wakeup/%s",
                                                tools[i].name);

        if (g_pattern_match_simple(only ? only : "*", tools[i].name)) {
            g_test_add_data_func(path, &tools[i], test_tool);
        }
    }
    return g_test_run();
}
