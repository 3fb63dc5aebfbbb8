/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bottom half that is scheduled while a temporary waiter polls
 *
 * Invariant: a bottom half of the main AioContext runs without any further
 * event, whatever a thread that holds the BQL and calls aio_poll() does
 * meanwhile.  Regression test for 601829f88e0e ("async: always set
 * ctx->notified in aio_notify()").
 *
 *   main loop               temporary waiter            worker
 *   prepare, drops BQL
 *   [parked]        ---->   aio_poll():
 *                             poll: notifier is set
 *                             aio_bh_poll: BH 1 ---->   schedules BH 2
 *                             (clears the notifier)
 *   [go on]         <----   drops the BQL
 *   sleeps, or runs BH 2
 *
 * Kept since rule: lost-bh lost-bh-nonblocking
 * Kept since rule (posix): lost-bh-epoll
 * Kept always (posix): lost-bh-handler
 * Kept since rule (win32): lost-bh-handler
 */

#include "qemu/osdep.h"
#include "park.h"

static void schedule_woken(void)
{
    aio_bh_schedule_oneshot(park_ctx, park_woken, NULL);
}

static void first_bh(void *opaque)
{
    park_in_worker(schedule_woken);
}

static void poll_lost_bh(void)
{
    aio_bh_schedule_oneshot(park_ctx, first_bh, NULL);
    aio_poll(park_ctx, true);
}

static void test_lost_bh(void)
{
    park_run(poll_lost_bh);
}

/* The same with a non-blocking aio_poll() */
static void poll_lost_bh_nonblocking(void)
{
    aio_bh_schedule_oneshot(park_ctx, first_bh, NULL);
    aio_poll(park_ctx, false);
}

static void test_lost_bh_nonblocking(void)
{
    park_run(poll_lost_bh_nonblocking);
}

/*
 * A bottom half that another thread schedules while the waiter runs a file
 * descriptor handler.  On Windows aio_poll() loops over what is signaled and
 * meets the notifier again, after it has run the bottom halves.
 */
static EventNotifier event;

static void worker_cb(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    park_in_worker(schedule_woken);
}

static void poll_lost_bh_handler(void)
{
    event_notifier_set(&event);
    aio_poll(park_ctx, true);
}

static void test_lost_bh_handler(void)
{
    event_notifier_init(&event, false);
    park_watch(&event, worker_cb);
    park_run(poll_lost_bh_handler);
    park_unwatch(&event);
    event_notifier_cleanup(&event);
}

#ifndef _WIN32
/* As lost-bh, with so many file descriptors that epoll(7) is used */
static void clear_cb(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
}

static void test_lost_bh_epoll(void)
{
    EventNotifier e[64];
    int i;

    for (i = 0; i < ARRAY_SIZE(e); i++) {
        event_notifier_init(&e[i], false);
        park_watch(&e[i], clear_cb);
    }

    /* The change to epoll may wake the main loop up; it is not the test */
    aio_poll(park_ctx, false);
    park_run(poll_lost_bh);

    for (i = 0; i < ARRAY_SIZE(e); i++) {
        park_unwatch(&e[i]);
        event_notifier_cleanup(&e[i]);
    }
}
#endif

int main(int argc, char **argv)
{
    park_init(&argc, &argv);
    g_test_add_func("/aio-wakeup/lost-bh", test_lost_bh);
    g_test_add_func("/aio-wakeup/lost-bh-nonblocking",
                    test_lost_bh_nonblocking);
    g_test_add_func("/aio-wakeup/lost-bh-handler", test_lost_bh_handler);
#ifndef _WIN32
    g_test_add_func("/aio-wakeup/lost-bh-epoll", test_lost_bh_epoll);
#endif
    return park_run_tests();
}
