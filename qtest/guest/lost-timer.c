/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario lost-timer: the main loop sleeps on a timeout that is too long,
 * while the vCPU writes to the flash
 */
#include "guest.h"

const char scenario_name[] = "lost-timer";

void scenario_main(void)
{
    devices_open();
    warm_up();
    timer_rounds(NULL, NULL, flash_byte);
}
