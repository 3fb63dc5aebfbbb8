/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario lost-switchover: QEMU does not go away though the guest asked for
 * it, because a live migration came to its switchover at that moment
 *
 * The temporary waiter is the migration thread, which stops the guest and waits
 * for its disk read.  So the guest only asks; it can say nothing any more, and
 * whoever runs it must look whether QEMU leaves.
 *
 * It is told to begin by a word in its RAM, which may be written from outside
 * when the migration is on its way.  RAM is filled before, so that this takes
 * some time.
 */
#include "guest.h"
#include "io.h"

#define GO ((volatile uint32_t *)0x80000)   /* volatile: set from outside */
#define FILL_START 0x100000
#define FILL_END 0xd00000

const char scenario_name[] = "lost-switchover";

static void fill_ram(void)
{
    uint32_t *word;

    for (word = (uint32_t *)FILL_START; word < (uint32_t *)FILL_END; word++) {
        *word = (uintptr_t)word;
    }
}

void scenario_main(void)
{
    devices_open();
    *GO = 0;
    fill_ram();
    warm_up();
    while (!*GO) {
        continue;
    }

    round_begin();
    disk_read();
    power_off();
    mark('d');
    for (;;) {
        continue;
    }
}
