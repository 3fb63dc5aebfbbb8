/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Store buffering with sequentially consistent stores (xchg on x86).
 *
 * Expect: sc never; tso never; pso never
 */
#include "litmus.h"

THREAD(0, store(x, 1, SEQ_CST); r[0] = load(y, SEQ_CST);)
THREAD(1, store(y, 1, SEQ_CST); r[1] = load(x, SEQ_CST);)

SHAPE(TWO, r[0] == 0 && r[1] == 0)
