/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Message passing: data, then a flag; the reader sees the flag without the data.
 *
 * Expect: sc never; tso never; pso sometimes
 */
#include "litmus.h"

THREAD(0, store(x, 1, RELAXED); store(y, 1, RELAXED);)
THREAD(1, r[0] = load(y, RELAXED); r[1] = load(x, RELAXED);)

SHAPE(TWO, r[0] == 1 && r[1] == 0)
