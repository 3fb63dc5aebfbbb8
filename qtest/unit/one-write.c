/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * However much happens while somebody sleeps, it is written to once
 *
 * Invariant: between two clears of an event notifier it is written at most once
 * by aio_notify(), and the sleep after the clear gets its write again.
 *
 *   main loop               worker 1, worker 2, temporary waiter
 *   prepare
 *   [parked]        ---->   aio_notify(): sets the flag, writes
 *                           aio_notify(): finds the flag, does not write
 *                           ...
 *   [go on]         <----
 *   wakes up, clears, resets the flag
 *
 * Kept always: no-write
 * Kept since split: one-write
 * Kept since once: one-write-poll
 */

#include "qemu/osdep.h"
#include "park.h"

#ifdef PARK_HOOKS
static unsigned writes;

static void notify_many(void)
{
    int i;

    for (i = 0; i < 10; i++) {
        qemu_notify_event();
    }
}

/* Nobody sleeps: nobody is written to */
static void test_no_write(void)
{
    unsigned before;

    park_flush();
    before = park_calls().writes;
    notify_many();
    park_in_worker(notify_many);
    g_assert_cmpint(park_calls().writes, ==, before);
    park_flush();
}

static void poll_one_write(void)
{
    unsigned before = park_calls().writes;

    park_in_worker(notify_many);
    park_in_worker(notify_many);
    notify_many();
    writes = park_calls().writes - before;
    aio_poll(park_ctx, false);
}

static void test_one_write(void)
{
    /* Twice, as the second sleep must get its write too */
    park_run_any(poll_one_write);
    g_assert_cmpint(writes, ==, 1);
    park_run_any(poll_one_write);
    g_assert_cmpint(writes, ==, 1);
}

/* The same while the temporary waiter is about to sleep, too */
static void notify_before_poll(void)
{
    unsigned before = park_calls().writes;

    park_in_worker(notify_many);
    park_in_worker(notify_many);
    writes = park_calls().writes - before;
}

static void poll_one_write_poll(void)
{
    park_before_poll = notify_before_poll;
    aio_poll(park_ctx, true);
}

static void test_one_write_poll(void)
{
    /* One for each of the two that sleep */
    park_run_any(poll_one_write_poll);
    g_assert_cmpint(writes, ==, 2);
    park_run_any(poll_one_write_poll);
    g_assert_cmpint(writes, ==, 2);
}
#endif

int main(int argc, char **argv)
{
    park_init(&argc, &argv);
#ifdef PARK_HOOKS
    g_test_add_func("/aio-wakeup/no-write", test_no_write);
    g_test_add_func("/aio-wakeup/one-write", test_one_write);
    g_test_add_func("/aio-wakeup/one-write-poll", test_one_write_poll);
#endif
    return park_run_tests();
}
