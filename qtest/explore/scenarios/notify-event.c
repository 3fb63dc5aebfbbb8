/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request flag and qemu_notify_event() from another thread, while a temporary
 * waiter polls: main_loop_wait() returns, and the main thread sees the flag.
 *
 * Expect: stock lost; rule holds; requests holds
 * Reach: main sleeps; vcpu sleeps; vcpu clears ctx->notifier; worker writes ctx->notifier
 * Reach-rule: vcpu writes glib's wakeup
 */
#include "parts.h"

static int request;

static void main_entry(void *opaque)
{
    explore_bql_is_mine();
    for (;;) {
        if (qatomic_xchg(&request, 0)) {
            explore_note("the request is served");
            work_ran = 1;
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
    part_waiter();
    part_completer();
    part_notifier("notifier", publish);
}

const ExploreScenario explore_scenario = {
    .set_up = set_up,
    .check = check_work,
};
