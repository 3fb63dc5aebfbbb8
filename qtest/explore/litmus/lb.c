/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Load buffering: each thread sees what the other stores later.  It needs loads
 * that are late, which no memory model here has.
 *
 * Expect: sc never; tso never; pso never
 */
#include "litmus.h"

THREAD(0, r[0] = load(x, RELAXED); store(y, 1, RELAXED);)
THREAD(1, r[1] = load(y, RELAXED); store(x, 1, RELAXED);)

SHAPE(TWO, r[0] == 1 && r[1] == 1)
