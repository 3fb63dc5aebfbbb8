/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario lost-shutdown: QEMU does not go away though the guest asked for it
 *
 * One round a boot: ACPI S5, then a flash write.  A kept round prints nothing:
 * QEMU leaves, with exit status 0.  A lost one is reported before the rescue,
 * because QEMU leaves when the rescue works; only when that does not help
 * either an end line follows.
 */
#include "guest.h"
#include "io.h"

const char scenario_name[] = "lost-shutdown";

/* If this guest still runs, QEMU has not gone away. */
static bool never(void)
{
    return false;
}

void scenario_main(void)
{
    uint64_t us = 0;

    devices_open();
    warm_up();

    round_begin();
    power_off();
    flash_byte();
    mark('f');
    clock_wait(never, &us);
    mark('l');
    report_lost(1, "shutdown", false, us);

    round_rescue(round_notify, never, &us);
    finish(1, 1, us);
}
