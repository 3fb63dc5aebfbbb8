/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An AioContext with one waiter, as in an iothread, pays nothing
 *
 * Invariant: a context whose GSource is attached and does not run, as that of an
 * iothread, is written to, is cleared and polls at most once for a wakeup; it
 * has one event notifier.
 *
 * Kept always (posix): one-waiter-calls one-waiter-fd
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "iothread.h"
#include "park.h"

#ifdef CONFIG_LINUX
#define ROUNDS 100

static IOThread *iothread;
static AioContext *ctx;
static QemuSemaphore ran;

static void post_ran(void *opaque)
{
    qemu_sem_post(&ran);
}

static void wait_until_asleep(void)
{
    int ms;

    for (ms = 0; !qatomic_read(&ctx->notify_me); ms++) {
        if (ms > PARK_BOUND_MS) {
            g_error("the iothread did not go to sleep in %d ms", PARK_BOUND_MS);
        }
        g_usleep(1000);
    }
}

/*
 * The calls for ROUNDS wakeups of a thread that sleeps.  A poll more for one is
 * possible, if it sees the bottom half before it is written to.
 */
static void test_calls(void)
{
    ParkCalls before, after;
    int i;

    wait_until_asleep();
    before = park_calls();
    for (i = 0; i < ROUNDS; i++) {
        wait_until_asleep();
        aio_bh_schedule_oneshot(ctx, post_ran, NULL);
        park_wait(&ran);
    }
    wait_until_asleep();
    after = park_calls();
    g_assert_cmpint(after.writes - before.writes, <=, ROUNDS);
    g_assert_cmpint(after.reads - before.reads, <=, ROUNDS);
    g_assert_cmpint(after.polls - before.polls, <=, 2 * ROUNDS + 2);
}

static unsigned eventfds(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    const char *name;
    unsigned n = 0;

    g_assert_nonnull(dir);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename("/proc/self/fd", name, NULL);
        g_autofree char *target = g_file_read_link(path, NULL);

        n += target && strstr(target, "eventfd");
    }
    return n;
}

static void test_fd(void)
{
    unsigned before = eventfds();
    AioContext *new_ctx = aio_context_new(&error_abort);

    g_assert_cmpint(eventfds() - before, ==, 1);
    aio_context_unref(new_ctx);
    g_assert_cmpint(eventfds(), ==, before);
}
#endif

int main(int argc, char **argv)
{
    int ret;

    park_init(&argc, &argv);
#ifdef CONFIG_LINUX
    qemu_sem_init(&ran, 0);
    iothread = iothread_new();
    ctx = iothread_get_aio_context(iothread);
    g_test_add_func("/aio-wakeup/one-waiter-calls", test_calls);
    g_test_add_func("/aio-wakeup/one-waiter-fd", test_fd);
#endif
    ret = park_run_tests();
#ifdef CONFIG_LINUX
    iothread_join(iothread);
#endif
    return ret;
}
