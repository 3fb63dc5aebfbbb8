/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vCPU thread that polls the main context without blocking, twice.  A handler
 * that cannot be polled makes that look at the file descriptors.
 *
 * Related: b37548fcd1 and 70232b5253, an accept in a non-blocking aio_poll().
 *
 * Expect: stock lost; rule holds; requests holds
 * Reach: main sleeps; main clears ctx->notifier; vcpu clears ctx->notifier; notifier writes ctx->notifier
 * Reach-rule: vcpu writes glib's wakeup
 */
#include "parts.h"

static EventNotifier idle;

static void idle_cb(void *opaque)
{
}

static void vcpu_entry(void *opaque)
{
    explore_bql_lock();
    aio_poll(ctx, false);
    aio_poll(ctx, false);
    explore_bql_unlock();
}

static void publish(void)
{
    qemu_bh_schedule(op_bh);
    qemu_bh_schedule(work_bh);
}

static void set_up(void)
{
    parts_init();
    event_notifier_init(&idle, false);
    parts_set_handler(event_notifier_get_fd(&idle), idle_cb);
    main_loop_wait(true);
    part_main_loop();
    explore_thread("vcpu", vcpu_entry, NULL);
    part_notifier("notifier", publish);
}

const ExploreScenario explore_scenario = {
    .set_up = set_up,
    .check = check_work,
};
