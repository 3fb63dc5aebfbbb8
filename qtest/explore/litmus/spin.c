/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No shape of memory: a thread spins until another one has stored.  A fair
 * scheduler lets that run, and its store leave its buffer: no livelock.
 *
 * Expect: sc never; tso never; pso never
 */
#include "litmus.h"

THREAD(0, while (!load(x, RELAXED)) { })
THREAD(1, store(x, 1, RELAXED);)

SHAPE(TWO, 0)
