/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file descriptor is polled if it was in the newest list, or in the one
 * before: a reader that comes while the list changes sees both.  Nothing has
 * to be done when a descriptor is closed, duplicated or its number used again,
 * because the main loop says each time what it polls.
 *
 * Each descriptor has the number of the newest list that it was in.  A table
 * that has become too small is left behind, for readers that still look at it:
 * tables double, so all of them together are as big as the last one.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "polled.h"

#define FIRST_SIZE 256

typedef struct Table {
    int size;
    _Atomic uint64_t list[];    /* 0: never polled */
} Table;

static _Atomic(Table *) table;
static _Atomic uint64_t newest = 1;

static Table *grow(Table *old, int fd)
{
    int size = old ? old->size : FIRST_SIZE;
    Table *new;

    while (size <= fd) {
        size *= 2;
    }
    new = calloc(1, sizeof(*new) + size * sizeof(new->list[0]));
    if (!new) {
        return old;             /* the larger numbers stay unknown */
    }
    new->size = size;
    for (int i = 0; old && i < old->size; i++) {
        atomic_init(&new->list[i], atomic_load_explicit(&old->list[i],
                                                memory_order_relaxed));
    }
    atomic_store_explicit(&table, new, memory_order_release);
    return new;
}

void polled_set(const struct pollfd *fds, int n)
{
    uint64_t next = atomic_load_explicit(&newest, memory_order_relaxed) + 1;
    Table *t = atomic_load_explicit(&table, memory_order_relaxed);

    for (int i = 0; i < n; i++) {
        int fd = fds[i].fd;

        if (fd >= 0 && (!t || fd >= t->size)) {
            t = grow(t, fd);
        }
        if (t && fd >= 0 && fd < t->size) {
            atomic_store_explicit(&t->list[fd], next, memory_order_relaxed);
        }
    }
    atomic_store_explicit(&newest, next, memory_order_release);
}

bool polled_has(int fd)
{
    uint64_t now = atomic_load_explicit(&newest, memory_order_acquire);
    Table *t = atomic_load_explicit(&table, memory_order_acquire);
    uint64_t list;

    if (fd < 0 || !t || fd >= t->size) {
        return false;
    }
    list = atomic_load_explicit(&t->list[fd], memory_order_relaxed);
    return list && list + 1 >= now;
}
