/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A main loop that makes QEMU's calls in QEMU's order, taken apart so that
 * another thread can act between any two of them.  Nothing is timed: a thread
 * has ended before the main loop is asked whether it was woken.
 *
 * usage: test-shim, with the shim preloaded and AIO_WAKEUP_SHIM=on
 *
 * Prints TAP.  test-shim.sh runs it without a shim, with the shim and with
 * wrong ones, and says which cases must fail with which.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib.h>

#include "fake-uring.h"
#include "note.h"

#define MAX_FDS 64
#define LARGE_FD 3000

typedef struct Loop {
    int priority;
    int timeout;
    int n;
    GPollFD fds[MAX_FDS];
} Loop;

static Loop loop;
static int notifier;            /* the main loop polls it */
static int others;              /* an iothread's: the main loop does not */
static GSource *source;
static gpointer tag;
static void (*in_dispatch)(void);

/* --- event notifiers ------------------------------------------------------ */

static void set(int fd)
{
    const uint64_t one = 1;

    g_assert_cmpint(write(fd, &one, sizeof(one)), ==, sizeof(one));
}

static void clear(int fd)
{
    char buf[512];

    g_assert_cmpint(read(fd, buf, sizeof(buf)), ==, 8);
}

static bool is_set(int fd)
{
    struct pollfd pollfd = { .fd = fd, .events = POLLIN };
    const struct timespec none = { 0 };

    return syscall(SYS_ppoll, &pollfd, 1, &none, NULL, 0) == 1;
}

/* --- the main loop, step by step ----------------------------------------- */

static gboolean dispatch(GSource *s, GSourceFunc callback, gpointer opaque)
{
    (void)s;
    (void)callback;
    (void)opaque;
    if (in_dispatch) {
        in_dispatch();
    }
    /* like QEMU's, which clears the notifier when it dispatches */
    while (is_set(notifier)) {
        clear(notifier);
    }
    return G_SOURCE_CONTINUE;
}

static void begin_round(void)
{
    GMainContext *context = g_main_context_default();

    g_main_context_prepare(context, &loop.priority);
    loop.n = g_main_context_query(context, loop.priority, &loop.timeout,
                                  loop.fds, MAX_FDS);
    g_assert_cmpint(loop.n, <=, MAX_FDS);
}

/* What QEMU's ppoll() would do now: return at once, or sleep? */
static bool woken(void)
{
    const struct timespec none = { 0 };

    return ppoll((struct pollfd *)loop.fds, loop.n, &none, NULL) > 0;
}

static void end_round(void)
{
    GMainContext *context = g_main_context_default();

    if (g_main_context_check(context, loop.priority, loop.fds, loop.n)) {
        g_main_context_dispatch(context);
    }
}

/* Until nothing is left to do */
static void settle(void)
{
    bool again = true;

    for (int i = 0; again; i++) {
        g_assert_cmpint(i, <, 100);
        begin_round();
        again = woken();
        end_round();
    }
}

/* --- what other threads do ------------------------------------------------ */

static void *clear_thread(void *fd)
{
    clear(*(int *)fd);
    return NULL;
}

static void by_another_thread(void *(*function)(void *), void *opaque)
{
    pthread_t thread;

    g_assert_cmpint(pthread_create(&thread, NULL, function, opaque), ==, 0);
    g_assert_cmpint(pthread_join(thread, NULL), ==, 0);
}

/* A waiter that finds @fd set, and clears it */
static void taken_by_another(int fd)
{
    set(fd);
    by_another_thread(clear_thread, &fd);
}

static void taken_notifier(void)
{
    taken_by_another(notifier);
}

/* --- the cases: true if all is as it must be ----------------------------- */

static bool case_armed(void)
{
    begin_round();
    taken_by_another(notifier);
    bool ok = woken();

    end_round();
    return ok;
}

static bool case_notifier_stays_clear(void)
{
    begin_round();
    taken_by_another(notifier);
    bool ok = !is_set(notifier);

    end_round();
    return ok;
}

static _Atomic pid_t reader;

static void *blocking_thread(void *fd)
{
    reader = syscall(SYS_gettid);
    clear(*(int *)fd);
    return NULL;
}

static bool sleeps_in_read(pid_t tid)
{
    char path[64];
    char text[64] = "";
    FILE *file;
    bool ret;

    snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", (int)tid);
    file = fopen(path, "r");
    ret = file && fgets(text, sizeof(text), file) && atoi(text) == SYS_read &&
          text[0] != 'r';
    if (file) {
        fclose(file);
    }
    return ret;
}

/* The waiter takes a wakeup that comes after the main loop has gone round */
static bool case_taken_late(void)
{
    gint64 end = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    pthread_t thread;
    bool ok;

    g_assert_cmpint(fcntl(notifier, F_SETFL, 0), ==, 0);
    begin_round();
    reader = 0;
    pthread_create(&thread, NULL, blocking_thread, &notifier);
    while (!reader || !sleeps_in_read(reader)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(100);
    }
    woken();
    end_round();
    begin_round();
    set(notifier);
    pthread_join(thread, NULL);
    ok = woken();
    end_round();
    g_assert_cmpint(fcntl(notifier, F_SETFL, O_NONBLOCK), ==, 0);
    return ok;
}

static bool case_iothread(void)
{
    begin_round();
    taken_by_another(others);
    bool ok = !woken();

    end_round();
    return ok;
}

static bool case_dispatch(void)
{
    set(notifier);
    in_dispatch = taken_notifier;
    begin_round();
    woken();
    end_round();
    in_dispatch = NULL;
    begin_round();
    bool ok = !woken();

    end_round();
    return ok;
}

/* aio_poll() by the main thread itself, after it has looked at requests */
static bool case_nested(void)
{
    struct pollfd pollfd = { .fd = notifier, .events = POLLIN };
    const struct timespec none = { 0 };
    bool once, again;

    ppoll(&pollfd, 1, &none, NULL);
    ppoll(&pollfd, 1, &none, NULL);
    begin_round();
    once = woken();
    end_round();
    begin_round();
    again = woken();
    end_round();
    return once && !again;
}

/* The same by another thread, while main_loop_should_exit() drops the BQL */
static bool case_between(void)
{
    taken_by_another(notifier);
    begin_round();
    bool ok = woken();

    end_round();
    return ok;
}

static bool case_idle(void)
{
    bool ok = true;

    for (int i = 0; i < 1000; i++) {
        begin_round();
        ok &= !woken();
        end_round();
    }
    return ok;
}

static bool case_large_fd(void)
{
    int fd = dup2(notifier, LARGE_FD);
    gpointer large;
    bool armed, reused;

    g_assert_cmpint(fd, ==, LARGE_FD);
    large = g_source_add_unix_fd(source, fd, G_IO_IN);
    settle();                   /* glib wakes itself up for a new descriptor */
    begin_round();
    taken_by_another(fd);
    armed = woken();
    end_round();
    g_source_remove_unix_fd(source, large);
    close(fd);
    settle();
    settle();
    /* the number is an iothread's from now on */
    fd = dup2(others, LARGE_FD);
    begin_round();
    taken_by_another(fd);
    reused = !woken();
    end_round();
    close(fd);
    return armed && reused;
}

/* -daemonize: the child goes on with the parent's main loop */
static bool case_fork(void)
{
    pid_t pid = fork();
    int status;

    if (!pid) {
        _exit(case_armed() ? 0 : 1);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    return WIFEXITED(status) && !WEXITSTATUS(status);
}

static void *wait_thread(void *ring)
{
    io_uring_submit_and_wait(ring, 1);
    return NULL;
}

static void *wait_and_clear_thread(void *ring)
{
    struct io_uring *r = ring;

    r->tail = r->head;
    io_uring_submit_and_wait(ring, 0);
    clear(others);
    return NULL;
}

/* What a waiter does on @ring: does it wake a main loop that polls @polled? */
static bool ring_wakes(struct io_uring *ring, const struct io_uring *polled,
                       void *(*function)(void *))
{
    gpointer ring_tag = g_source_add_unix_fd(source, polled->fd, G_IO_IN);
    bool ok;

    settle();
    begin_round();
    by_another_thread(function, ring);
    ok = woken();
    end_round();
    g_source_remove_unix_fd(source, ring_tag);
    settle();
    return ok;
}

static struct io_uring main_ring, iothreads_ring;

static bool case_ring(void)
{
    return ring_wakes(&main_ring, &main_ring, wait_thread);
}

/* a notifier that hangs on the ring is not in the main loop's list */
static bool case_ring_notifier(void)
{
    set(others);
    return ring_wakes(&main_ring, &main_ring, wait_and_clear_thread);
}

static bool case_ring_of_iothread(void)
{
    return !ring_wakes(&iothreads_ring, &main_ring, wait_thread);
}

static bool case_environment(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return !preload || !*preload;
}

static bool case_note(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    const Note *found = NULL;
    char line[512];

    while (maps && !found && fgets(line, sizeof(line), maps)) {
        if (strstr(line, "/memfd:" NOTE_NAME)) {
            found = (const Note *)strtoul(line, NULL, 16);
        }
    }
    fclose(maps);
    return found && !memcmp(found->magic, NOTE_MAGIC, 8) &&
           found->iterations > 1000 && found->wakeups > 0 &&
           found->alone <= found->wakeups;
}

static const struct {
    const char *name;
    bool (*run)(void);
    bool needs_ring;
} cases[] = {
    { .name = "armed", .run = case_armed },
    { .name = "notifier-stays-clear", .run = case_notifier_stays_clear },
    { .name = "taken-late", .run = case_taken_late },
    { .name = "iothread", .run = case_iothread },
    { .name = "dispatch", .run = case_dispatch },
    { .name = "nested", .run = case_nested },
    { .name = "between", .run = case_between },
    { .name = "idle", .run = case_idle },
    { .name = "large-fd", .run = case_large_fd },
    { .name = "fork", .run = case_fork },
    { .name = "ring", .run = case_ring, .needs_ring = true },
    { .name = "ring-notifier", .run = case_ring_notifier, .needs_ring = true },
    { .name = "ring-of-iothread", .run = case_ring_of_iothread,
      .needs_ring = true },
    { .name = "environment", .run = case_environment },
    { .name = "note", .run = case_note },
};

int main(void)
{
    static GSourceFuncs funcs = { .dispatch = dispatch };
    const struct rlimit limit = { LARGE_FD + 10, LARGE_FD + 10 };
    bool have_ring;
    int failed = 0;

    setrlimit(RLIMIT_NOFILE, &limit);
    notifier = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    others = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    source = g_source_new(&funcs, sizeof(GSource));
    tag = g_source_add_unix_fd(source, notifier, G_IO_IN);
    g_source_set_can_recurse(source, TRUE);
    g_source_attach(source, NULL);
    have_ring = io_uring_queue_init(8, &main_ring, 0) == 0 &&
                io_uring_queue_init(8, &iothreads_ring, 0) == 0;

    printf("1..%zu\n", G_N_ELEMENTS(cases));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        bool skip = cases[i].needs_ring && !have_ring;
        bool ok;

        settle();
        ok = skip || cases[i].run();
        while (is_set(notifier)) {
            clear(notifier);
        }
        printf("%sok %zu - %s%s\n", ok ? "" : "not ", i + 1, cases[i].name,
               skip ? " # SKIP the kernel gives no io_uring" : "");
        failed += !ok;
    }
    return failed != 0;
}
