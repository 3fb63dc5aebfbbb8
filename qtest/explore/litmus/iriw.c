/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Independent reads of independent writes: two readers see two stores in opposite
 * order.  Memory is one for all here; on Arm it is so since version 8.
 *
 * Expect: sc never; tso never; pso never
 */
#include "litmus.h"

THREAD(0, store(x, 1, RELAXED);)
THREAD(1, store(y, 1, RELAXED);)
THREAD(2, r[0] = load(x, RELAXED); r[1] = load(y, RELAXED);)
THREAD(3, r[2] = load(y, RELAXED); r[3] = load(x, RELAXED);)

SHAPE(FOUR, r[0] == 1 && r[1] == 0 && r[2] == 1 && r[3] == 0)
