/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario timer-ide: as lost-timer, while the vCPU stops a DMA read of an IDE
 * disk, which drains that
 */
#include "guest.h"
#include "io.h"

#define PIIX_IDE 0x7010
#define PCI_BAR4 0x20

#define BUS_MASTER 0xc100
#define BM_COMMAND 0
#define BM_STATUS 2
#define BM_TABLE 4
#define BM_START 1
#define BM_TO_RAM 8
#define BM_CLEAR 6              /* interrupt and error */

#define IDE_COUNT 0x1f2
#define IDE_LBA_LOW 0x1f3
#define IDE_LBA_MID 0x1f4
#define IDE_LBA_HIGH 0x1f5
#define IDE_DRIVE 0x1f6
#define IDE_COMMAND 0x1f7
#define IDE_CONTROL 0x3f6
#define DRIVE_LBA 0xe0
#define NO_INTERRUPT 2
#define READ_DMA 0xc8
#define NO_DRIVE 0xff

#define SECTOR 512
#define LAST_REGION 0x8000

const char scenario_name[] = "timer-ide";

static struct {
    uint32_t addr;
    uint16_t len;
    uint16_t flags;
} region __attribute__((aligned(16)));
static uint8_t sector_data[SECTOR] __attribute__((aligned(SECTOR)));
static uint8_t next_sector;

static void ide_open(void)
{
    uint32_t ide = pci_find(0x8086, PIIX_IDE);

    outb(IDE_DRIVE, DRIVE_LBA);
    if (!ide || inb(IDE_COMMAND) == NO_DRIVE || !inb(IDE_COMMAND)) {
        fail("no IDE disk, start QEMU with -device ide-hd,bus=ide.0,unit=0");
    }
    pci_write(ide, PCI_BAR4, BUS_MASTER);
    pci_enable(ide);
    outb(IDE_CONTROL, NO_INTERRUPT);
    region.addr = (uintptr_t)sector_data;
    region.len = SECTOR;
    region.flags = LAST_REGION;
}

static void start_read(void)
{
    outl(BUS_MASTER + BM_TABLE, (uintptr_t)&region);
    outb(BUS_MASTER + BM_COMMAND, BM_TO_RAM);
    outb(BUS_MASTER + BM_STATUS, BM_CLEAR);
    outb(IDE_DRIVE, DRIVE_LBA);
    outb(IDE_COUNT, 1);
    outb(IDE_LBA_LOW, next_sector++);
    outb(IDE_LBA_MID, 0);
    outb(IDE_LBA_HIGH, 0);
    outb(IDE_COMMAND, READ_DMA);
    outb(BUS_MASTER + BM_COMMAND, BM_TO_RAM | BM_START);
}

static void stop_read(void)
{
    outb(BUS_MASTER + BM_COMMAND, BM_TO_RAM);
}

void scenario_main(void)
{
    devices_open();
    ide_open();
    warm_up();
    timer_rounds(NULL, start_read, stop_read);
}
