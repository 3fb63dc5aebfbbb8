/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second vCPU, started and stopped through the local APIC
 *
 * After a reset and after smp_open() it waits for its start-up IPI, asleep in
 * QEMU: it takes no lock and no time until smp_start().
 */
#include "entry.h"
#include "guest.h"
#include "io.h"

/* volatile: a device register */
#define APIC_ICR (*(volatile uint32_t *)0xfee00300)
#define ICR_ALL_BUT_SELF 0xc0000
#define ICR_ASSERT 0x4000
#define ICR_INIT 0x500
#define ICR_STARTUP 0x600

#define START_US 2000000
#define SETTLE_US 200

static void (*volatile ap_job)(void);   /* volatile: both vCPUs use it */
static volatile bool ap_alive;          /* volatile: likewise */

void ap_main(void)
{
    ap_job();
}

static void say_alive(void)
{
    ap_alive = true;
}

/* Where all vCPUs share one thread, "pause" lets the other one run. */
static bool wait_alive(uint32_t us)
{
    uint64_t start = rdtsc();

    while (!ap_alive && clock_us_since(start) < us) {
        asm volatile("pause");
    }
    return ap_alive;
}

void smp_start(void (*job)(void))
{
    ap_job = job;
    barrier();
    APIC_ICR = ICR_ALL_BUT_SELF | ICR_ASSERT | ICR_STARTUP |
               (uintptr_t)ap_start >> 12;
}

void smp_open(void)
{
    smp_start(say_alive);
    if (!wait_alive(START_US)) {
        fail("no second vCPU, start QEMU with -smp 2");
    }
    ap_alive = false;
    APIC_ICR = ICR_ALL_BUT_SELF | ICR_ASSERT | ICR_INIT;
    wait_alive(SETTLE_US);
}
