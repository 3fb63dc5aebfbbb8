/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Litmus shapes: two variables, two to four threads of a few accesses, and an
 * outcome that the memory model allows or not.
 */
#ifndef LITMUS_H
#define LITMUS_H

#include "explore.h"

enum { RELAXED = __ATOMIC_RELAXED, ACQUIRE = __ATOMIC_ACQUIRE,
       RELEASE = __ATOMIC_RELEASE, SEQ_CST = __ATOMIC_SEQ_CST };

static int x, y, r[4];

#define load(v, order)          __atomic_load_n(&(v), order)
#define store(v, n, order)      __atomic_store_n(&(v), n, order)
#define fence(order)            __atomic_thread_fence(order)

#define THREAD(n, ...)                                                  \
    static void thread##n(void *opaque)                                 \
    {                                                                   \
        __VA_ARGS__                                                     \
    }

static const char *all_ended(void)
{
    for (int i = 0; i < explore_thread_count(); i++) {
        if (!explore_has_ended(i)) {
            return "a thread does not end";
        }
    }
    return NULL;
}

static void names(void)
{
    explore_name(&x, sizeof(x), "x");
    explore_name(&y, sizeof(y), "y");
    for (int i = 0; i < 4; i++) {
        explore_name(&r[i], sizeof(r[i]), "a register");
    }
}

/* The outcome that the shape asks for. */
#define SHAPE(threads, outcome)                                         \
    static void set_up(void)                                            \
    {                                                                   \
        names();                                                        \
        threads                                                         \
    }                                                                   \
    static const char *check(void)                                      \
    {                                                                   \
        return all_ended() ?: (outcome) ? "the outcome: " #outcome : NULL; \
    }                                                                   \
    const ExploreScenario explore_scenario = {                          \
        .set_up = set_up, .check = check,                               \
    };

#define TWO     explore_thread("P0", thread0, NULL);                    \
                explore_thread("P1", thread1, NULL);
#define FOUR    TWO explore_thread("P2", thread2, NULL);                \
                explore_thread("P3", thread3, NULL);

#endif
