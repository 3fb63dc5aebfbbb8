/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * aio_poll() within a callback of aio_poll()
 *
 * Invariant: the same as for a single aio_poll(), whichever of the two calls
 * met the notifier; and the inner call is woken up by what it waits for.
 *
 *   main loop               temporary waiter            worker
 *   prepare
 *   [parked]        ---->   aio_poll():
 *                             BH 1:
 *                               aio_poll():
 *                                 sleeps        ---->   schedules BH 2
 *                                 runs BH 2     ---->   schedules BH 3
 *                                 (clears)
 *                             (clears)
 *   [go on]         <----
 *   sleeps, or runs BH 3
 *
 * Kept since rule: nested nested-handler
 * Kept always: nested-main-loop
 */

#include "qemu/osdep.h"
#include "park.h"

static bool inner_done;

static void schedule_woken(void)
{
    aio_bh_schedule_oneshot(park_ctx, park_woken, NULL);
}

static void inner_bh(void *opaque)
{
    inner_done = true;
    park_in_worker(schedule_woken);
}

static void schedule_inner(void)
{
    while (!(qatomic_read(&park_ctx->notify_me) & ~1)) {
        g_thread_yield();
    }
    aio_bh_schedule_oneshot(park_ctx, inner_bh, NULL);
}

static void poll_inner(void)
{
    QemuThread worker;

    inner_done = false;
    park_start_worker(&worker, schedule_inner);
    while (!inner_done) {
        aio_poll(park_ctx, true);
    }
    park_join_worker(&worker);
}

static void outer_bh(void *opaque)
{
    poll_inner();
}

static void poll_nested(void)
{
    aio_bh_schedule_oneshot(park_ctx, outer_bh, NULL);
    aio_poll(park_ctx, true);
}

static void test_nested(void)
{
    park_run(poll_nested);
}

/* The outer call is in a file descriptor handler */
static EventNotifier event;

static void outer_cb(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    poll_inner();
}

static void poll_nested_handler(void)
{
    event_notifier_set(&event);
    aio_poll(park_ctx, true);
}

static void test_nested_handler(void)
{
    event_notifier_init(&event, false);
    park_watch(&event, outer_cb);
    park_run(poll_nested_handler);
    park_unwatch(&event);
    event_notifier_cleanup(&event);
}

/* The outer call is the main loop itself */
static void nested_bh(void *opaque)
{
    poll_inner();
}

static void test_nested_main_loop(void)
{
    int i;

    for (i = 0; i < 10; i++) {
        aio_bh_schedule_oneshot(park_ctx, nested_bh, NULL);
        g_assert_cmpint(park_flush(), <=, 3);
        g_assert_true(inner_done);
    }
}

int main(int argc, char **argv)
{
    park_init(&argc, &argv);
    g_test_add_func("/aio-wakeup/nested", test_nested);
    g_test_add_func("/aio-wakeup/nested-handler", test_nested_handler);
    g_test_add_func("/aio-wakeup/nested-main-loop", test_nested_main_loop);
    return park_run_tests();
}
