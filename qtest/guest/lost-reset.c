/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario lost-reset: the machine is not reset though a vCPU asked for it
 *
 * QEMU stops the vCPU that asks, so the second one is the temporary waiter:
 * it writes to the flash, and waits.  Every kept round ends in a reset of the
 * machine, so the counts live in RAM that start.S does not clear, and the
 * first vCPU closes the open round when it starts anew.
 */
#include "guest.h"
#include "io.h"

#define PERSIST_MAGIC 0x74736572    /* "rest" */
#define SETTLE_US 100

const char scenario_name[] = "lost-reset";

typedef enum RoundState {
    ROUND_CLOSED,
    ROUND_OPEN,         /* the reset is awaited */
    ROUND_LOST,         /* patience was over, a rescue is tried */
} RoundState;

static struct {
    uint32_t magic;
    uint32_t state;
    uint32_t rounds;
    uint32_t lost;
    uint32_t tsc_per_ms;
    uint64_t start;     /* TSC */
    uint64_t waited_us; /* of a lost round */
} volatile persist __attribute__((section(".persist"), nocommon));

static bool never(void)
{
    return false;
}

/* The second vCPU: ends in the reset, or ends the run. */
static void poll_and_wait(void)
{
    uint64_t us = 0;

    clock_spin_us(SETTLE_US);
    mark('w');
    flash_byte();
    mark('f');
    clock_wait(never, &us);
    mark('l');
    persist.waited_us = us;
    persist.lost++;
    persist.state = ROUND_LOST;

    round_rescue(round_notify, never, &us);
    report_lost(persist.rounds, "reset", false, us);
    finish(persist.rounds, persist.lost, clock_us_since(persist.start));
}

static void close_round(void)
{
    if (persist.state == ROUND_OPEN) {
        report_kept(persist.rounds);
    } else if (persist.state == ROUND_LOST) {
        report_lost(persist.rounds, "reset", true, persist.waited_us);
    }
    persist.state = ROUND_CLOSED;
    mark('e');
}

void scenario_main(void)
{
    if (persist.magic != PERSIST_MAGIC) {
        devices_open();
        smp_open();
        warm_up();
        persist.state = ROUND_CLOSED;
        persist.rounds = 0;
        persist.lost = 0;
        persist.tsc_per_ms = tsc_per_ms;
        persist.start = rdtsc();
        persist.magic = PERSIST_MAGIC;
    } else {
        tsc_per_ms = persist.tsc_per_ms;
        flash_open();
        close_round();
    }
    if (!round_more(persist.rounds)) {
        finish(persist.rounds, persist.lost, clock_us_since(persist.start));
    }

    persist.rounds++;
    persist.state = ROUND_OPEN;
    round_begin();
    smp_start(poll_and_wait);
    power_reset();
    stop();
}
