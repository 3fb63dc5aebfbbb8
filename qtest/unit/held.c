/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A notifier that is held on its way to the write
 *
 * Invariant: nothing is lost, and nobody spins, however long a thread takes
 * between making its work visible and writing the event notifier.  With "write
 * once" the others rely on it meanwhile: they do not write.
 *
 * Kept always: held-spin held-clear held-leftover
 * Kept always: held-clear-source
 * Kept always (posix): held-write held-after
 * Kept since split: held-clear-poll
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
    qemu_notify_event();
}

static void schedule_woken(void)
{
    aio_bh_schedule_oneshot(park_ctx, park_woken, NULL);
}

/*
 * Another thread's work depends on the write that is held; the main loop goes
 * to sleep, and wakes up when the write comes.
 *
 *   main loop               worker A                    worker B
 *   prepare
 *   [parked]
 *                           aio_notify():
 *                             [held before the write]
 *                                                       schedules a BH,
 *                                                       need not write
 *   [go on]
 *   about to sleep  ---->   [go on]
 *                           writes
 *   runs the BH
 */
#ifdef CONFIG_LINUX
static void release_held(void)
{
    qemu_sem_post(&release);
}

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
        park_before_sleep = release_held;
        park_run(poll_held_write);
        if (park_before_sleep) {
            /* It was not about to sleep: the other worker has written, too */
            park_before_sleep = NULL;
            release_held();
        }
        park_join_worker(&worker);
    }
}
#endif

/*
 * The same with a worker that is held after the write: the main loop has
 * cleared, and sleeps again, when it goes on.  If it only then set the flag,
 * nobody would write any more.
 */
#ifdef CONFIG_LINUX
static void notify_held_after(void)
{
    park_after_write = hold;
    aio_bh_schedule_oneshot(park_ctx, park_woken, NULL);
}

static void poll_held_after(void)
{
    park_start_worker(&worker, notify_held_after);
    park_wait(&held);
}

static void test_held_after(void)
{
    park_run(poll_held_after);
    qemu_sem_post(&release);
    park_join_worker(&worker);
    park_run(schedule_woken);
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
 * A notifier comes right before the waiter clears.  If the flag was reset
 * before that, the clear takes the write, the flag stays set, and nobody
 * writes ever again.
 *
 *   main loop               temporary waiter            worker
 *   prepare
 *   [parked]        ---->   aio_poll():
 *                             poll: notifier is set
 *                             [before the clear] ---->  schedules a BH
 *                             clears, runs the BH
 *   [go on]         <----   schedules a BH
 *   sleeps, or runs the BH
 */
static void nothing(void *opaque)
{
}

static void schedule_nothing(void)
{
    aio_bh_schedule_oneshot(park_ctx, nothing, NULL);
}

static void worker_before_clear(void)
{
    park_in_worker(schedule_nothing);
}

static void poll_held_clear(void)
{
    aio_bh_schedule_oneshot(park_ctx, nothing, NULL);
    park_before_read = worker_before_clear;
    aio_poll(park_ctx, true);
    park_before_read = NULL;
    schedule_woken();
}

static void test_held_clear(void)
{
    park_run(poll_held_clear);
}

/*
 * The same for the clear of the main loop itself.  Bit 0 of notify_me is still
 * set then if a bottom half was pending in aio_ctx_prepare(), because glib does
 * not call aio_ctx_check() for a source that is ready.
 */
static gint notify_and_poll(GPollFD *fds, guint n, gint timeout)
{
    park_in_worker(qemu_notify_event);
    return g_poll(fds, n, timeout);
}

static void test_held_clear_source(void)
{
    GPollFunc poll_func = g_main_context_get_poll_func(NULL);

    park_flush();
    schedule_nothing();
    g_main_context_set_poll_func(NULL, notify_and_poll);
    park_before_read = worker_before_clear;
    g_main_context_iteration(NULL, false);
    park_before_read = NULL;
    g_main_context_set_poll_func(NULL, poll_func);

    park_run(schedule_woken);
}

/*
 * The same for the notifier of aio_poll(), where the worker must have looked
 * at notify_me before the waiter reset its part of that: it is held in its
 * write for the main loop, which comes between.
 *
 *   temporary waiter            worker A                worker B
 *   aio_poll():
 *     notify_me += 2
 *                               aio_notify():
 *                                 notify_me is 3
 *                                 [held before the write
 *                                 for the main loop]
 *                                                       aio_notify(): writes
 *                                                       for aio_poll()
 *     poll: notifier is set
 *     notify_me -= 2
 *     [before the clear] ---->    writes, and goes on
 *                                 with aio_poll()'s
 *     clears
 *   aio_poll():                                         aio_notify()
 *     sleeps, or wakes up
 */
static void a_and_b_before_poll(void)
{
    park_start_worker(&worker, notify_held);
    park_wait(&held);
    park_in_worker(qemu_notify_event);
}

static void a_goes_on(void)
{
    qemu_sem_post(&release);
    park_join_worker(&worker);
}

static void b_before_poll(void)
{
    park_in_worker(qemu_notify_event);
}

static void poll_held_clear_poll(void)
{
    park_before_poll = a_and_b_before_poll;
    park_before_read = a_goes_on;
    aio_poll(park_ctx, true);
    if (park_before_read) {
        park_before_read = NULL;
        a_goes_on();
    }

    /* What A has written, or left to be looked for */
    park_poll();
    park_before_poll = b_before_poll;
    aio_poll(park_ctx, true);
}

static void test_held_clear_poll(void)
{
    park_run_any(poll_held_clear_poll);
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
    g_test_add_func("/aio-wakeup/held-after", test_held_after);
#endif
    g_test_add_func("/aio-wakeup/held-spin", test_held_spin);
    g_test_add_func("/aio-wakeup/held-clear", test_held_clear);
    g_test_add_func("/aio-wakeup/held-clear-source", test_held_clear_source);
    g_test_add_func("/aio-wakeup/held-clear-poll", test_held_clear_poll);
    g_test_add_func("/aio-wakeup/held-leftover", test_held_leftover);
#endif
    return park_run_tests();
}
