/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machine instructions that C has no words for
 */
#ifndef GUEST_IO_H
#define GUEST_IO_H

#include <stdint.h>

static inline void outb(uint16_t port, uint8_t value)
{
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t value)
{
    asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t value)
{
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;

    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t value;

    asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t value;

    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint64_t rdtsc(void)
{
    uint64_t value;

    asm volatile("rdtsc" : "=A"(value) : : "memory");
    return value;
}

static inline void interrupts_on(void)
{
    asm volatile("sti" : : : "memory");
}

static inline void interrupts_off(void)
{
    asm volatile("cli" : : : "memory");
}

/* Stop this vCPU for good. */
static inline void __attribute__((noreturn)) stop(void)
{
    for (;;) {
        asm volatile("cli; hlt" : : : "memory");
    }
}

/* Keep the compiler from moving stores to a ring past this point. */
static inline void barrier(void)
{
    asm volatile("" : : : "memory");
}

/*
 * Unsigned division without libgcc.
 * Returns n / d, rounded down; d must not be 0.
 */
static inline uint64_t divide(uint64_t n, uint32_t d)
{
    uint32_t high = n >> 32;
    uint32_t low = n;
    uint32_t q_high = high / d;
    uint32_t rest = high % d;
    uint32_t q_low;

    asm("divl %2" : "=a"(q_low), "+d"(rest) : "rm"(d), "a"(low) : "cc");
    return (uint64_t)q_high << 32 | q_low;
}

#endif
