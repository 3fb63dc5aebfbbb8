/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio through legacy I/O ports: registers and rings
 *
 * Offsets and layouts of "Legacy Interface: A Note on PCI Device Layout" and
 * "Virtqueues" in the Virtio 1.1 specification.
 */
#ifndef AIO_WAKEUP_VIRTIO_H
#define AIO_WAKEUP_VIRTIO_H

#include <stdint.h>

#define PCI_BAR0 0x10

/* offsets of the registers */
#define GUEST_FEATURES 4
#define QUEUE_PFN 8
#define QUEUE_NUM 12
#define QUEUE_SEL 14
#define QUEUE_NOTIFY 16
#define STATUS 18

#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4

#define DESC_NEXT 1
#define DESC_WRITE 2            /* the device writes it */
#define AVAIL_NO_INTERRUPT 1

#define QUEUE_MAX 1024
#define PAGE 4096
#define SECTOR 512

typedef struct Desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
} Desc;

typedef struct Avail {
    uint16_t flags;
    uint16_t idx;
    uint16_t ring[];
} Avail;

typedef struct Used {
    uint16_t flags;
    uint16_t idx;
} Used;

#endif
