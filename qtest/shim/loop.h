/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where QEMU's main loop is, and how a wakeup is given back to it */
#ifndef AIO_WAKEUP_SHIM_LOOP_H
#define AIO_WAKEUP_SHIM_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "glib-calls.h"

/* False: this program is none of our business, every call goes straight on. */
extern bool shim_active;

/* Is the caller the thread that runs the main loop? */
bool loop_is_main(void);

/*
 * loop_give_back: the calling thread has taken what may have been the main
 * loop's wakeup.
 * @number: of the note, counts such takings
 *
 * Keeps errno.  Writes glib's eventfd at most once for each time that the main
 * loop looks what there is to do.
 */
void loop_give_back(uint64_t *number);

/* The main thread has come to these places of main_loop_wait(). */
void loop_prepare(void);
void loop_queried(const struct pollfd *fds, int n);
void loop_checked(const struct pollfd *fds, int n, bool ready);
void loop_dispatched(void);

/*
 * The main thread is about to poll for at most @timeout (NULL: for ever), and
 * has polled: in main_loop_wait(), or in an aio_poll() of its own.
 */
void loop_main_polls(const struct timespec *timeout);
void loop_main_polled(void);

#endif
