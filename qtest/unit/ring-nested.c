/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A completion that was taken off the ring, and waits for its handler
 *
 * Invariant: whoever polls for a request from within a handler, a bottom half or
 * another request's handler finds its completion, also if that has been taken
 * off the ring before, and so does a main loop that is run there.  Regression
 * test for 1eebdab3c37a ("aio-posix: add aio_add_sqe() API for user-defined
 * io_uring requests").
 *
 *   aio_poll() or main loop
 *     takes completions 1 and 2
 *     handler 1:
 *       polls until handler 2 has run
 *         (sleeps on an empty ring)
 *     handler 2
 *
 * Kept since batch (posix): nested-cqe nested-cqe-dispatch nested-cqe-main-loop
 * Kept always (posix): nested-cqe-bh nested-cqe-handler nested-fd-bh nested-fd-cqe
 */

#include "qemu/osdep.h"
#include "park.h"

typedef struct {
    CqeHandler handler;
    void (*func)(void);
    bool done;
} Request;

static Request first, second;

static void prep_nop(struct io_uring_sqe *sqe, void *opaque)
{
    io_uring_prep_nop(sqe);
}

static void request_done(CqeHandler *handler)
{
    Request *r = container_of(handler, Request, handler);

    r->done = true;
    if (r->func) {
        r->func();
    }
}

/* It completes as soon as it is submitted */
static void make_request(Request *r, void (*func)(void))
{
    *r = (Request) {
        .handler.cb = request_done,
        .func = func,
    };
    aio_add_sqe(prep_nop, NULL, &r->handler);
}

static void poll_until(bool *flag)
{
    bool outer = park_must_not_sleep;

    park_must_not_sleep = true;
    while (!*flag) {
        aio_poll(park_ctx, true);
    }
    park_must_not_sleep = outer;
}

static void poll_for_second(void)
{
    poll_until(&second.done);
}

static void make_both(void)
{
    park_flush();
    make_request(&first, poll_for_second);
    make_request(&second, NULL);
}

static void test_nested_cqe(void)
{
    make_both();
    poll_until(&first.done);
    g_assert_true(second.done);
}

static void test_nested_cqe_dispatch(void)
{
    make_both();
    while (!first.done) {
        g_main_context_iteration(NULL, true);
    }
    g_assert_true(second.done);
}

/* The handler does not call aio_poll(), but runs the main loop */
static gint must_find_work(GPollFD *fds, guint n, gint timeout)
{
    gint ret = g_poll(fds, n, 0);

    if (ret == 0 && timeout != 0) {
        g_test_message("the main loop would sleep for ever");
        g_test_fail();
        second.done = true;
    }
    return ret;
}

static void main_loop_for_second(void)
{
    GPollFunc poll_func = g_main_context_get_poll_func(NULL);

    g_main_context_set_poll_func(NULL, must_find_work);
    while (!second.done) {
        g_main_context_iteration(NULL, true);
    }
    g_main_context_set_poll_func(NULL, poll_func);
}

static void test_nested_cqe_main_loop(void)
{
    make_both();
    first.func = main_loop_for_second;
    while (!first.done) {
        g_main_context_iteration(NULL, true);
    }
    g_assert_true(second.done);
}

/*
 * A bottom half polls for it.  aio_ctx_check() has forgotten about the
 * notification, so nothing but the completion ends the sleep.
 */
static bool bh_done;

static void poll_for_second_bh(void *opaque)
{
    poll_for_second();
    bh_done = true;
}

static void schedule_poll_for_second(void)
{
    aio_bh_schedule_oneshot(park_ctx, poll_for_second_bh, NULL);
}

static gint schedule_and_poll(GPollFD *fds, guint n, gint timeout)
{
    park_in_worker(schedule_poll_for_second);
    return g_poll(fds, n, timeout);
}

static void test_nested_cqe_bh(void)
{
    GPollFunc poll_func = g_main_context_get_poll_func(NULL);

    park_flush();
    bh_done = false;
    make_request(&second, NULL);
    g_main_context_set_poll_func(NULL, schedule_and_poll);
    g_main_context_iteration(NULL, true);
    g_main_context_set_poll_func(NULL, poll_func);
    g_assert_true(bh_done);
}

/* The handler of a file descriptor does, which was taken off the ring with it */
static EventNotifier device;
static bool device_done;

static void device_cb(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    poll_for_second();
    device_done = true;
}

static void watch_device(EventNotifierHandler *cb)
{
    device_done = false;
    event_notifier_init(&device, false);
    park_watch(&device, cb);
    park_flush();
}

static void unwatch_device(void)
{
    park_unwatch(&device);
    event_notifier_cleanup(&device);
}

static void test_nested_cqe_handler(void)
{
    watch_device(device_cb);
    event_notifier_set(&device);
    make_request(&second, NULL);
    poll_until(&device_done);

    device_done = false;
    event_notifier_set(&device);
    make_request(&second, NULL);
    while (!device_done) {
        g_main_context_iteration(NULL, true);
    }
    unwatch_device();
}

/* The other way round: the file descriptor waits for its handler */
static void device_only_cb(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    device_done = true;
}

static void poll_for_device(void)
{
    poll_until(&device_done);
}

static void poll_for_device_bh(void *opaque)
{
    poll_for_device();
}

static void test_nested_fd_bh(void)
{
    watch_device(device_only_cb);
    event_notifier_set(&device);
    aio_bh_schedule_oneshot(park_ctx, poll_for_device_bh, NULL);
    aio_poll(park_ctx, true);
    g_assert_true(device_done);
    unwatch_device();
}

static void test_nested_fd_cqe(void)
{
    watch_device(device_only_cb);
    event_notifier_set(&device);
    make_request(&first, poll_for_device);
    poll_until(&first.done);
    g_assert_true(device_done);
    unwatch_device();
}

int main(int argc, char **argv)
{
    park_ring = true;
    park_init(&argc, &argv);
    g_test_add_func("/aio-wakeup/nested-cqe", test_nested_cqe);
    g_test_add_func("/aio-wakeup/nested-cqe-dispatch",
                    test_nested_cqe_dispatch);
    g_test_add_func("/aio-wakeup/nested-cqe-main-loop",
                    test_nested_cqe_main_loop);
    g_test_add_func("/aio-wakeup/nested-cqe-bh", test_nested_cqe_bh);
    g_test_add_func("/aio-wakeup/nested-cqe-handler",
                    test_nested_cqe_handler);
    g_test_add_func("/aio-wakeup/nested-fd-bh", test_nested_fd_bh);
    g_test_add_func("/aio-wakeup/nested-fd-cqe", test_nested_fd_cqe);
    return park_run_tests();
}
