/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio-blk disk through the legacy I/O port interface
 *
 * Reads of one sector, each another one, into one buffer that nobody looks at:
 * reads at the same time may share it.  The device is told not to interrupt; a
 * completed read shows in the used ring in RAM.
 */
#include "guest.h"
#include "io.h"
#include "virtio.h"

#define DISK_PORTS 0xc000

#define CAPACITY 20             /* offset of a register of the disk's own */

typedef struct RequestHeader {
    uint32_t type;              /* 0: read */
    uint32_t reserved;
    uint64_t sector;
} RequestHeader;

/* the largest queue: descriptors, available ring, used ring on a new page */
static uint8_t queue[QUEUE_MAX * 16 + PAGE + QUEUE_MAX * 8 + PAGE]
    __attribute__((aligned(PAGE)));
static uint8_t sector_data[SECTOR] __attribute__((aligned(SECTOR)));
static RequestHeader header __attribute__((aligned(16)));
static volatile uint8_t request_status; /* volatile: the device writes it */

static volatile Avail *avail;           /* volatile: the device reads it */
static volatile Used *used;             /* volatile: the device writes it */
static uint16_t queue_num;
static uint32_t sectors;
static uint32_t next_sector;

/* volatile: some of what is described is */
static void set_desc(int i, volatile void *addr, uint32_t len, uint16_t flags)
{
    Desc *desc = (Desc *)queue + i;

    desc->addr = (uintptr_t)addr;
    desc->len = len;
    desc->flags = flags;
    desc->next = flags & DESC_NEXT ? i + 1 : 0;
}

void disk_open(void)
{
    uint32_t disk = pci_find(0x1af4, 0x1001);
    uint32_t used_offset;

    if (!disk) {
        fail("no virtio-blk device with the legacy interface on PCI bus 0");
    }
    pci_write(disk, PCI_BAR0, DISK_PORTS);
    pci_enable(disk);

    outb(DISK_PORTS + STATUS, 0);
    for (unsigned i = 0; i < sizeof(queue); i++) {
        queue[i] = 0;
    }
    outb(DISK_PORTS + STATUS, STATUS_ACKNOWLEDGE);
    outb(DISK_PORTS + STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    outl(DISK_PORTS + GUEST_FEATURES, 0);
    sectors = inl(DISK_PORTS + CAPACITY);
    if (!sectors || sectors == UINT32_MAX) {
        fail("the virtio-blk device has no sectors");
    }

    outw(DISK_PORTS + QUEUE_SEL, 0);
    queue_num = inw(DISK_PORTS + QUEUE_NUM);
    if (queue_num < 3 || queue_num > QUEUE_MAX ||
        (queue_num & (queue_num - 1))) {
        fail("the virtio-blk device has no usable queue");
    }
    /* volatile: the device reads it */
    avail = (volatile Avail *)(queue + queue_num * sizeof(Desc));
    used_offset = queue_num * sizeof(Desc) + sizeof(Avail) +
                  queue_num * sizeof(uint16_t) + sizeof(uint16_t);
    used_offset = (used_offset + PAGE - 1) & -PAGE;
    /* volatile: the device writes it */
    used = (volatile Used *)(queue + used_offset);
    avail->flags = AVAIL_NO_INTERRUPT;
    outl(DISK_PORTS + QUEUE_PFN, (uintptr_t)queue / PAGE);

    set_desc(0, &header, sizeof(header), DESC_NEXT);
    set_desc(1, sector_data, SECTOR, DESC_NEXT | DESC_WRITE);
    set_desc(2, &request_status, 1, DESC_WRITE);

    outb(DISK_PORTS + STATUS,
         STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK);
}

void disk_reads(unsigned n)
{
    header.sector = next_sector++ % sectors;
    for (unsigned i = 0; i < n; i++) {
        avail->ring[(avail->idx + i) & (queue_num - 1)] = 0;
    }
    barrier();
    avail->idx += n;
    barrier();
    outw(DISK_PORTS + QUEUE_NOTIFY, 0);
}

void disk_read(void)
{
    disk_reads(1);
}

unsigned disk_pending(void)
{
    return (uint16_t)(avail->idx - used->idx);
}

bool disk_idle(void)
{
    return used->idx == avail->idx;
}

void disk_reset(void)
{
    outb(DISK_PORTS + STATUS, 0);
}
