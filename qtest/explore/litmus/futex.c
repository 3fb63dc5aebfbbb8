/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No shape of memory: a futex waits for 0 and is woken after the store of 1; the
 * kernel compares and queues in one step, so no wakeup is lost.
 *
 * Expect: sc never; tso never; pso never
 */
#include "litmus.h"

THREAD(0, while (!load(x, ACQUIRE)) { explore_futex_wait(&x, 0, NULL); })
THREAD(1, store(x, 1, RELEASE); explore_futex_wake(&x, 1, NULL);)

SHAPE(TWO, 0)
