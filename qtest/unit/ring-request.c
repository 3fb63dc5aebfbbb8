/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request on the ring that another thread makes
 *
 * Invariant: a request that a thread with the BQL makes while the main loop
 * sleeps is submitted, even if the thread does not call aio_poll() after that;
 * and by the main loop, as requests end with the thread that submitted them.
 * Regression test for 047dabef97bd ("block/io_uring: use aio_add_sqe()").
 *
 *   main loop               other thread
 *   prepare: submits
 *   drops the BQL
 *   [parked]        ---->   aio_add_sqe()
 *   [go on]         <----   drops the BQL
 *   sleeps, or submits
 *     the request
 *
 * Kept since rule (posix): request-unarmed
 * Kept since submitted (no-sqe-notify): request
 * Kept always (sqe-notify): request
 * Kept always (posix): request-exit
 */

#include "qemu/osdep.h"
#include <glib-unix.h>
#include "park.h"

static void prep_nop(struct io_uring_sqe *sqe, void *opaque)
{
    io_uring_prep_nop(sqe);
}

static void nop_done(CqeHandler *handler)
{
    park_woken(NULL);
}

static void make_nop(void)
{
    static CqeHandler handler = { .cb = nop_done };

    aio_add_sqe(prep_nop, NULL, &handler);
}

static void test_request(void)
{
    park_run(make_nop);
}

/* The thread has polled before, and so taken the poll of the notifier */
static void empty_bh(void *opaque)
{
}

static void poll_request_unarmed(void)
{
    aio_bh_schedule_oneshot(park_ctx, empty_bh, NULL);
    aio_poll(park_ctx, true);
    make_nop();
}

static void test_request_unarmed(void)
{
    park_run(poll_request_unarmed);
}

/*
 * Requests that a thread makes in a callback of aio_poll(), and leaves behind.
 * They are not ready before it has ended.
 */
#define REQUESTS 4

static int pipe_fds[2];
static CqeHandler read_handlers[REQUESTS];
static char read_bytes[REQUESTS];
static int reads_done, reads_failed;

static void prep_read(struct io_uring_sqe *sqe, void *opaque)
{
    io_uring_prep_read(sqe, pipe_fds[0], opaque, 1, 0);
}

static void read_done(CqeHandler *handler)
{
    reads_done++;
    if (handler->cqe.res != 1) {
        g_test_message("a read failed: %s", strerror(-handler->cqe.res));
        reads_failed++;
    }
}

static void make_reads_bh(void *opaque)
{
    int i;

    for (i = 0; i < REQUESTS; i++) {
        read_handlers[i].cb = read_done;
        aio_add_sqe(prep_read, &read_bytes[i], &read_handlers[i]);
    }
}

static void make_reads_and_exit(void)
{
    bql_lock();
    aio_bh_schedule_oneshot(park_ctx, make_reads_bh, NULL);
    aio_poll(park_ctx, true);
    bql_unlock();
}

/* The main loop sleeps until the thread has ended */
static gint exit_and_poll(GPollFD *fds, guint n, gint timeout)
{
    bql_unlock();
    park_in_worker(make_reads_and_exit);
    bql_lock();
    g_main_context_set_poll_func(NULL, g_poll);
    return g_poll(fds, n, 0);
}

static void test_request_exit(void)
{
    GPollFunc poll_func = g_main_context_get_poll_func(NULL);
    int64_t end = g_get_monotonic_time() + PARK_BOUND_MS * 1000;

    g_assert_cmpint(pipe(pipe_fds), ==, 0);
    reads_done = reads_failed = 0;
    park_flush();
    g_main_context_set_poll_func(NULL, exit_and_poll);
    g_main_context_iteration(NULL, true);
    g_main_context_set_poll_func(NULL, poll_func);
    park_flush();

    g_assert_cmpint(write(pipe_fds[1], read_bytes, REQUESTS), ==, REQUESTS);
    while (reads_done < REQUESTS && g_get_monotonic_time() < end) {
        g_main_context_iteration(NULL, false);
    }
    g_assert_cmpint(reads_done, ==, REQUESTS);
    g_assert_cmpint(reads_failed, ==, 0);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

int main(int argc, char **argv)
{
    park_ring = true;
    park_init(&argc, &argv);
    g_test_add_func("/aio-wakeup/request", test_request);
    g_test_add_func("/aio-wakeup/request-unarmed", test_request_unarmed);
    g_test_add_func("/aio-wakeup/request-exit", test_request_exit);
    return park_run_tests();
}
