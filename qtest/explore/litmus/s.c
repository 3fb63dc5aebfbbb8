/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * S: a store is overtaken by one that depends on a later store.
 *
 * Expect: sc never; tso never; pso sometimes
 */
#include "litmus.h"

THREAD(0, store(x, 2, RELAXED); store(y, 1, RELAXED);)
THREAD(1, r[0] = load(y, RELAXED); store(x, 1, RELAXED);)

SHAPE(TWO, r[0] == 1 && x == 2)
