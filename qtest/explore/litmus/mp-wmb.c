/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Message passing with a write barrier, smp_wmb().
 *
 * Expect: sc never; tso never; pso never
 */
#include "litmus.h"

THREAD(0, store(x, 1, RELAXED); fence(RELEASE); store(y, 1, RELAXED);)
THREAD(1, r[0] = load(y, RELAXED); fence(ACQUIRE); r[1] = load(x, RELAXED);)

SHAPE(TWO, r[0] == 1 && r[1] == 0)
