/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bottom half of the main context that itself waits in aio_poll(), whoever runs
 * it, main loop or temporary waiter; work is published meanwhile.
 *
 * Expect: stock lost; rule holds; requests holds
 * Reach: main sleeps; vcpu sleeps; main clears ctx->notifier; vcpu clears ctx->notifier
 * Reach-rule: vcpu writes glib's wakeup
 */
#include "parts.h"

static int outer_started, inner_done;
static QEMUBH *outer_bh, *inner_bh;

static void inner_cb(void *opaque)
{
    inner_done = 1;
}

static void outer_cb(void *opaque)
{
    explore_note("a bottom half waits in aio_poll()");
    qatomic_set(&outer_started, 1);
    while (!inner_done) {
        aio_poll(ctx, true);
    }
    op_done = 1;
}

static void vcpu_entry(void *opaque)
{
    explore_bql_lock();
    while (!op_done) {
        aio_poll(ctx, true);
    }
    explore_bql_unlock();
}

static void worker_entry(void *opaque)
{
    qemu_bh_schedule(outer_bh);
    explore_wait_for(&outer_started);
    qemu_bh_schedule(inner_bh);
    qemu_bh_schedule(work_bh);
    qatomic_set(&work_published, 1);
}

static int vcpu, worker;

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
    outer_bh = aio_bh_new(ctx, outer_cb, NULL);
    inner_bh = aio_bh_new(ctx, inner_cb, NULL);
    explore_name(outer_bh, 48, "outer_bh");
    explore_name(inner_bh, 48, "inner_bh");
    explore_name(&outer_started, 4, "outer_started");
    explore_name(&inner_done, 4, "inner_done");
    part_main_loop();
    vcpu = explore_thread("vcpu", vcpu_entry, NULL);
    worker = explore_thread("worker", worker_entry, NULL);
}

const ExploreScenario explore_scenario = {
    .set_up = set_up,
    .check = check,
};
