/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The handler of a file descriptor waits in aio_poll(), whoever calls it, main
 * loop or temporary waiter; work is published meanwhile.
 *
 * Expect: stock lost; rule holds; requests holds
 * Reach: main sleeps; vcpu sleeps; main clears ctx->notifier; vcpu clears ctx->notifier; main clears the device's fd; vcpu clears the device's fd
 * Reach-rule: vcpu writes glib's wakeup
 */
#include "parts.h"

static EventNotifier device;
static int handler_started, inner_done;
static QEMUBH *inner_bh;
static int vcpu, worker;

static void inner_cb(void *opaque)
{
    inner_done = 1;
}

static void device_cb(void *opaque)
{
    if (!event_notifier_test_and_clear(&device)) {
        return;
    }
    explore_note("a handler waits in aio_poll()");
    qatomic_set(&handler_started, 1);
    while (!inner_done) {
        aio_poll(ctx, true);
    }
    inner_done = 2;
    if (explore_self() != vcpu) {
        /* the vCPU may sleep, and the main loop called the handler */
        qemu_bh_schedule(op_bh);
    }
}

static void vcpu_entry(void *opaque)
{
    explore_bql_lock();
    while (!op_done && inner_done < 2) {
        aio_poll(ctx, true);
    }
    explore_bql_unlock();
}

static void worker_entry(void *opaque)
{
    event_notifier_set(&device);
    explore_wait_for(&handler_started);
    qemu_bh_schedule(inner_bh);
    qemu_bh_schedule(work_bh);
    qatomic_set(&work_published, 1);
}

static const char *check(void)
{
    if (!explore_has_ended(vcpu) || !explore_has_ended(worker)) {
        return "a waiter sleeps, and its operation is complete";
    }
    return work_ran ? NULL : "the main loop sleeps, and work is pending";
}

static void set_up(void)
{
    parts_init();
    event_notifier_init(&device, false);
    explore_name_fd(event_notifier_get_fd(&device), "the device's fd");
    parts_set_handler(event_notifier_get_fd(&device), device_cb);
    main_loop_wait(true);
    inner_bh = aio_bh_new(ctx, inner_cb, NULL);
    explore_name(inner_bh, 48, "inner_bh");
    explore_name(&handler_started, 4, "handler_started");
    explore_name(&inner_done, 4, "inner_done");
    part_main_loop();
    vcpu = explore_thread("vcpu", vcpu_entry, NULL);
    worker = explore_thread("worker", worker_entry, NULL);
}

const ExploreScenario explore_scenario = {
    .set_up = set_up,
    .check = check,
};
