/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A timer of the main context that another thread arms: the main loop wakes and
 * sleeps again with the new timeout.
 *
 * Expect: stock lost; rule holds; requests holds
 * Reach: main sleeps; vcpu sleeps; vcpu clears ctx->notifier; worker writes ctx->notifier; notifier writes ctx->notifier
 * Reach-rule: vcpu writes glib's wakeup
 */
#include "parts.h"

static void publish(void)
{
    timer_mod(&timer, explore_now() + SCALE_MS);
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
