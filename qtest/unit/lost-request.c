/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request that arrives before the main loop sets bit 0 of notify_me
 *
 * Invariant: qemu_notify_event() makes main_loop_wait() return, although the
 * main thread itself calls aio_poll() before it goes to sleep.  There the
 * request flags (shutdown, reset, vmstop, ...) have been looked at already, and
 * the nested aio_poll() runs, or clears, all that aio_notify() has left.
 *
 *   main loop                              any thread, or a signal handler
 *   main_loop_should_exit(): no request
 *                                          sets the flag
 *                                          qemu_notify_event()
 *     vm_stop(): aio_poll()
 *   main_loop_wait():
 *     prepare, sleeps, or looks again
 *
 * Kept since requests: lost-request lost-request-nested
 */

#include "qemu/osdep.h"
#include "park.h"

static void nothing(void)
{
}

static void notify_event(void)
{
    qemu_notify_event();
}

static void request_and_poll(void)
{
    park_in_worker(notify_event);
    park_poll();
}

static void test_lost_request(void)
{
    park_before_run = request_and_poll;
    park_run_any(nothing);
}

/* The poll is nested in a bottom half that a poll of the main thread runs */
static void request_and_poll_bh(void *opaque)
{
    request_and_poll();
}

static void request_in_bh(void)
{
    aio_bh_schedule_oneshot(park_ctx, request_and_poll_bh, NULL);
    park_poll();
}

static void test_lost_request_nested(void)
{
    park_before_run = request_in_bh;
    park_run_any(nothing);
}

int main(int argc, char **argv)
{
    park_init(&argc, &argv);
    g_test_add_func("/aio-wakeup/lost-request", test_lost_request);
    g_test_add_func("/aio-wakeup/lost-request-nested",
                    test_lost_request_nested);
    return park_run_tests();
}
