/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stop the real-time clock
 *
 * Left alone it wakes QEMU's main loop once within a second of the start and
 * again at midnight, and either would rescue a lost wakeup in time.
 */
#include "guest.h"
#include "io.h"

#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define REG_A 0x0a
#define REG_A_DIVIDER_RESET 0x70    /* and no periodic interrupt */

void rtc_stop(void)
{
    outb(CMOS_INDEX, REG_A);
    outb(CMOS_DATA, REG_A_DIVIDER_RESET);
}
