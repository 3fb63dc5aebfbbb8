/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario idle: the vCPU sleeps for ever
 *
 * A measurement: QEMU should sleep, too.  Its devices have been used before.
 */
#include "guest.h"
#include "io.h"

const char scenario_name[] = "idle";

void scenario_main(void)
{
    devices_open();
    warm_up();
    if (config.flags & GUEST_TICKS) {
        pit_tick();
    }
    stop();
}
