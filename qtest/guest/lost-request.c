/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario lost-request: QEMU does not go away though SIGTERM asked for it
 *
 * Asks for a reset, which QEMU's options make a shutdown, or a stop before one;
 * when the signal comes is up to the schedule.
 */
#include "guest.h"
#include "io.h"

const char scenario_name[] = "lost-request";

void scenario_main(void)
{
    devices_open();
    report_line("ready");
    mark('b');
    mark('r');
    power_reset();
    stop();
}
