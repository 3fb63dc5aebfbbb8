/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a temporary waiter leaves behind on the ring of a sleeping main loop
 *
 * Invariant: while the main loop sleeps every file descriptor of its AioContext
 * is armed, and every request has been submitted, or the main loop is about to
 * wake up.  Regression test for ded29e64c6f3 ("aio-posix: integrate fdmon into
 * glib event loop").
 *
 *   main loop               temporary waiter
 *   prepare: submits
 *   drops the BQL
 *   [parked]        ---->   event 1
 *                           aio_poll(): runs its handler,
 *                             (queues the next poll of it)
 *                           event 2
 *   [go on]         <----   drops the BQL
 *   sleeps, or runs the
 *     handler for event 2
 *
 * Kept since rule (posix): armed armed-notifier
 */

#include "qemu/osdep.h"
#include "park.h"

/* A file descriptor whose handler the waiter has run */
static EventNotifier device;
static int device_events;

static void device_cb(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    if (++device_events == 2) {
        park_woken(NULL);
    }
}

static void poll_armed(void)
{
    event_notifier_set(&device);
    aio_poll(park_ctx, true);
    g_assert_cmpint(device_events, ==, 1);
    event_notifier_set(&device);
}

static void test_armed(void)
{
    device_events = 0;
    event_notifier_init(&device, false);
    park_watch(&device, device_cb);
    park_run(poll_armed);
    park_unwatch(&device);
    event_notifier_cleanup(&device);
}

/* The same for the notifier of the AioContext, with which it all begins */
static void empty_bh(void *opaque)
{
}

static void wake_waiter(void)
{
    while (!(qatomic_read(&park_ctx->notify_me) & ~1)) {
        g_thread_yield();
    }
    aio_bh_schedule_oneshot(park_ctx, empty_bh, NULL);
}

static void schedule_woken(void)
{
    aio_bh_schedule_oneshot(park_ctx, park_woken, NULL);
}

static void poll_armed_notifier(void)
{
    QemuThread worker;

    park_start_worker(&worker, wake_waiter);
    aio_poll(park_ctx, true);
    park_join_worker(&worker);
    park_in_worker(schedule_woken);
}

static void test_armed_notifier(void)
{
    park_run(poll_armed_notifier);
}

int main(int argc, char **argv)
{
    park_ring = true;
    park_init(&argc, &argv);
    g_test_add_func("/aio-wakeup/armed", test_armed);
    g_test_add_func("/aio-wakeup/armed-notifier", test_armed_notifier);
    return park_run_tests();
}
