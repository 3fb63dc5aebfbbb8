/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An iothread, the only one that waits for its context, and two notifiers; the
 * second one schedules another bottom half when its first has run.
 *
 * Expect: stock holds; rule holds; requests holds
 * Reach: iothread sleeps; iothread clears ctx->notifier; worker writes ctx->notifier; notifier writes ctx->notifier
 */
#include "parts.h"

static int again_ran;
static QEMUBH *again_bh;

static void again_cb(void *opaque)
{
    again_ran = 1;
}

static void iothread_entry(void *opaque)
{
    qemu_set_current_aio_context(ctx);
    while (!op_done || !again_ran) {
        aio_poll(ctx, true);
    }
}

static void worker_entry(void *opaque)
{
    qemu_bh_schedule(op_bh);
}

static void notifier_entry(void *opaque)
{
    qemu_bh_schedule(work_bh);
    explore_wait_for(&work_ran);
    qemu_bh_schedule(again_bh);
}

static int iothread;

static const char *check(void)
{
    return explore_has_ended(iothread) ? NULL :
           "the iothread sleeps, and a bottom half is pending";
}

static void set_up(void)
{
    parts_init_iothread();
    again_bh = aio_bh_new(ctx, again_cb, NULL);
    explore_name(again_bh, 48, "again_bh");
    iothread = explore_thread("iothread", iothread_entry, NULL);
    explore_thread("worker", worker_entry, NULL);
    explore_thread("notifier", notifier_entry, NULL);
}

const ExploreScenario explore_scenario = {
    .set_up = set_up,
    .check = check,
};
