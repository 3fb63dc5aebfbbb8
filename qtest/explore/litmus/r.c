/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * R: stores in one thread, a store and a load in the other.
 *
 * Expect: sc never; tso sometimes; pso sometimes
 */
#include "litmus.h"

THREAD(0, store(x, 1, RELAXED); store(y, 1, RELAXED);)
THREAD(1, store(y, 2, RELAXED); r[0] = load(x, RELAXED);)

SHAPE(TWO, y == 2 && r[0] == 0)
