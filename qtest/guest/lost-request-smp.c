/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario lost-request-smp: QEMU stays although the guest has powered off
 *
 * The second vCPU powers off, while the first one is stopped by a read of an
 * IDE disk that fails.
 */
#include "guest.h"
#include "io.h"

#define IDE_COUNT 0x1f2
#define IDE_LBA 0x1f3
#define IDE_DEVICE 0x1f6
#define IDE_DEVICE_LBA 0xe0
#define IDE_COMMAND 0x1f7
#define IDE_READ_SECTORS 0x20

const char scenario_name[] = "lost-request-smp";

static void second_vcpu(void)
{
    mark('w');
    power_off();
    stop();
}

void scenario_main(void)
{
    devices_open();
    smp_open();
    report_line("ready");
    mark('b');
    smp_start(second_vcpu);
    mark('r');
    outb(IDE_DEVICE, IDE_DEVICE_LBA);
    outb(IDE_COUNT, 1);
    for (int i = 0; i < 3; i++) {
        outb(IDE_LBA + i, 0);
    }
    outb(IDE_COMMAND, IDE_READ_SECTORS);
    stop();
}
