/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device's timer (main_loop_tlg) that another thread arms.  The main loop is
 * told by qemu_notify_event(), up to v11.1 by an empty bottom half.
 *
 * Expect: stock lost; rule holds; requests holds
 * Reach: main sleeps; vcpu sleeps; vcpu clears ctx->notifier; worker writes ctx->notifier
 * Reach-rule: vcpu writes glib's wakeup
 */
#include "parts.h"

static QEMUTimer device_timer;

static void device_cb(void *opaque)
{
    explore_note("the device's timer runs");
    work_ran = 1;
}

static void publish(void)
{
    timer_mod(&device_timer, explore_now() + SCALE_MS);
}

static void set_up(void)
{
    parts_init();
    timer_init_full(&device_timer, NULL, QEMU_CLOCK_REALTIME, SCALE_NS, 0,
                    device_cb, NULL);
    part_main_loop();
    part_waiter();
    part_completer();
    part_notifier("notifier", publish);
}

const ExploreScenario explore_scenario = {
    .set_up = set_up,
    .check = check_work,
};
