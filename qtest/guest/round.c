/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rounds of the scenarios have in common
 *
 * The PIT shot of a round's begin makes the main loop go round once, so that
 * a schedule can catch it on its way back to sleep.
 */
#include "guest.h"
#include "io.h"

#define ASKED_US 100
#define WAKE_US 1000
#define WAKE_OVER_US 1500
/* A forgotten bottom half runs within the flash byte's write. */
#define RESCUE_US 100000
#define RESCUE_STEP_MS 20

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

bool round_rescue(void (*notify)(void), bool (*come)(void),
                  uint64_t *waited_us)
{
    bool came = false;

    for (uint32_t ms = 0; ms < config.patience_ms && !came;
         ms += 2 * RESCUE_STEP_MS) {
        notify();
        came = clock_wait_ms(come, RESCUE_STEP_MS, waited_us);
        if (!came) {
            flash_byte();
            came = clock_wait_ms(come, RESCUE_STEP_MS, waited_us);
        }
    }
    return came;
}

void round_notify(void)
{
    wake_tsc = rdtsc();
    pit_shot_us(WAKE_US);
}

void round_begin_with(void (*start)(void))
{
    mark('b');
    if (start) {
        start();
    }
    round_notify();
    mark('r');

    /* A QEMU of 2015 keeps the BQL in the guest until the main loop asks. */
    clock_spin_us(ASKED_US);
}

void round_begin(void)
{
    round_begin_with(NULL);
}

void round_quiet(void)
{
    /* A round that was quicker than the wake has a timer pending still. */
    while (clock_us_since(wake_tsc) < WAKE_OVER_US) {
        continue;
    }
    mark('q');
    clock_spin_us(config.quiet_us);
    mark('Q');
}

void round_end(void)
{
    mark('e');
}

void rounds_run(bool (*run_round)(uint32_t n),
                void (*tell)(uint32_t n, uint32_t lost, uint64_t us))
{
    uint64_t start = rdtsc();
    uint32_t n = 0;
    uint32_t lost = 0;

    while (round_more(n)) {
        if (!run_round(++n)) {
            lost++;
        }
        if (tell) {
            tell(n, lost, clock_us_since(start));
        }
    }
    finish(n, lost, clock_us_since(start));
}
