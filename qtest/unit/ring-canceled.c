/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A poll on the ring whose thread is gone
 *
 * Invariant: a poll that a temporary waiter has submitted belongs to that
 * thread, and is canceled when it has exited.  This is not an event of the file
 * descriptor, which goes on being polled.  Regression test for ded29e64c6f3
 * ("aio-posix: integrate fdmon into glib event loop").
 *
 *   main loop               temporary waiter
 *                           aio_poll(): submits the poll of
 *                             a socket
 *                           exits
 *   the socket becomes writable, not readable
 *   runs its handler for
 *     writing only
 *
 * Kept since rule (posix): canceled
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

int main(int argc, char **argv)
{
    park_ring = true;
    park_init(&argc, &argv);
    g_test_add_func("/aio-wakeup/canceled", test_canceled);
    return park_run_tests();
}
