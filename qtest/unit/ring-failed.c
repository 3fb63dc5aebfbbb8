/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A poll on the ring that fails
 *
 * Invariant: this is not an event of the file descriptor.  If the thread that
 * submitted the poll is gone, the file descriptor goes on being polled; if it
 * has been closed, the handler is told once, and the main loop does not spin.
 * Regression test for ded29e64c6f3 ("aio-posix: integrate fdmon into glib event
 * loop").
 *
 *   main loop               temporary waiter
 *                           aio_poll(): submits the poll of
 *                             a socket
 *                           exits
 *   the socket becomes writable, not readable
 *   runs its handler for
 *     writing only
 *
 * Kept since failed (posix): canceled closed
 * Kept always (posix): closed-removed
 */

#include "qemu/osdep.h"
#include "qemu/sockets.h"
#include <glib-unix.h>
#include "park.h"

static int reads, writes;
static int canceled_fd;

static void canceled_read(void *opaque)
{
    reads++;
}

static void canceled_write(void *opaque)
{
    writes++;
    aio_set_fd_handler(park_ctx, canceled_fd, NULL, NULL, NULL, NULL, NULL);
}

static void poll_once_and_exit(void)
{
    bql_lock();
    aio_set_fd_handler(park_ctx, canceled_fd, canceled_read, canceled_write,
                       NULL, NULL, NULL);
    aio_poll(park_ctx, false);
    bql_unlock();
}

static void test_canceled(void)
{
    int64_t end = g_get_monotonic_time() + PARK_BOUND_MS * 1000;
    char buf[4096] = "";
    int fd[2];

    /* Nothing to be read, and no space to write until all has been read */
    g_assert(!qemu_socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
    g_unix_set_fd_nonblocking(fd[0], true, NULL);
    g_unix_set_fd_nonblocking(fd[1], true, NULL);
    while (write(fd[0], buf, sizeof(buf)) > 0) {
        /* Fill it */
    }

    canceled_fd = fd[0];
    reads = writes = 0;
    bql_unlock();
    park_in_worker(poll_once_and_exit);
    bql_lock();

    while (read(fd[1], buf, sizeof(buf)) > 0) {
        /* Empty it */
    }
    while (!writes && g_get_monotonic_time() < end) {
        g_main_context_iteration(NULL, false);
    }

    g_assert_cmpint(writes, ==, 1);
    g_assert_cmpint(reads, ==, 0);
    close(fd[0]);
    close(fd[1]);
}

/* Somebody closes a file descriptor before he removes its handler */
static int closed_calls;

static void closed_read(void *opaque)
{
    closed_calls++;
}

static void nothing(void *opaque)
{
}

/* What is removed is freed when the main loop dispatches */
static void settle(void)
{
    park_flush();
    aio_bh_schedule_oneshot(park_ctx, nothing, NULL);
    park_flush();
}

static int watch_closed(void)
{
    int fd = dup(STDIN_FILENO);

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    closed_calls = 0;
    aio_set_fd_handler(park_ctx, fd, closed_read, NULL, NULL, NULL, NULL);
    return fd;
}

static void test_closed(void)
{
    int fd;

    park_flush();
    fd = watch_closed();
    g_assert_cmpint(park_flush(), <, PARK_SPIN);
    g_assert_cmpint(closed_calls, ==, 1);
    aio_set_fd_handler(park_ctx, fd, NULL, NULL, NULL, NULL, NULL);
    park_flush();
}

/* It is freed when it is removed, and the number can be used again */
static void test_closed_removed(void)
{
    AioHandler *newest;
    int fd, pair[2];

    settle();
    newest = QLIST_FIRST(&park_ctx->aio_handlers);
    fd = watch_closed();
    park_flush();
    g_assert_cmpint(pipe(pair), ==, 0);
    g_assert_cmpint(pair[0], ==, fd);
    closed_calls = 0;
    aio_set_fd_handler(park_ctx, fd, closed_read, NULL, NULL, NULL, NULL);
    park_flush();
    g_assert_cmpint(closed_calls, ==, 0);
    g_assert_cmpint(write(pair[1], "x", 1), ==, 1);
    g_main_context_iteration(NULL, false);
    g_assert_cmpint(closed_calls, >, 0);

    aio_set_fd_handler(park_ctx, fd, NULL, NULL, NULL, NULL, NULL);
    settle();
    g_assert_true(QLIST_FIRST(&park_ctx->aio_handlers) == newest);
    close(pair[0]);
    close(pair[1]);
}

int main(int argc, char **argv)
{
    park_ring = true;
    park_init(&argc, &argv);
    g_test_add_func("/aio-wakeup/canceled", test_canceled);
    g_test_add_func("/aio-wakeup/closed", test_closed);
    g_test_add_func("/aio-wakeup/closed-removed", test_closed_removed);
    return park_run_tests();
}
