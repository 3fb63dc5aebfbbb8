/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario free-run: reads and flash writes with nothing forced
 *
 * Counts how often a read is lost by itself, and how fast rounds are.  It
 * gives no marks, so that no schedule can hold it, and wakes the main loop
 * with nothing but the read.
 */
#include "guest.h"
#include "io.h"

#define PROGRESS_ROUNDS 1000

const char scenario_name[] = "free-run";

static bool run_round(uint32_t n)
{
    uint64_t us = 0;
    bool rescued;

    disk_read();
    flash_byte();
    if (clock_wait(disk_idle, &us)) {
        return true;
    }
    rescued = round_rescue_read(&us);
    report_lost(n, "read", rescued, us);
    return false;
}

void scenario_main(void)
{
    uint32_t n = 0;
    uint32_t lost = 0;
    uint32_t until_progress = PROGRESS_ROUNDS;
    uint64_t start;

    devices_open();
    warm_up();
    start = rdtsc();
    while (round_more(n)) {
        if (!run_round(++n)) {
            lost++;
        }
        if (--until_progress == 0) {
            until_progress = PROGRESS_ROUNDS;
            report_text("progress ");
            report_number(n);
            report_text(" lost ");
            report_number(lost);
            report_text(" us ");
            report_number(clock_us_since(start));
            report_send();
        }
    }
    finish(n, lost, clock_us_since(start));
}
