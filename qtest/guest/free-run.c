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

static void tell_progress(uint32_t n, uint32_t lost, uint64_t us)
{
    if (n % PROGRESS_ROUNDS == 0) {
        report_text("progress ");
        report_number(n);
        report_text(" lost ");
        report_number(lost);
        report_text(" us ");
        report_number(us);
        report_send();
    }
}

void scenario_main(void)
{
    devices_open();
    warm_up();
    rounds_run(run_round, tell_progress);
}
