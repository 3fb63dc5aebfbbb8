/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtqueue in RAM, on any transport: "Split Virtqueues" in the Virtio 1.1
 * specification
 */
#ifndef AIO_WAKEUP_VIRTQUEUE_H
#define AIO_WAKEUP_VIRTQUEUE_H

#include <stdint.h>

#define DESC_NEXT 1
#define DESC_WRITE 2            /* the device writes it */
#define AVAIL_NO_INTERRUPT 1

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
