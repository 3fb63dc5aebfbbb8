/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A handler that another thread adds to the main context while a temporary waiter
 * polls, for a file descriptor that is readable then or later: it is called.
 * (g_source_add_poll() writes glib's own wakeup.)
 *
 * Expect: stock holds; rule holds; requests holds
 * Reach: main sleeps; vcpu sleeps; vcpu clears ctx->notifier; notifier writes glib's wakeup; main clears glib's wakeup; notifier writes the device's fd; main clears the device's fd
 */
#include "parts.h"

static EventNotifier device;
static int vcpu;

static void device_cb(void *opaque)
{
    if (event_notifier_test_and_clear(&device)) {
        explore_note("the device's handler runs");
        work_ran = 1;
        if (explore_self() != vcpu) {
            qemu_bh_schedule(op_bh);
        }
    }
}

static void vcpu_entry(void *opaque)
{
    explore_bql_lock();
    while (!op_done && !work_ran) {
        aio_poll(ctx, true);
    }
    explore_bql_unlock();
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
    vcpu = explore_thread("vcpu", vcpu_entry, NULL);
    part_notifier("notifier", publish);
}

const ExploreScenario explore_scenario = {
    .set_up = set_up,
    .check = check_work,
};
