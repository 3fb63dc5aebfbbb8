/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No shape of memory: a thread spins on what the other one stores before or after
 * it has looked, and takes back.
 *
 * Expect: sc livelock; tso livelock; pso livelock
 */
#include "litmus.h"

THREAD(0, while (!load(x, RELAXED)) { })
THREAD(1, store(x, 1, SEQ_CST); store(x, 0, SEQ_CST);)

SHAPE(TWO, 0)
