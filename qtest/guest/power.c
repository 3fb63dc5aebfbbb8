/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PIIX4 power management (no firmware has set it up before us) and the
 * chip set's reset port
 */
#include "guest.h"
#include "io.h"

#define PM_BASE 0xb000

#define PIIX4_PMBASE 0x40
#define PIIX4_PMREGMISC 0x80
#define PMREGMISC_IO 1

#define PM1_CNT 4
#define PM1_CNT_SLP_EN 0x2000       /* sleep type 0 is S5 in QEMU's PIIX4 */
#define PM_TMR 8

#define RESET_PORT 0xcf9
#define RESET_HARD 6

void power_open(void)
{
    uint32_t piix4 = pci_find(0x8086, 0x7113);

    if (!piix4) {
        fail("no PIIX4 power management, start QEMU with -machine pc");
    }
    pci_write(piix4, PIIX4_PMBASE, PM_BASE | 1);
    pci_write(piix4, PIIX4_PMREGMISC,
              pci_read(piix4, PIIX4_PMREGMISC) | PMREGMISC_IO);
    pci_enable(piix4);
}

uint32_t power_timer(void)
{
    return inl(PM_BASE + PM_TMR);
}

void power_off(void)
{
    outw(PM_BASE + PM1_CNT, PM1_CNT_SLP_EN);
}

void power_reset(void)
{
    outb(RESET_PORT, RESET_HARD);
}
