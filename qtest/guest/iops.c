/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario iops: how many reads a second the disk completes
 *
 * A measurement, nothing is lost here: no flash is written, so that the main
 * loop, or the iothread, is the only one that polls.  As many reads are kept
 * under way as the flags say.
 */
#include "guest.h"
#include "io.h"

const char scenario_name[] = "iops";

static unsigned depth;

static bool has_room(void)
{
    return disk_pending() < depth;
}

static void wait_for(bool (*come)(void))
{
    uint64_t us = 0;

    if (!clock_wait(come, &us)) {
        fail("the disk does not answer");
    }
}

void scenario_main(void)
{
    uint64_t start;
    uint32_t submitted = 0;

    depth = GUEST_DEPTH(config.flags);
    depth = depth ? depth : 1;
    devices_open();
    warm_up();

    start = rdtsc();
    while (round_more(submitted)) {
        uint32_t room = depth - disk_pending();

        if (config.rounds && room > config.rounds - submitted) {
            room = config.rounds - submitted;
        }
        disk_reads(room);
        submitted += room;
        wait_for(has_room);
    }
    wait_for(disk_idle);
    finish(submitted, 0, clock_us_since(start));
}
