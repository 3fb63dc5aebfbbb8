/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file descriptors that the main loop polls */
#ifndef AIO_WAKEUP_SHIM_POLLED_H
#define AIO_WAKEUP_SHIM_POLLED_H

#include <poll.h>
#include <stdbool.h>

/* The main loop is about to poll these @n.  Called by the main thread only. */
void polled_set(const struct pollfd *fds, int n);

/* May be called by any thread, at any time; no system call, no lock. */
bool polled_has(int fd);

#endif
