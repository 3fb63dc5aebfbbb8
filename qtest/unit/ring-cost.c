/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a request on the ring costs
 *
 * Invariant: it is submitted by a call that is made anyway, or by one of its
 * own; nobody is written to who does not sleep.  The number of system calls for
 * a request is printed.
 *
 *   who makes it                      io_uring_enter    written
 *   a bottom half of the main loop    one for all       never
 *   an iothread, one at a time        one               never
 *   an iothread, DEPTH at a time      one for all       never
 *   a thread with the BQL that waits  one               once, as the main loop
 *                                                       might have to submit
 *
 * Kept always (posix): cost-iothread-deep cost-waiter-bh
 * Kept always (no-sqe-notify): cost-bh cost-iothread cost-waiter
 * Kept since submitted (sqe-notify): cost-iothread cost-waiter
 * Kept since awake (sqe-notify): cost-bh
 * Kept since awake (posix): cost-woken
 */

#include "qemu/osdep.h"
#include "iothread.h"
#include "park.h"

#define DEPTH 32
#define ROUNDS 100

typedef struct {
    unsigned enters;
    ParkCalls calls;
} Count;

static Count count(void)
{
    return (Count) {
        .enters = park_enters(),
        .calls = park_calls(),
    };
}

/* What has been called since @before */
static Count spent(Count before)
{
    Count c = count();

    c.enters -= before.enters;
    c.calls.writes -= before.calls.writes;
    c.calls.reads -= before.calls.reads;
    c.calls.acks -= before.calls.acks;
    c.calls.polls -= before.calls.polls;
    return c;
}

static void print_each(Count c, unsigned requests)
{
    g_test_message("each: %.2f enters, %.2f writes, %.2f reads, %.2f of glib's "
                   "own, %.2f polls", c.enters * 1.0 / requests,
                   c.calls.writes * 1.0 / requests,
                   c.calls.reads * 1.0 / requests,
                   c.calls.acks * 1.0 / requests,
                   c.calls.polls * 1.0 / requests);
}

/* It completes as soon as it is submitted */
static void prep_nop(struct io_uring_sqe *sqe, void *opaque)
{
    io_uring_prep_nop(sqe);
}

/* It completes later, as a disk's does */
static void prep_delay(struct io_uring_sqe *sqe, void *opaque)
{
    static struct __kernel_timespec ts = { .tv_nsec = 100000 };

    io_uring_prep_timeout(sqe, &ts, 0, 0);
}

/*
 * Requests of an event loop: DEPTH of them, made at once
 */
typedef struct {
    CqeHandler handlers[DEPTH];
    unsigned depth;
    unsigned rounds;
    unsigned done;
    Count before;
    Count total;
    QemuSemaphore end;
} Load;

static Load load;

static void load_done(CqeHandler *handler);

static void make_all(void)
{
    int i;

    load.done = 0;
    for (i = 0; i < load.depth; i++) {
        load.handlers[i].cb = load_done;
        aio_add_sqe(load.depth == 1 ? prep_delay : prep_nop, NULL,
                    &load.handlers[i]);
    }
}

static void load_done(CqeHandler *handler)
{
    if (++load.done < load.depth) {
        return;
    }
    if (--load.rounds) {
        make_all();
        return;
    }
    load.total = spent(load.before);
    qemu_sem_post(&load.end);
}

static void load_bh(void *opaque)
{
    load.before = count();
    make_all();
}

static void run_in_iothread(unsigned depth)
{
    IOThread *iothread = iothread_new();

    load.depth = depth;
    load.rounds = ROUNDS;
    aio_bh_schedule_oneshot(iothread_get_aio_context(iothread), load_bh, NULL);
    park_wait(&load.end);
    iothread_join(iothread);

    print_each(load.total, ROUNDS * depth);
    g_assert_cmpint(load.total.enters, <=, ROUNDS + 2);
    g_assert_cmpint(load.total.calls.writes, ==, 0);
}

static void test_cost_iothread(void)
{
    run_in_iothread(1);
}

static void test_cost_iothread_deep(void)
{
    run_in_iothread(DEPTH);
}

/* A bottom half of the main loop */
static void test_cost_bh(void)
{
    Count before, c;
    int i;

    park_flush();
    before = count();
    for (i = 0; i < ROUNDS; i++) {
        load.depth = DEPTH;
        load.rounds = 1;
        aio_bh_schedule_oneshot(park_ctx, load_bh, NULL);
        while (qemu_sem_timedwait(&load.end, 0) < 0) {
            g_main_context_iteration(NULL, true);
        }
    }
    c = spent(before);
    print_each(c, ROUNDS * DEPTH);
    g_assert_cmpint(c.enters, <=, ROUNDS);
    g_assert_cmpint(c.calls.writes, ==, 0);
}

/*
 * A thread that waits for each request, while the main loop sleeps
 */
static Count waiter_spent;
static bool request_done;

static void set_request_done(CqeHandler *handler)
{
    request_done = true;
}

static void poll_requests(void)
{
    CqeHandler handler = { .cb = set_request_done };
    Count before = count();
    int i;

    for (i = 0; i < ROUNDS; i++) {
        request_done = false;
        aio_add_sqe(prep_delay, NULL, &handler);
        while (!request_done) {
            aio_poll(park_ctx, true);
        }
    }
    waiter_spent = spent(before);
    print_each(waiter_spent, ROUNDS);
    park_woken(NULL);
}

static void test_cost_waiter(void)
{
    park_run(poll_requests);
    g_assert_cmpint(waiter_spent.enters, <=, ROUNDS);
    g_assert_cmpint(waiter_spent.calls.writes, <=, ROUNDS);
}

/* The same with a bottom half that another thread schedules: aio=threads */
static bool bh_done;

static void set_bh_done(void *opaque)
{
    bh_done = true;
}

static void schedule_set_bh_done(void)
{
    aio_bh_schedule_oneshot(park_ctx, set_bh_done, NULL);
}

static void schedule_in_worker(void)
{
    park_in_worker(schedule_set_bh_done);
}

static void poll_bhs(void)
{
    Count before = count();
    int i;

    for (i = 0; i < ROUNDS; i++) {
        bh_done = false;
        park_before_poll = schedule_in_worker;
        while (!bh_done) {
            aio_poll(park_ctx, true);
        }
    }
    waiter_spent = spent(before);
    print_each(waiter_spent, ROUNDS);
    park_woken(NULL);
}

static void test_cost_waiter_bh(void)
{
    park_run(poll_bhs);
    g_assert_cmpint(waiter_spent.enters, <=, ROUNDS);
    g_assert_cmpint(waiter_spent.calls.writes, <=, 3 * ROUNDS);
}

/* The main loop has been woken up: what comes now needs no write */
static void empty_bh(void *opaque)
{
}

static void poll_woken(void)
{
    Count before;
    int i;

    aio_bh_schedule_oneshot(park_ctx, empty_bh, NULL);
    aio_poll(park_ctx, true);
    before = count();
    for (i = 0; i < ROUNDS; i++) {
        aio_bh_schedule_oneshot(park_ctx, empty_bh, NULL);
    }
    waiter_spent = spent(before);
    aio_bh_schedule_oneshot(park_ctx, park_woken, NULL);
}

static void test_cost_woken(void)
{
    park_run(poll_woken);
    g_assert_cmpint(waiter_spent.calls.writes, ==, 0);
}

int main(int argc, char **argv)
{
    park_ring = true;
    park_init(&argc, &argv);
    qemu_sem_init(&load.end, 0);
    g_test_add_func("/aio-wakeup/cost-bh", test_cost_bh);
    g_test_add_func("/aio-wakeup/cost-iothread", test_cost_iothread);
    g_test_add_func("/aio-wakeup/cost-iothread-deep", test_cost_iothread_deep);
    g_test_add_func("/aio-wakeup/cost-waiter", test_cost_waiter);
    g_test_add_func("/aio-wakeup/cost-waiter-bh", test_cost_waiter_bh);
    g_test_add_func("/aio-wakeup/cost-woken", test_cost_woken);
    return park_run_tests();
}
