/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Store buffering: both threads store, then load what the other stored.
 *
 * Expect: sc never; tso sometimes; pso sometimes
 */
#include "litmus.h"

THREAD(0, store(x, 1, RELAXED); r[0] = load(y, RELAXED);)
THREAD(1, store(y, 1, RELAXED); r[1] = load(x, RELAXED);)

SHAPE(TWO, r[0] == 0 && r[1] == 0)
