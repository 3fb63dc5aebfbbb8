/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way from start.S to the scenario
 */
#include "entry.h"
#include "guest.h"

#define WARM_UP_ROUNDS 8
#define WARM_UP_READS 3         /* at a time: each may start a worker */
#define WARM_UP_TRIES 10

/* volatile: see guest.h */
volatile const GuestConfig config = {
    .magic = { 'A', 'I', 'O', 'W', 'A', 'K', 'E', '1' },
    .rounds = 100,
    .patience_ms = 1000,
    .quiet_us = 2000,
    .flags = 0,
};

void guest_main(void)
{
    irq_open();
    pit_quiet();
    rtc_stop();
    scenario_main();
}

void devices_open(void)
{
    report_text("aio-wakeup guest 1 ");
    report_text(scenario_name);
    report_send();
    power_open();
    clock_calibrate();
    flash_open();
    disk_open();
}

/* Even a warm-up round may lose its read: a flash byte rescues it. */
static void wait_for_disk(void)
{
    uint64_t us = 0;

    for (int i = 0; i < WARM_UP_TRIES; i++) {
        if (clock_wait(disk_idle, &us)) {
            return;
        }
        flash_byte();
    }
    if (config.patience_ms) {
        fail("the disk does not answer");
    }
}

void warm_up(void)
{
    for (int i = 0; i < WARM_UP_ROUNDS; i++) {
        for (int reads = 0; reads < WARM_UP_READS; reads++) {
            disk_read();
        }
        flash_byte();
        if (i == 0 && flash_refused()) {
            fail("flash unit 1 is read-only");
        }
        wait_for_disk();
    }
    report_line("ready");
}
