/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AIO_WAKEUP_SHIM_RING_H
#define AIO_WAKEUP_SHIM_RING_H

#include <stdbool.h>

struct pollfd;

/* From now on QEMU is told that there is no io_uring. */
void ring_refuse(void);

/*
 * Looks for a ring among the @n descriptors that the main loop polls first.
 *
 * Returns: true if there is one, and liburing is linked into the program, so
 * that no call shows what others take off that ring.
 */
bool ring_find(const struct pollfd *fds, int n);

#endif
