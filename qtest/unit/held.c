/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A notifier that is held on its way to the write
 *
 * Invariant: nothing is lost, and nobody spins, however long a thread takes
 * between making its work visible and writing the event notifier; and nobody
 * else's wakeup depends on when it goes on.
 *
 * Kept always: held-spin held-leftover
 * Kept always (posix): held-write
 * Kept since rule: held-clear
 */

#include "qemu/osdep.h"
#include "park.h"

#ifdef PARK_HOOKS
static QemuThread worker;
static QemuSemaphore held, release;

static void hold(void)
{
    qemu_sem_post(&held);
    park_wait(&release);
}

static void notify_held(void)
{
    park_before_write = hold;
    aio_notify(park_ctx);
}

static void schedule_woken(void)
{
    aio_bh_schedule_oneshot(park_ctx, park_woken, NULL);
}

/*
 * Another thread's work does not wait for the write that is held
 *
 *   main loop               worker A                    worker B
 *   prepare
 *   [parked]
 *                           aio_notify():
 *                             [held before the write]
 *                                                       schedules a BH,
 *                                                       writes
 *   [go on]
 *   runs the BH
 *                           [go on], writes
 */
#ifdef CONFIG_LINUX
static void poll_held_write(void)
{
    park_start_worker(&worker, notify_held);
    park_wait(&held);
    park_in_worker(schedule_woken);
}

static void test_held_write(void)
{
    int i;

    for (i = 0; i < 2; i++) {
        park_run(poll_held_write);
        qemu_sem_post(&release);
        park_join_worker(&worker);
    }
}
#endif

/*
 * The main loop is woken up by something else before the write comes.  The
 * write is then found by the next poll, is worth one iteration, and is cleared:
 * whoever decides by a flag that is set before the write will not clear it.
 */
static EventNotifier other;

static void other_cb(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    park_woken(NULL);
}

static void poll_held_spin(void)
{
    park_start_worker(&worker, notify_held);
    park_wait(&held);
    event_notifier_set(&other);
}

static void test_held_spin(void)
{
    event_notifier_init(&other, false);
    park_watch(&other, other_cb);
    park_run(poll_held_spin);

    qemu_sem_post(&release);
    park_join_worker(&worker);
    g_assert_cmpint(park_flush(), <=, 4);

    park_unwatch(&other);
    event_notifier_cleanup(&other);
}

/*
 * A notifier comes right before the waiter clears
 *
 *   main loop               temporary waiter            worker
 *   prepare
 *   [parked]        ---->   aio_poll():
 *                             poll: notifier is set
 *                             [before the clear] ---->  schedules a BH
 *                             clears
 *   [go on]         <----
 *   sleeps, or runs the BH
 */
static void nothing(void *opaque)
{
}

static void worker_before_clear(void)
{
    park_in_worker(schedule_woken);
}

static void poll_held_clear(void)
{
    aio_bh_schedule_oneshot(park_ctx, nothing, NULL);
    park_before_read = worker_before_clear;
    aio_poll(park_ctx, true);
    g_assert_null(park_before_read);
}

static void test_held_clear(void)
{
    park_run(poll_held_clear);
}

static void a_goes_on(void)
{
    qemu_sem_post(&release);
    park_join_worker(&worker);
}

/*
 * The notifier of aio_poll() is written when nobody is in aio_poll() any more.
 * That is no business of the main loop; the next aio_poll() clears it.
 *
 *   main loop               temporary waiter            worker
 *   [parked]                aio_poll():
 *                             notify_me += 2
 *                                                       aio_notify():
 *                                                         notify_me is 3
 *                             poll: another event         [held]
 *                             notify_me -= 2
 *                                               ---->     writes for both
 *   [go on]         <----
 *   wakes up once
 */
static void clear_cb(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
}

static void a_and_other_before_poll(void)
{
    park_start_worker(&worker, notify_held);
    park_wait(&held);
    event_notifier_set(&other);
}

static void poll_held_leftover(void)
{
    park_before_poll = a_and_other_before_poll;
    aio_poll(park_ctx, true);
    a_goes_on();
}

static void test_held_leftover(void)
{
    int i;

    event_notifier_init(&other, false);
    park_watch(&other, clear_cb);
    for (i = 0; i < 3; i++) {
        park_run_any(poll_held_leftover);
        g_assert_cmpint(park_flush(), <=, 2);
    }
    park_poll();
    park_unwatch(&other);
    event_notifier_cleanup(&other);
}
#endif

int main(int argc, char **argv)
{
    park_init(&argc, &argv);
#ifdef PARK_HOOKS
    qemu_sem_init(&held, 0);
    qemu_sem_init(&release, 0);
#ifdef CONFIG_LINUX
    g_test_add_func("/aio-wakeup/held-write", test_held_write);
#endif
    g_test_add_func("/aio-wakeup/held-spin", test_held_spin);
    g_test_add_func("/aio-wakeup/held-clear", test_held_clear);
    g_test_add_func("/aio-wakeup/held-leftover", test_held_leftover);
#endif
    return park_run_tests();
}
