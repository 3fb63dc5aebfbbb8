/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario lost-bh: the completion of a disk read is forgotten
 *
 * A read is in flight while the vCPU writes to the flash and polls the main
 * context for that.  The read must complete without any further event.  When
 * it does not, another flash write polls once more and so runs the forgotten
 * bottom half; a read that comes then was not slow, but lost.  A second read,
 * with no flash write beside it, shows whether the main loop still works.
 *
 * Mark d comes when the read is submitted: a schedule that holds the disk's
 * worker lets the flash write begin only when that worker has the read, or
 * both requests could wait for the same, only worker.
 */
#include "guest.h"
#include "io.h"

const char scenario_name[] = "lost-bh";

/* Returns whether the read came by itself. */
static bool wait_read(bool *rescued, uint64_t *us)
{
    *us = 0;
    if (clock_wait(disk_idle, us)) {
        return true;
    }
    mark('l');
    *rescued = round_rescue_read(us);
    return false;
}

/* It sleeps still: a read that comes shows that it is back for a new round. */
static void wake_main_loop(uint32_t n)
{
    uint64_t us = 0;

    disk_read();
    if (round_rescue(round_notify, disk_idle, &us)) {
        report_note(n, "the main loop has been woken");
    } else {
        report_note(n, "the main loop cannot be woken");
    }
}

static bool run_round(uint32_t n)
{
    bool kept, second_kept;
    bool rescued, second_rescued;
    uint64_t us, second_us;

    round_begin();
    disk_read();
    mark('d');
    flash_byte();
    mark('f');
    kept = wait_read(&rescued, &us);
    round_quiet();
    disk_read();
    second_kept = wait_read(&second_rescued, &second_us);
    if (!second_kept) {
        wake_main_loop(n);
    }
    round_end();

    if (!kept) {
        report_lost(n, "read", rescued, us);
    } else if (!second_kept) {
        report_lost(n, "second-read", second_rescued, second_us);
    } else {
        report_kept(n);
    }
    return kept && second_kept;
}

void scenario_main(void)
{
    devices_open();
    warm_up();
    rounds_run(run_round, NULL);
}
