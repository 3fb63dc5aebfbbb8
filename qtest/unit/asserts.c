/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The preconditions fail loudly
 *
 * Invariant: ctx->notify_me, which is changed without atomic operations, has one
 * writer at a time, and one aio_poll() at most counts in it.  A thread that
 * breaks this is ended by an assertion; it does not lose a wakeup on a bad day.
 *
 *   temporary waiter               another thread, without the BQL
 *   aio_poll():
 *     notify_me += 2
 *     sleeps
 *                                  aio_ctx_prepare(), aio_ctx_check() or
 *                                  aio_poll(): aborts
 *
 * The other thread is played by the same one, when it is about to poll.
 *
 * Kept since whole (posix): assert-prepare assert-check assert-poll
 */

#include "qemu/osdep.h"
#include "park.h"

#ifdef CONFIG_LINUX
static int priority;

static void prepare(void)
{
    g_main_context_prepare(g_main_context_default(), &priority);
    aio_notify(park_ctx);
}

static void check(void)
{
    g_main_context_check(g_main_context_default(), priority, NULL, 0);
    aio_notify(park_ctx);
}

/* Within fdmon_poll_wait() an aio_poll() is not possible: count by hand */
static void poll_again(void)
{
    qatomic_set(&park_ctx->notify_me, 2);
    aio_notify(park_ctx);
    aio_poll(park_ctx, true);
}

/* @func must end the process before it returns */
static void must_abort(void (*func)(void))
{
    if (!g_test_subprocess()) {
        g_test_trap_subprocess(NULL, 0, 0);
        if (g_test_trap_has_passed()) {
            g_test_message("no assertion failed");
            g_test_fail();
        }
        return;
    }

    park_flush();
    g_main_context_acquire(g_main_context_default());
    if (func == check) {
        g_main_context_prepare(g_main_context_default(), &priority);
    }
    if (func == poll_again) {
        func();
        return;
    }
    park_before_poll = func;
    aio_poll(park_ctx, true);
}

static void test_assert_prepare(void)
{
    must_abort(prepare);
}

static void test_assert_check(void)
{
    must_abort(check);
}

static void test_assert_poll(void)
{
    must_abort(poll_again);
}
#endif

int main(int argc, char **argv)
{
    park_init(&argc, &argv);
#ifdef CONFIG_LINUX
    g_test_add_func("/aio-wakeup/assert-prepare", test_assert_prepare);
    g_test_add_func("/aio-wakeup/assert-check", test_assert_check);
    g_test_add_func("/aio-wakeup/assert-poll", test_assert_poll);
#endif
    return park_run_tests();
}
