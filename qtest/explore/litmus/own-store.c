/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread sees its own store at once, others later (n6 of x86-TSO).
 *
 * Expect: sc never; tso sometimes; pso sometimes
 */
#include "litmus.h"

THREAD(0, store(x, 1, RELAXED); r[0] = load(x, RELAXED); r[1] = load(y, RELAXED);)
THREAD(1, store(y, 2, RELAXED); store(x, 2, RELAXED);)

SHAPE(TWO, r[0] == 1 && r[1] == 0 && x == 1)
