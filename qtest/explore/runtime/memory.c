/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory, and the store buffers of the weaker memory models.
 *
 * SC: a store is in memory at once.  TSO: it waits in its thread's buffer, which
 * is first in, first out, and which a locked instruction, a full fence, a lock
 * or a system call empties.  PSO: stores to different places may leave in any
 * order, but not past a release or a write barrier (a new epoch).
 *
 * While a thread runs, memory shows its own view: what it has stored, too.
 */
#include <string.h>

#include "runtime.h"

MemoryModel memory_model = MEMORY_SC;
unsigned long stores_overflowed;

uint64_t raw_load(uint64_t address, uint32_t size)
{
    switch (size) {
    case 1:
        return *(uint8_t *)address;
    case 2:
        return *(uint16_t *)address;
    case 4:
        return *(uint32_t *)address;
    default:
        return *(uint64_t *)address;
    }
}

void raw_store(uint64_t address, uint32_t size, uint64_t value)
{
    switch (size) {
    case 1:
        *(uint8_t *)address = value;
        break;
    case 2:
        *(uint16_t *)address = value;
        break;
    case 4:
        *(uint32_t *)address = value;
        break;
    default:
        *(uint64_t *)address = value;
        break;
    }
}

static bool overlap(const Store *store, uint64_t address, uint32_t size)
{
    return store->address < address + size &&
           address < store->address + store->size;
}

void stores_show(int thread)
{
    Store *store = stores_of(thread);

    for (unsigned i = 0; i < W->fiber[thread].n_stores; i++) {
        store[i].old = raw_load(store[i].address, store[i].size);
        raw_store(store[i].address, store[i].size, store[i].value);
    }
}

void stores_hide(int thread)
{
    Store *store = stores_of(thread);

    for (int i = (int)W->fiber[thread].n_stores - 1; i >= 0; i--) {
        raw_store(store[i].address, store[i].size, store[i].old);
        store[i].old = 0;
    }
}

static void store_remove(int thread, unsigned i)
{
    Fiber *fiber = &W->fiber[thread];
    Store *store = stores_of(thread);

    fiber->n_stores--;
    memmove(&store[i], &store[i + 1], (fiber->n_stores - i) * sizeof(Store));
    memset(&store[fiber->n_stores], 0, sizeof(Store));
    if (!fiber->n_stores) {
        fiber->epoch = 0;
    }
}

void store_push(uint64_t address, uint32_t size, uint64_t old, uint64_t value,
                void *pc)
{
    Fiber *fiber = &W->fiber[current];

    if (fiber->n_stores == MAX_STORES) {
        /* The oldest gets out: fewer behaviours, and the search says so. */
        stores_overflowed++;
        store_remove(current, 0);
    }
    stores_of(current)[fiber->n_stores++] = (Store) {
        .address = address, .size = size, .old = old, .value = value,
        .epoch = fiber->epoch, .pc = pc,
    };
}

void store_settle(void)
{
    Fiber *fiber = &W->fiber[current];
    Store *pending = &fiber->pending;

    if (pending->size) {
        store_push(pending->address, pending->size, pending->old,
                   raw_load(pending->address, pending->size), pending->pc);
        *pending = (Store) { 0 };
    }
}

/* What memory shows, the view of the thread that runs, holds for all now. */
void stores_drain(void)
{
    Fiber *fiber = &W->fiber[current];

    store_settle();
    memset(stores_of(current), 0, fiber->n_stores * sizeof(Store));
    fiber->n_stores = 0;
    fiber->epoch = 0;
}

void synchronise(OpKind kind, uint64_t address, uint32_t size, uint64_t value,
                 void *pc)
{
    fiber_park(kind, address, size, value, pc);
    stores_drain();
}

bool store_can_leave(int thread, unsigned i)
{
    const Store *store = stores_of(thread);

    if (memory_model == MEMORY_TSO) {
        return i == 0;
    }
    for (unsigned j = 0; j < i; j++) {
        if (overlap(&store[j], store[i].address, store[i].size) ||
            store[j].epoch != store[i].epoch) {
            return false;
        }
    }
    return true;
}

void store_leave(int thread, unsigned i)
{
    Store store = stores_of(thread)[i];
    uint64_t old = raw_load(store.address, store.size);

    raw_store(store.address, store.size, store.value);
    store_remove(thread, i);
    trace(thread, OP_FLUSH, store.address, store.size, old, store.value,
          store.pc, NULL);
}

static bool op_touches(const Op *op, const Store *store)
{
    switch (op->kind) {
    case OP_LOAD:
    case OP_STORE:
    case OP_RMW:
    case OP_READ:
    case OP_WRITE:
    case OP_WAIT_FOR:
        return overlap(store, op->address, op->size);
    default:
        return false;
    }
}

/*
 * A store that leaves is seen only by a step on the same bytes.  To let it leave
 * just before such a step, and not earlier, loses no behaviour.
 */
bool stores_matter(int thread)
{
    const Store *store = stores_of(thread);

    for (unsigned i = 0; i < W->fiber[thread].n_stores; i++) {
        for (int other = 0; other < W->n_fibers; other++) {
            const Fiber *fiber = &W->fiber[other];

            if (other == thread || fiber->ended) {
                continue;
            }
            if (op_touches(&fiber->op, &store[i])) {
                return true;
            }
            for (unsigned j = 0; j < fiber->n_stores; j++) {
                if (overlap(&store[i], stores_of(other)[j].address,
                            stores_of(other)[j].size)) {
                    return true;
                }
            }
        }
    }
    return false;
}
