/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario timer-virtio-scsi: as lost-timer, while the vCPU resets a
 * virtio-scsi host, which drains its disk
 */
#include "guest.h"
#include "io.h"
#include "virtio.h"

#define PORTS 0xc200

#define REQUESTS 2              /* index of the request queue */
#define TEST_UNIT_READY 0x00
#define READ_10 0x28
#define TRIES 10
#define ANSWER_MS 1000

const char scenario_name[] = "timer-virtio-scsi";

static struct __attribute__((packed)) {
    uint8_t lun[8];
    uint64_t tag;
    uint8_t task_attr;
    uint8_t prio;
    uint8_t crn;
    uint8_t cdb[32];
} request;

static volatile struct __attribute__((packed)) { /* volatile: from the device */
    uint32_t sense_len;
    uint32_t residual;
    uint16_t qualifier;
    uint8_t status;
    uint8_t response;
    uint8_t sense[96];
} answer;

static uint8_t queue[QUEUE_MAX * 16 + PAGE + QUEUE_MAX * 8 + PAGE]
    __attribute__((aligned(PAGE)));
static uint8_t sector_data[SECTOR] __attribute__((aligned(SECTOR)));
static volatile Avail *avail;           /* volatile: the device reads it */
static volatile uint16_t *used_idx;     /* volatile: the device writes it */
static uint16_t queue_num;

static void set_desc(int i, uintptr_t addr, uint32_t len, uint16_t flags)
{
    Desc *desc = (Desc *)queue + i;

    desc->addr = addr;
    desc->len = len;
    desc->flags = flags;
    desc->next = i + 1;
}

/* @data: bytes that come back */
static void submit(uint8_t command, uint32_t data)
{
    request.lun[0] = 1;         /* target 0, LUN 0 */
    request.lun[2] = 0x40;
    request.cdb[0] = command;
    request.cdb[8] = data / SECTOR;
    set_desc(0, (uintptr_t)&request, sizeof(request), DESC_NEXT);
    set_desc(1, (uintptr_t)&answer, sizeof(answer),
             DESC_WRITE | (data ? DESC_NEXT : 0));
    set_desc(2, (uintptr_t)sector_data, data, DESC_WRITE);
    avail->ring[avail->idx & (queue_num - 1)] = 0;
    barrier();
    avail->idx++;
    barrier();
    outw(PORTS + QUEUE_NOTIFY, REQUESTS);
}

static bool answered(void)
{
    return *used_idx == avail->idx;
}

static bool unit_is_ready(void)
{
    uint64_t us = 0;

    submit(TEST_UNIT_READY, 0);
    return clock_wait_ms(answered, ANSWER_MS, &us) && !answer.status &&
           !answer.response;
}

static void scsi_open(void)
{
    uint32_t host = pci_find(0x1af4, 0x1004);
    uint32_t used_offset;
    bool ready = false;

    if (!host) {
        fail("no virtio-scsi host with the legacy interface on PCI bus 0");
    }
    pci_write(host, PCI_BAR0, PORTS);
    pci_enable(host);
    outb(PORTS + STATUS, 0);
    for (unsigned i = 0; i < sizeof(queue); i++) {
        queue[i] = 0;
    }
    outw(PORTS + QUEUE_SEL, REQUESTS);
    queue_num = inw(PORTS + QUEUE_NUM);
    if (queue_num < 3 || queue_num > QUEUE_MAX) {
        fail("the virtio-scsi host has no usable queue");
    }
    /* volatile: the device reads it */
    avail = (volatile Avail *)(queue + queue_num * sizeof(Desc));
    avail->flags = AVAIL_NO_INTERRUPT;
    used_offset = queue_num * (sizeof(Desc) + sizeof(uint16_t)) +
                  sizeof(Avail) + sizeof(uint16_t);
    used_offset = (used_offset + PAGE - 1) & -PAGE;
    /* volatile: the device writes it */
    used_idx = (volatile uint16_t *)(queue + used_offset) + 1;
    outl(PORTS + QUEUE_PFN, (uintptr_t)queue / PAGE);
    outb(PORTS + STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK);

    /* After a reset it has something to tell first. */
    for (int i = 0; i < TRIES && !ready; i++) {
        ready = unit_is_ready();
    }
    if (!ready) {
        fail("the SCSI disk is not ready, it must be target 0");
    }
}

static void start_read(void)
{
    submit(READ_10, SECTOR);
}

static void reset_host(void)
{
    outb(PORTS + STATUS, 0);
}

void scenario_main(void)
{
    devices_open();
    warm_up();
    timer_rounds(scsi_open, start_read, reset_host);
}
