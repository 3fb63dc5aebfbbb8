/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both threads store to both variables, in opposite order; the first stores win.
 *
 * Expect: sc never; tso never; pso sometimes
 */
#include "litmus.h"

THREAD(0, store(x, 1, RELAXED); store(y, 2, RELAXED);)
THREAD(1, store(y, 1, RELAXED); store(x, 2, RELAXED);)

SHAPE(TWO, x == 1 && y == 1)
