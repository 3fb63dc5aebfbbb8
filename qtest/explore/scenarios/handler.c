/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A handler that another thread adds to the main context, for a file descriptor
 * that is readable then or later: the main loop calls it.
 *
 * Expect: stock holds; rule holds; requests holds
 * Reach: main sleeps; vcpu sleeps; vcpu clears ctx->notifier; notifier writes glib's wakeup; main clears glib's wakeup; notifier writes the device's fd
 */
#include "parts.h"

static EventNotifier device;

static void device_cb(void *opaque)
{
    if (event_notifier_test_and_clear(&device)) {
        explore_note("the device's handler runs");
        work_ran = 1;
    }
}

static void publish(void)
{
    parts_set_handler(event_notifier_get_fd(&device), device_cb);
    event_notifier_set(&device);
}

static void set_up(void)
{
    parts_init();
    event_notifier_init(&device, false);
    explore_name_fd(event_notifier_get_fd(&device), "the device's fd");
    part_main_loop();
    part_waiter();
    part_completer();
    part_notifier("notifier", publish);
}

const ExploreScenario explore_scenario = {
    .set_up = set_up,
    .check = check_work,
};
