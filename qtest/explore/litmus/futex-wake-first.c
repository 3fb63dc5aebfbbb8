/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No shape of memory: the same with the wake before the store: lost.
 *
 * Expect: sc sometimes; tso sometimes; pso sometimes
 */
#include "litmus.h"

THREAD(0, while (!load(x, ACQUIRE)) { explore_futex_wait(&x, 0, NULL); })
THREAD(1, explore_futex_wake(&x, 1, NULL); store(x, 1, RELEASE);)

SHAPE(TWO, 0)
