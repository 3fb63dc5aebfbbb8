/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request that arrives while the main thread itself is in a nested aio_poll(),
 * after it has looked at the request flags: main_loop_should_exit() finds no
 * shutdown request, then stops the VM, which waits for a disk on an iothread.
 *
 *     main                                        notifier
 *     looks at the flag: no request
 *     vm_stop(): aio_poll()
 *                                                 sets the flag,
 *                                                 qemu_notify_event()
 *     the empty bottom half runs, in aio_poll()
 *     main_loop_wait(): sleeps with the request
 *
 * Who takes the wakeup here is the main thread, which is not the main loop then:
 * bit 0 of notify_me is not set, and the rule alone gives nothing back.
 *
 * Expect: stock lost; rule lost; requests holds
 * Reach: main sleeps; main clears ctx->notifier; worker writes ctx->notifier
 * Reach-requests: notifier writes glib's wakeup; main clears glib's wakeup
 */
#include "parts.h"

static int request;

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
            wait_in_aio_poll();
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
    explore_name(&request, sizeof(request), "the request");
    part_main_thread(main_entry);
    part_completer();
    part_notifier("notifier", publish);
}

const ExploreScenario explore_scenario = {
    .set_up = set_up,
    .check = check_work,
};
