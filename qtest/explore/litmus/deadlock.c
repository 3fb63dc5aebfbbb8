/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No shape of memory: two threads take two locks in opposite order.
 *
 * Expect: sc deadlock; tso deadlock; pso deadlock
 */
#include "litmus.h"

static int a, b;

THREAD(0, explore_lock(&a, NULL); explore_lock(&b, NULL);
          explore_unlock(&b, NULL); explore_unlock(&a, NULL);)
THREAD(1, explore_lock(&b, NULL); explore_lock(&a, NULL);
          explore_unlock(&a, NULL); explore_unlock(&b, NULL);)

SHAPE(TWO, 0)
