/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the devices are: read from the device tree that QEMU leaves in RAM
 */
#ifndef GUEST_TREE_H
#define GUEST_TREE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Region {
    uint64_t start;
    uint64_t size;
} Region;

/* Returns whether a device tree is there; nothing else may be called before. */
bool tree_open(void);

/*
 * Finds the part @n, counted from 0 over all of them, of the devices that are
 * @compatible.  @secure: devices for the secure world only; otherwise those that
 * both worlds can use.  Returns whether there are so many.
 */
bool tree_device(const char *compatible, bool secure, unsigned n,
                 Region *region);

#endif
