/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a temporary waiter leaves behind on the ring of a sleeping main loop
 *
 * Invariant: while the main loop sleeps every file descriptor of its AioContext
 * is armed, or the main loop is about to wake up, also while a callback of the
 * waiter has dropped the BQL.  Regression test for ded29e64c6f3 ("aio-posix:
 * integrate fdmon into glib event loop").
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
 * Kept since rule (posix): armed-notifier armed-in-nested
 * Kept since armed (posix): armed armed-in-bh armed-in-handler armed-canceled
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
    while (!device_events) {
        aio_poll(park_ctx, true);
    }
    event_notifier_set(&device);
}

static void run_armed(EventNotifierHandler *cb, void (*poll)(void))
{
    device_events = 0;
    event_notifier_init(&device, false);
    park_watch(&device, cb);
    park_run(poll);
    park_unwatch(&device);
    event_notifier_cleanup(&device);
}

static void test_armed(void)
{
    run_armed(device_cb, poll_armed);
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

/*
 * The waiter has taken the event, a bottom half of it drops the BQL, and the
 * handler has not run yet.
 */
static void let_go_bh(void *opaque)
{
    g_assert_cmpint(device_events, ==, 0);
    park_let_go();
}

static void first_event_cb(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    device_events++;
    park_woken(NULL);
}

static void poll_armed_in_bh(void)
{
    aio_bh_schedule_oneshot(park_ctx, let_go_bh, NULL);
    event_notifier_set(&device);
    aio_poll(park_ctx, true);
}

static void test_armed_in_bh(void)
{
    run_armed(first_event_cb, poll_armed_in_bh);
}

/* A handler drops the BQL, and has run already when the next event comes */
static void let_go_cb(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    if (++device_events == 1) {
        event_notifier_set(e);
        park_let_go();
    } else {
        park_woken(NULL);
    }
}

static void poll_armed_in_handler(void)
{
    event_notifier_set(&device);
    while (!device_events) {
        aio_poll(park_ctx, true);
    }
}

static void test_armed_in_handler(void)
{
    run_armed(let_go_cb, poll_armed_in_handler);
}

/* An aio_poll() within a bottom half has run the handler, and does not go on */
static void nested_bh(void *opaque)
{
    poll_armed();
    park_let_go();
}

static void poll_armed_in_nested(void)
{
    aio_bh_schedule_oneshot(park_ctx, nested_bh, NULL);
    aio_poll(park_ctx, true);
}

static void test_armed_in_nested(void)
{
    run_armed(device_cb, poll_armed_in_nested);
}

/* The waiter meets a poll whose thread has ended; see ring-failed.c */
static void main_loop_cb(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    if (device_events++ || park_in_main_loop()) {
        park_woken(NULL);
    }
}

static void watch_and_exit(void)
{
    bql_lock();
    park_watch(&device, main_loop_cb);
    aio_poll(park_ctx, false);
    bql_unlock();
}

static void poll_armed_canceled(void)
{
    event_notifier_set(&device);
    aio_poll(park_ctx, true);
    if (device_events) {
        /* Taken for an event, to be found false later */
        event_notifier_set(&device);
    }
}

static void test_armed_canceled(void)
{
    device_events = 0;
    event_notifier_init(&device, false);
    bql_unlock();
    park_in_worker(watch_and_exit);
    bql_lock();
    park_run(poll_armed_canceled);
    park_unwatch(&device);
    event_notifier_cleanup(&device);
}

int main(int argc, char **argv)
{
    park_ring = true;
    park_init(&argc, &argv);
    g_test_add_func("/aio-wakeup/armed", test_armed);
    g_test_add_func("/aio-wakeup/armed-notifier", test_armed_notifier);
    g_test_add_func("/aio-wakeup/armed-in-bh", test_armed_in_bh);
    g_test_add_func("/aio-wakeup/armed-in-handler", test_armed_in_handler);
    g_test_add_func("/aio-wakeup/armed-in-nested", test_armed_in_nested);
    g_test_add_func("/aio-wakeup/armed-canceled", test_armed_canceled);
    return park_run_tests();
}
