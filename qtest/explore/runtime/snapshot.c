/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of the world as a string of bytes: what a search comes back to, and
 * what it knows a state by.  Only the parts that are in use are in it; which
 * these are is in it, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

static uint8_t *buffer;
static size_t length;

void snapshot_init(void)
{
    buffer = malloc(WORLD_END - WORLD_BASE +
                    (__stop_wdata - __start_wdata) +
                    (__stop_wbss - __start_wbss) + 4096);
}

static void save(void *part, size_t size)
{
    size_t padded = (size + 7) & ~7ull;

    memset(buffer + length + padded - 8, 0, padded ? 8 : 0);
    memcpy(buffer + length, part, size);
    length += padded;
}

static const uint8_t *from;

static void restore(void *part, size_t size)
{
    memcpy(part, from, size);
    from += (size + 7) & ~7ull;
}

/* World comes first: it says how long the other parts are. */
static void each_part(void (*part)(void *, size_t))
{
    part(W, sizeof(*W));
    for (int i = 0; i < W->n_fibers; i++) {
        const Fiber *fiber = &W->fiber[i];

        part((void *)heap_of(i), fiber->heap_used);
        if (!fiber->ended) {
            part(fiber->sp, stack_top(i) - (uint64_t)fiber->sp);
            part(tls_of(i), TLS_SIZE);
            part(stores_of(i), fiber->n_stores * sizeof(Store));
        }
    }
    part((void *)heap_of(-1), W->heap_used);
    part(__start_wdata, __stop_wdata - __start_wdata);
    part(__start_wbss, __stop_wbss - __start_wbss);
}

static StateHash hash(void)
{
    const uint64_t k1 = 0x9E3779B97F4A7C15ull, k2 = 0xC2B2AE3D27D4EB4Full;
    const uint64_t *p = (const uint64_t *)buffer;
    uint64_t h[4] = { 1, 2, 3, 4 }, x, y;
    size_t n = length / 8, i;
    StateHash a, b;

    for (i = 0; i + 4 <= n; i += 4) {
        for (int j = 0; j < 4; j++) {
            h[j] ^= p[i + j] * k1;
            h[j] = (h[j] << 29 | h[j] >> 35) * k2;
        }
    }
    for (; i < n; i++) {
        h[0] ^= p[i] * k1;
        h[0] = (h[0] << 31 | h[0] >> 33) * k2;
    }
    a = (StateHash)(h[0] ^ (h[1] >> 7)) * (h[2] | 1);
    b = (StateHash)(h[1] + length) * (h[3] | 1);
    x = (uint64_t)(a >> 64) ^ (uint64_t)b ^ h[3];
    y = (uint64_t)(b >> 64) + (uint64_t)a + h[0] * k1;
    return (StateHash)x << 64 | y;
}

StateHash snapshot_take(void)
{
    length = 0;
    each_part(save);
    return hash();
}

void snapshot_keep(Snapshot *snapshot)
{
    if (snapshot->capacity < length) {
        free(snapshot->data);
        snapshot->capacity = length + 1024;
        snapshot->data = malloc(snapshot->capacity);
    }
    memcpy(snapshot->data, buffer, length);
    snapshot->size = length;
}

void snapshot_restore(const Snapshot *snapshot)
{
    from = snapshot->data;
    each_part(restore);
}
