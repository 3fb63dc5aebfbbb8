/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario timer-virtio-blk: as lost-timer, while the vCPU resets the disk,
 * which drains it
 */
#include "guest.h"

const char scenario_name[] = "timer-virtio-blk";

void scenario_main(void)
{
    devices_open();
    warm_up();
    timer_rounds(disk_open, disk_read, disk_reset);
}
