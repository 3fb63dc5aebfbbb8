/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bottom half of the main context, scheduled by another thread while a
 * temporary waiter polls, runs without any further event.
 *
 *     main              vcpu                        notifier
 *     ppoll             aio_poll(): woken
 *                       runs its bottom half
 *                                                   schedules a bottom half,
 *                                                   writes the notifier
 *                       clears the notifier
 *     sleeps            returns to the guest
 *
 * Opened by 601829f88e ("async: always set ctx->notified in aio_notify()").
 *
 * Expect: stock lost; rule holds; requests holds
 * Reach: main sleeps; vcpu sleeps; main clears ctx->notifier; vcpu clears ctx->notifier; worker writes ctx->notifier; notifier writes ctx->notifier
 * Reach-rule: vcpu writes glib's wakeup; main clears glib's wakeup
 */
#include "parts.h"

static void publish(void)
{
    qemu_bh_schedule(work_bh);
}

static void set_up(void)
{
    parts_init();
    part_main_loop();
    part_waiter();
    part_completer();
    part_notifier("notifier", publish);
}

const ExploreScenario explore_scenario = {
    .set_up = set_up,
    .check = check_work,
};
