/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time: the TSC, because reading it takes no lock in QEMU
 *
 * Its rate is measured once against the ACPI PM timer (3.579545 MHz, 24 bits).
 */
#include "guest.h"
#include "io.h"

#define PM_TIMER_HZ 3579545
#define PM_TIMER_MASK 0xffffff
#define CALIBRATION_TICKS (PM_TIMER_HZ / 200)   /* 5 ms */
#define SAMPLES 16

uint32_t tsc_per_ms;

/*
 * Read both clocks at the same moment: of some tries the one that took the
 * least, because the host may take the CPU away between the two.
 */
static uint64_t sample(uint32_t *pm_ticks)
{
    uint64_t best = UINT64_MAX;
    uint64_t tsc = 0;

    *pm_ticks = 0;
    for (int i = 0; i < SAMPLES; i++) {
        uint64_t before = rdtsc();
        uint32_t pm = power_timer();
        uint64_t took = rdtsc() - before;

        if (took < best) {
            best = took;
            tsc = before + took / 2;
            *pm_ticks = pm;
        }
    }
    return tsc;
}

void clock_calibrate(void)
{
    uint32_t pm_start, pm_end, pm_ticks;
    uint64_t tsc_start, tsc_ticks;
    unsigned polls = 0;

    tsc_start = sample(&pm_start);
    while (((power_timer() - pm_start) & PM_TIMER_MASK) < CALIBRATION_TICKS) {
        if (++polls == 10000000) {
            fail("the ACPI PM timer stands still");
        }
    }
    tsc_ticks = sample(&pm_end) - tsc_start;
    pm_ticks = (pm_end - pm_start) & PM_TIMER_MASK;

    /* ticks per ms = tsc_ticks / (pm_ticks / PM_TIMER_HZ * 1000) */
    tsc_per_ms = divide(divide(tsc_ticks * PM_TIMER_HZ, pm_ticks), 1000);
    if (tsc_per_ms < 1000) {
        fail("the TSC stands still");
    }
}

uint64_t clock_us_since(uint64_t tsc)
{
    return divide((rdtsc() - tsc) * 1000, tsc_per_ms);
}

void clock_spin_us(uint32_t us)
{
    uint64_t start = rdtsc();
    uint64_t ticks = divide((uint64_t)us * tsc_per_ms, 1000);

    while (rdtsc() - start < ticks) {
        continue;
    }
}

/*
 * The time is taken before each look, so a vCPU that was not run for long
 * looks once more before it gives up.
 */
bool clock_wait_ms(bool (*come)(void), uint32_t ms, uint64_t *waited_us)
{
    uint64_t start = rdtsc();
    uint64_t ticks = (uint64_t)ms * tsc_per_ms;
    uint64_t passed = 0;
    bool done = false;

    while (!done && passed < ticks) {
        passed = rdtsc() - start;
        done = come();
    }
    *waited_us += clock_us_since(start);
    return done;
}

bool clock_wait(bool (*come)(void), uint64_t *waited_us)
{
    return clock_wait_ms(come, config.patience_ms, waited_us);
}
