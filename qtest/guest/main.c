/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way from start.S to the scenario
 */
#include "guest.h"

#define WARM_UP_ROUNDS 8

volatile const GuestConfig config __attribute__((section(".config"))) = {
    .magic = { 'A', 'I', 'O', 'W', 'A', 'K', 'E', '1' },
    .rounds = 100,
    .patience_ms = 1000,
    .quiet_us = 2000,
    .flags = 0,
};

void guest_main(void);

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

void warm_up(void)
{
    uint64_t us = 0;

    for (int i = 0; i < WARM_UP_ROUNDS; i++) {
        disk_read();
        flash_byte();
        if (i == 0 && flash_refused()) {
            fail("flash unit 1 is read-only");
        }
        if (!clock_wait(disk_idle, &us)) {
            /* Even a warm-up round may lose: the flash byte rescues it. */
            flash_byte();
            if (!clock_wait(disk_idle, &us) && config.patience_ms) {
                fail("the disk does not answer");
            }
        }
    }
    report_line("ready");
}
