/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AIO_WAKEUP_SHIM_RING_H
#define AIO_WAKEUP_SHIM_RING_H

#include <stdbool.h>

struct pollfd;

/* From now on QEMU is told that there is no io_uring. */
void ring_refuse(void);

/*
 * Does the main loop poll a ring (of these @n descriptors) through a liburing
 * that is linked into the program, so that no call shows what others take?
 */
bool ring_is_hidden(const struct pollfd *fds, int n);

#endif
