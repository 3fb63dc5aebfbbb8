/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Message passing with a release store of the flag.
 *
 * Expect: sc never; tso never; pso never
 */
#include "litmus.h"

THREAD(0, store(x, 1, RELAXED); store(y, 1, RELEASE);)
THREAD(1, r[0] = load(y, ACQUIRE); r[1] = load(x, RELAXED);)

SHAPE(TWO, r[0] == 1 && r[1] == 0)
