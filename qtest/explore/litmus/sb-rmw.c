/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Store buffering where the store is a locked exchange.
 *
 * Expect: sc never; tso never; pso never
 */
#include "litmus.h"

THREAD(0, __atomic_exchange_n(&x, 1, RELAXED); r[0] = load(y, RELAXED);)
THREAD(1, __atomic_exchange_n(&y, 1, RELAXED); r[1] = load(x, RELAXED);)

SHAPE(TWO, r[0] == 0 && r[1] == 0)
