/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio through legacy I/O ports
 *
 * Offsets of "Legacy Interface: A Note on PCI Device Layout" in the Virtio 1.1
 * specification.
 */
#ifndef AIO_WAKEUP_VIRTIO_H
#define AIO_WAKEUP_VIRTIO_H

#include "virtqueue.h"

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

#define QUEUE_MAX 1024

#endif
