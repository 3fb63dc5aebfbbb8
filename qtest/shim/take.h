/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AIO_WAKEUP_SHIM_TAKE_H
#define AIO_WAKEUP_SHIM_TAKE_H

#include <stdbool.h>

/*
 * Does the calling thread poll the main loop's ring?  Then the notifiers that
 * it clears are the main loop's, though the main loop's poll does not list
 * them.
 */
extern __thread bool polls_main_ring;

#endif
