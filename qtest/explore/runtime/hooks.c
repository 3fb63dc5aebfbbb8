/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What gcc -fsanitize=thread calls at each access, atomic operation and fence.
 * This takes the place of ThreadSanitizer's own library: instead of looking for
 * races, an access to a shared word parks the thread at a scheduling point.
 */
#include <string.h>

#include "runtime.h"

#define PC __builtin_return_address(0)

/* Where the stand-ins for what is not in this world lie; see link.sh. */
extern char __start_unexpected[] __attribute__((weak));
extern char __stop_unexpected[] __attribute__((weak));

/* Frames die, and others take their place: stores to them are not buffered. */
static bool on_a_stack(uint64_t address)
{
    return address >= STACKS && address < TLS_AREAS;
}

static bool buffered(uint64_t address)
{
    return memory_model != MEMORY_SC && !on_a_stack(address);
}

static void must_exist(uint64_t address)
{
    if (address >= (uint64_t)__start_unexpected &&
        address < (uint64_t)__stop_unexpected) {
        /* its name is behind the two instructions of the stand-in */
        fail_unknown("reads", (char *)address + 12);
    }
}

void explore_unexpected(const char *name);
void explore_unexpected(const char *name)
{
    fail_unknown("calls", name);
}

static void plain(uint64_t address, uint32_t size, bool write, void *pc)
{
    Fiber *fiber;
    bool shared;

    must_exist(address);
    if (current < 0) {
        return;
    }
    store_settle();
    shared = shared_access(address, size, write);
    if (!shared) {
        return;
    }
    fiber_park(write ? OP_WRITE : OP_READ, address, size, 0, pc);
    trace(current, write ? OP_WRITE : OP_READ, address, size,
          raw_load(address, size), 0, pc, NULL);
    if (write && buffered(address)) {
        fiber = &W->fiber[current];
        fiber->pending = (Store) {
            .address = address, .size = size, .old = raw_load(address, size),
            .pc = pc,
        };
    }
}

static void range(uint64_t address, uint64_t size, bool write, void *pc)
{
    while (size) {
        uint32_t part = 8 - (address & 7);

        while (part > size) {
            part >>= 1;
        }
        part = part == 8 ? 8 : part >= 4 ? 4 : part >= 2 ? 2 : 1;
        plain(address, part, write, pc);
        address += part;
        size -= part;
    }
}

static uint64_t atomic_load(uint64_t address, uint32_t size, void *pc)
{
    bool shared;
    uint64_t value;

    must_exist(address);
    if (current < 0) {
        return raw_load(address, size);
    }
    store_settle();
    shared = shared_access(address, size, false);
    if (shared) {
        fiber_park(OP_LOAD, address, size, 0, pc);
    }
    value = raw_load(address, size);
    if (shared) {
        trace(current, OP_LOAD, address, size, value, value, pc, NULL);
    }
    return value;
}

static void atomic_store(uint64_t address, uint32_t size, uint64_t value,
                         int order, void *pc)
{
    uint64_t old;
    bool shared;

    if (current < 0) {
        raw_store(address, size, value);
        return;
    }
    store_settle();
    shared = shared_access(address, size, true);
    if (shared) {
        fiber_park(OP_STORE, address, size, value, pc);
    }
    old = raw_load(address, size);
    raw_store(address, size, value);
    if (shared) {
        trace(current, OP_STORE, address, size, old, value, pc, NULL);
    }
    if (memory_model == MEMORY_SC) {
        return;
    }
    if (order == __ATOMIC_SEQ_CST) {
        /* xchg on x86 */
        stores_drain();
    } else if (shared && buffered(address)) {
        if (order == __ATOMIC_RELEASE) {
            W->fiber[current].epoch++;
        }
        store_push(address, size, old, value, pc);
    }
}

typedef enum Rmw {
    RMW_ADD, RMW_SUB, RMW_AND, RMW_OR, RMW_XOR, RMW_XCHG, RMW_CMPXCHG
} Rmw;

/* Returns the old value; *done: whether a compare-and-exchange stored. */
static uint64_t rmw(uint64_t address, uint32_t size, Rmw how, uint64_t value,
                    uint64_t expected, bool *done, void *pc)
{
    uint64_t mask = size == 8 ? ~0ull : (1ull << size * 8) - 1;
    uint64_t old, new;
    bool shared = false;

    if (current >= 0) {
        store_settle();
        shared = shared_access(address, size, true);
        if (shared || W->fiber[current].n_stores) {
            synchronise(OP_RMW, address, size, value, pc);
        }
    }
    old = new = raw_load(address, size);
    if (done) {
        *done = true;
    }
    switch (how) {
    case RMW_ADD:
        new = old + value;
        break;
    case RMW_SUB:
        new = old - value;
        break;
    case RMW_AND:
        new = old & value;
        break;
    case RMW_OR:
        new = old | value;
        break;
    case RMW_XOR:
        new = old ^ value;
        break;
    case RMW_XCHG:
        new = value;
        break;
    case RMW_CMPXCHG:
        if (old == (expected & mask)) {
            new = value;
        } else {
            *done = false;
        }
        break;
    }
    raw_store(address, size, new);
    if (shared) {
        trace(current, OP_RMW, address, size, old, new & mask, pc, NULL);
    }
    return old;
}

void __tsan_atomic_thread_fence(int order)
{
    Fiber *fiber;

    if (current < 0) {
        return;
    }
    store_settle();
    fiber = &W->fiber[current];
    if (order == __ATOMIC_SEQ_CST) {
        if (fiber->n_stores) {
            synchronise(OP_FENCE, 0, 0, order, PC);
        }
        trace(current, OP_FENCE, 0, 0, 0, order, PC, NULL);
    } else if (order != __ATOMIC_ACQUIRE && fiber->n_stores) {
        fiber->epoch++;
    }
}

void __tsan_atomic_signal_fence(int order)
{
}

void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc)
{
}

void __tsan_func_exit(void)
{
}

#define PLAIN(size)                                                     \
    void __tsan_read##size(void *p)                                     \
    {                                                                   \
        plain((uint64_t)p, size, false, PC);                            \
    }                                                                   \
    void __tsan_write##size(void *p)                                    \
    {                                                                   \
        plain((uint64_t)p, size, true, PC);                             \
    }                                                                   \
    void __tsan_unaligned_read##size(void *p)                           \
    {                                                                   \
        plain((uint64_t)p, size, false, PC);                            \
    }                                                                   \
    void __tsan_unaligned_write##size(void *p)                          \
    {                                                                   \
        plain((uint64_t)p, size, true, PC);                             \
    }

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)

void __tsan_read16(void *p)
{
    range((uint64_t)p, 16, false, PC);
}

void __tsan_write16(void *p)
{
    range((uint64_t)p, 16, true, PC);
}

void __tsan_unaligned_read16(void *p)
{
    range((uint64_t)p, 16, false, PC);
}

void __tsan_unaligned_write16(void *p)
{
    range((uint64_t)p, 16, true, PC);
}

void __tsan_read_range(void *p, size_t size)
{
    range((uint64_t)p, size, false, PC);
}

void __tsan_write_range(void *p, size_t size)
{
    range((uint64_t)p, size, true, PC);
}

#define FETCH(bits, type, name, how)                                    \
    type __tsan_atomic##bits##_##name(volatile type *p, type v, int mo) \
    {                                                                   \
        return rmw((uint64_t)p, bits / 8, how, v, 0, NULL, PC);         \
    }

#define CMPXCHG(bits, type, name)                                       \
    int __tsan_atomic##bits##_compare_exchange_##name(                  \
        volatile type *p, type *expected, type v, int mo, int fail_mo)  \
    {                                                                   \
        bool done;                                                      \
        type old = rmw((uint64_t)p, bits / 8, RMW_CMPXCHG, v,           \
                       *expected, &done, PC);                           \
                                                                        \
        if (!done) {                                                    \
            *expected = old;                                            \
        }                                                               \
        return done;                                                    \
    }

#define ATOMIC(bits, type)                                              \
    type __tsan_atomic##bits##_load(const volatile type *p, int mo)     \
    {                                                                   \
        return atomic_load((uint64_t)p, bits / 8, PC);                  \
    }                                                                   \
    void __tsan_atomic##bits##_store(volatile type *p, type v, int mo)  \
    {                                                                   \
        atomic_store((uint64_t)p, bits / 8, v, mo, PC);                 \
    }                                                                   \
    FETCH(bits, type, exchange, RMW_XCHG)                               \
    FETCH(bits, type, fetch_add, RMW_ADD)                               \
    FETCH(bits, type, fetch_sub, RMW_SUB)                               \
    FETCH(bits, type, fetch_and, RMW_AND)                               \
    FETCH(bits, type, fetch_or, RMW_OR)                                 \
    FETCH(bits, type, fetch_xor, RMW_XOR)                               \
    CMPXCHG(bits, type, strong)                                         \
    CMPXCHG(bits, type, weak)                                           \
    type __tsan_atomic##bits##_compare_exchange_val(                    \
        volatile type *p, type expected, type v, int mo, int fail_mo)   \
    {                                                                   \
        bool done;                                                      \
                                                                        \
        return rmw((uint64_t)p, bits / 8, RMW_CMPXCHG, v, expected,     \
                   &done, PC);                                          \
    }

ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)
