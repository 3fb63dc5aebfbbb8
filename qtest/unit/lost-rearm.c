/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What only the main loop can do after aio_notify(): compute again
 *
 * Invariant: after aio_notify() the main loop itself wakes up, and computes its
 * timeout and its set of file descriptors again.  A temporary waiter cannot do
 * that for it: it runs an empty bottom half, or nothing, and writes nothing
 * after it has cleared the notifier.  To clear early is not enough here, each
 * kind of waiter needs a notifier of its own.
 *
 *   main loop               temporary waiter
 *   prepare: timeout -1
 *   [parked]        ---->   timer_mod(): notifier is set
 *                           aio_poll():
 *                             poll: notifier is set
 *                             clears the notifier
 *   [go on]         <----
 *   sleeps, or computes a timeout for the timer
 *
 * Kept since rule: lost-timer lost-device-timer lost-notify-event lost-asleep
 * Kept always: lost-handler
 */

#include "qemu/osdep.h"
#include "park.h"

/* A timer of the AioContext */
static QEMUTimer *timer;

static void poll_lost_timer(void)
{
    timer_mod(timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + 100);
    aio_poll(park_ctx, false);
}

static void test_lost_timer(void)
{
    timer = aio_timer_new(park_ctx, QEMU_CLOCK_REALTIME, SCALE_MS, park_woken,
                          NULL);
    park_run(poll_lost_timer);
    timer_free(timer);
}

/* A timer of the main loop, as devices use it */
static void test_lost_device_timer(void)
{
    timer = timer_new_ms(QEMU_CLOCK_REALTIME, park_woken, NULL);
    park_run(poll_lost_timer);
    timer_free(timer);
}

/*
 * A file descriptor that the main loop does not poll yet.  On POSIX hosts glib
 * alone would wake up for it, in g_source_add_poll().
 */
static EventNotifier new_fd;

static void new_fd_cb(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    park_woken(NULL);
}

static void watch_new_fd(void)
{
    park_watch(&new_fd, new_fd_cb);
}

static void poll_lost_handler(void)
{
    park_in_worker(watch_new_fd);
    aio_poll(park_ctx, false);
    event_notifier_set(&new_fd);
}

static void test_lost_handler(void)
{
    event_notifier_init(&new_fd, false);
    park_run(poll_lost_handler);
    park_unwatch(&new_fd);
    event_notifier_cleanup(&new_fd);
}

/* What requests shutdown, reset and stop */
static void poll_lost_notify_event(void)
{
    qemu_notify_event();
    aio_poll(park_ctx, false);
}

static void test_lost_notify_event(void)
{
    park_run_any(poll_lost_notify_event);
}

/*
 * The waiter sleeps as well, another thread wakes it up with the one
 * aio_notify() that is there for both, and the waiter has nothing to run.
 */
static void notify_sleepers(void)
{
    while (!(qatomic_read(&park_ctx->notify_me) & ~1)) {
        g_thread_yield();
    }
    aio_notify(park_ctx);
}

static void poll_lost_asleep(void)
{
    QemuThread worker;

    park_start_worker(&worker, notify_sleepers);
    aio_poll(park_ctx, true);
    park_join_worker(&worker);
}

static void test_lost_asleep(void)
{
    park_run_any(poll_lost_asleep);
}

int main(int argc, char **argv)
{
    park_init(&argc, &argv);
    g_test_add_func("/aio-wakeup/lost-timer", test_lost_timer);
    g_test_add_func("/aio-wakeup/lost-device-timer", test_lost_device_timer);
    g_test_add_func("/aio-wakeup/lost-handler", test_lost_handler);
    g_test_add_func("/aio-wakeup/lost-notify-event", test_lost_notify_event);
    g_test_add_func("/aio-wakeup/lost-asleep", test_lost_asleep);
    return park_run_tests();
}
