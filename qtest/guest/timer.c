/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rounds in which the main loop sleeps on a timeout that is too long
 *
 * The vCPU arms the PIT, which notifies the main loop so that it computes its
 * timeout anew, then does something for which QEMU lets it wait.  IRQ 0 must
 * come.  When it does not, one more flash write helps by chance at most,
 * because a temporary waiter runs no device timers; arming the PIT again
 * notifies again and should bring it.
 */
#include "guest.h"
#include "io.h"

#define SHOT_US 2000
/* An IRQ 0 earlier than this is the late end of the round's wake. */
#define SHOT_MIN_US 1800

static uint64_t armed_tsc;
static void (*open_device)(void);
static void (*start_request)(void);
static void (*wait_for_it)(void);

static void arm(void)
{
    irq_timer_expect();
    armed_tsc = rdtsc();
    pit_shot_us(SHOT_US);
    interrupts_on();
}

static bool shot_came(void)
{
    uint64_t tsc = irq_timer_tsc();

    return tsc &&
           tsc - armed_tsc >= divide((uint64_t)SHOT_MIN_US * tsc_per_ms, 1000);
}

static bool run_round(uint32_t n)
{
    uint64_t us = 0;
    bool rescued = false;
    bool kept;

    if (open_device) {
        open_device();
    }
    round_begin_with(start_request);
    arm();
    wait_for_it();
    mark('f');
    kept = clock_wait(shot_came, &us);
    if (!kept) {
        mark('l');
        flash_byte();
        if (clock_wait(shot_came, &us)) {
            report_note(n, "a flash byte brought the timer");
            rescued = true;
        } else {
            report_note(n, "a flash byte did not bring the timer");
            rescued = round_rescue(arm, shot_came, &us);
        }
    }
    irq_timer_ignore();
    round_quiet();
    round_end();

    if (kept) {
        report_kept(n);
    } else {
        report_lost(n, "timer", rescued, us);
    }
    return kept;
}

void timer_rounds(void (*open)(void), void (*start)(void), void (*wait)(void))
{
    open_device = open;
    start_request = start;
    wait_for_it = wait;
    rounds_run(run_round, NULL);
}
