/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Store buffering with release stores and acquire loads, which do not forbid it.
 *
 * Expect: sc never; tso sometimes; pso sometimes
 */
#include "litmus.h"

THREAD(0, store(x, 1, RELEASE); r[0] = load(y, ACQUIRE);)
THREAD(1, store(y, 1, RELEASE); r[1] = load(x, ACQUIRE);)

SHAPE(TWO, r[0] == 0 && r[1] == 0)
