/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same request as in request.c, and a temporary waiter, too: the wakeup may
 * be taken by the main thread's nested aio_poll() or by the vCPU's.
 *
 * Expect: stock lost; rule lost; requests holds
 * Reach: main sleeps; vcpu sleeps; main clears ctx->notifier; vcpu clears ctx->notifier
 * Reach-requests: notifier writes glib's wakeup; main clears glib's wakeup
 */
#include "parts.h"

static int request, nested_done;
static QEMUBH *nested_bh;

static void nested_cb(void *opaque)
{
    explore_note("the main thread's own operation is done");
    nested_done = 1;
}

static void main_entry(void *opaque)
{
    bool stopped = false;

    explore_bql_is_mine();
    for (;;) {
        if (qatomic_xchg(&request, 0)) {
            explore_note("the request is served");
            work_ran = 1;
        }
        if (!stopped) {
            explore_note("vm_stop(): waits in aio_poll()");
            qemu_bh_schedule(nested_bh);
            while (!nested_done) {
                aio_poll(ctx, true);
            }
            stopped = true;
        }
        main_loop_wait(false);
    }
}

static void publish(void)
{
    qatomic_set(&request, 1);
    qemu_notify_event();
}

static void set_up(void)
{
    parts_init();
    nested_bh = aio_bh_new(ctx, nested_cb, NULL);
    explore_name(&request, sizeof(request), "the request");
    explore_name(nested_bh, 48, "nested_bh");
    part_main_thread(main_entry);
    part_waiter();
    part_completer();
    part_notifier("notifier", publish);
}

const ExploreScenario explore_scenario = {
    .set_up = set_up,
    .check = check_work,
};
