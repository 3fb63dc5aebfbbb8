/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A wakeup is worth an iteration or two, then the main loop is quiet
 *
 * Invariant: an event notifier that is set is cleared by who it wakes up, also
 * if it was not aio_notify() that set it, or if somebody else did the work; an
 * idle main loop makes no system calls.
 *
 * Kept always: no-spin no-spin-poll no-spin-idle no-progress
 * Kept since rule (ring): no-progress
 * Kept always (posix): no-spin-socket no-spin-socket-poll
 */

#include "qemu/osdep.h"
#include "qemu/sockets.h"
#include "park.h"

static void notify(void)
{
    aio_notify(park_ctx);
}

static void poll_notify(void)
{
    park_in_worker(notify);
}

static void test_no_spin(void)
{
    int i;

    for (i = 0; i < 10; i++) {
        park_run_any(poll_notify);
        aio_notify(park_ctx);
        g_assert_cmpint(park_flush(), <=, 2);
    }
}

/* What was written while the main loop slept, and was done by the waiter */
static void nothing(void *opaque)
{
}

static void schedule_nothing(void)
{
    aio_bh_schedule_oneshot(park_ctx, nothing, NULL);
}

static void poll_no_spin(void)
{
    park_in_worker(schedule_nothing);
    aio_poll(park_ctx, true);
    qemu_notify_event();
    park_poll();
    park_in_worker(schedule_nothing);
}

static void test_no_spin_poll(void)
{
    int i;

    for (i = 0; i < 10; i++) {
        park_run_any(poll_no_spin);
        g_assert_cmpint(park_flush(), <=, 2);
        g_assert_cmpint(park_poll(), <=, 2);
    }
}

/* To be woken up is no progress: see 70232b5253a3 */
static void poll_no_progress(void)
{
    park_in_worker(notify);
    g_assert_false(aio_poll(park_ctx, false));

    /* The wakeup that it has taken, if there is one for both */
    aio_notify(park_ctx);
}

static void test_no_progress(void)
{
    aio_notify(park_ctx);
    g_assert_false(aio_poll(park_ctx, false));
    park_run_any(poll_no_progress);
}

#ifndef _WIN32
/* A socket; see win32-sockets.c for what is special there */
static int pair[2];

static void read_socket(void *opaque)
{
    char buf[16];

    g_assert_cmpint(recv(pair[0], buf, sizeof(buf), 0), >, 0);
    park_woken(NULL);
}

static void watch_socket(IOHandler *handler)
{
#ifdef API_IS_EXTERNAL
#ifdef API_POLL_READY
    aio_set_fd_handler(park_ctx, pair[0], false, handler, NULL, NULL, NULL,
                       NULL);
#else
    aio_set_fd_handler(park_ctx, pair[0], false, handler, NULL, NULL, NULL);
#endif
#else
    aio_set_fd_handler(park_ctx, pair[0], handler, NULL, NULL, NULL, NULL);
#endif
}

static void open_socket(void)
{
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    watch_socket(read_socket);
    park_flush();
}

static void close_socket(void)
{
    watch_socket(NULL);
    close(pair[0]);
    close(pair[1]);
}

static void test_no_spin_socket(void)
{
    int i;

    open_socket();
    for (i = 0; i < 3; i++) {
        g_assert_cmpint(send(pair[1], "x", 1, 0), ==, 1);
        g_assert_cmpint(park_flush(), ==, 1);
    }
    close_socket();
}

/* The waiter meets the socket first, while the main loop is about to sleep */
static void poll_no_spin_socket(void)
{
    g_assert_cmpint(send(pair[1], "x", 1, 0), ==, 1);
    g_assert_true(aio_poll(park_ctx, true));
    g_assert_false(aio_poll(park_ctx, false));
    g_assert_cmpint(send(pair[1], "y", 1, 0), ==, 1);
}

static void test_no_spin_socket_poll(void)
{
    int i;

    open_socket();
    for (i = 0; i < 3; i++) {
        park_run(poll_no_spin_socket);
        g_assert_cmpint(park_flush(), ==, 0);
    }
    close_socket();
}
#endif

#ifdef PARK_HOOKS
/* Nothing happens: nothing to do, nothing to clear, nobody to write to */
static void test_no_spin_idle(void)
{
    ParkCalls before, after;
    int i;

    park_flush();
    park_poll();
    before = park_calls();
    for (i = 0; i < 100; i++) {
        g_assert_false(g_main_context_iteration(NULL, false));
        g_assert_false(aio_poll(park_ctx, false));
    }
    after = park_calls();
    g_assert_cmpint(after.writes, ==, before.writes);
    g_assert_cmpint(after.reads, ==, before.reads);
}
#endif

int main(int argc, char **argv)
{
    park_init(&argc, &argv);
    g_test_add_func("/aio-wakeup/no-spin", test_no_spin);
    g_test_add_func("/aio-wakeup/no-spin-poll", test_no_spin_poll);
    g_test_add_func("/aio-wakeup/no-progress", test_no_progress);
#ifndef _WIN32
    g_test_add_func("/aio-wakeup/no-spin-socket", test_no_spin_socket);
    g_test_add_func("/aio-wakeup/no-spin-socket-poll",
                    test_no_spin_socket_poll);
#endif
#ifdef PARK_HOOKS
    g_test_add_func("/aio-wakeup/no-spin-idle", test_no_spin_idle);
#endif
    return park_run_tests();
}
