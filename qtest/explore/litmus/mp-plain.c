/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Message passing with plain accesses: as the compiler left them.
 *
 * Expect: sc never; tso never; pso sometimes
 */
#include "litmus.h"

THREAD(0, *(volatile int *)&x = 1; *(volatile int *)&y = 1;)
THREAD(1, r[0] = *(volatile int *)&y; r[1] = *(volatile int *)&x;)

SHAPE(TWO, r[0] == 1 && r[1] == 0)
