/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rounds of the scenarios have in common
 *
 * The PIT shot of a round's begin makes the main loop go round once, so that
 * a schedule can catch it on its way back to sleep.
 */
#include "guest.h"
#include "io.h"

#define WAKE_US 1000
#define WAKE_OVER_US 1500
/* A forgotten bottom half runs within the flash byte's write. */
#define RESCUE_US 100000

static uint64_t wake_tsc;

bool round_more(uint32_t rounds)
{
    return !config.rounds || rounds < config.rounds;
}

bool round_rescue_read(uint64_t *waited_us)
{
    uint64_t us = 0;
    bool came;

    flash_byte();
    came = clock_wait(disk_idle, &us);
    *waited_us += us;
    return came && us <= RESCUE_US;
}

void round_begin(void)
{
    mark('b');
    wake_tsc = rdtsc();
    pit_shot_us(WAKE_US);
    mark('r');
}

void round_end(void)
{
    /* A round that was quicker than the wake has a timer pending still. */
    while (clock_us_since(wake_tsc) < WAKE_OVER_US) {
    }
    mark('q');
    clock_spin_us(config.quiet_us);
    mark('Q');
    mark('e');
}
