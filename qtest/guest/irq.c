/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt table and the two PICs
 *
 * An exception ends the run with an error line; without that a fault of the
 * firmware would reset the machine and pass for a kept reset.
 */
#include "entry.h"
#include "guest.h"
#include "io.h"

#define CODE_SEL 8
#define GATE_INTERRUPT 0x8e00
#define VECTORS 48
#define IRQ_BASE 32
#define ENTRY_SIZE 16               /* see start.S */

#define PIC1_COMMAND 0x20
#define PIC1_DATA 0x21
#define PIC2_COMMAND 0xa0
#define PIC2_DATA 0xa1
#define ICW1_INIT 0x11
#define ICW4_8086 1
#define EOI 0x20

/* volatile: device registers */
#define APIC_SPURIOUS (*(volatile uint32_t *)0xfee000f0)
#define APIC_LINT0 (*(volatile uint32_t *)0xfee00350)   /* volatile: too */
#define APIC_ENABLE 0x12f           /* spurious vector: the last one we have */
#define LVT_EXTINT 0x700
#define MASK_ALL 0xff
#define MASK_ALL_BUT_TIMER 0xfe

typedef struct Gate {
    uint32_t low;
    uint32_t high;
} Gate;

static Gate idt[VECTORS] __attribute__((aligned(16)));
TablePointer idtr;

static volatile uint64_t timer_tsc;     /* volatile: an interrupt writes it */
static volatile uint32_t timer_count;   /* volatile: likewise */

void irq_main(uint32_t line)
{
    if (line == 0) {
        timer_tsc = rdtsc();
        timer_count++;
        outb(PIC1_COMMAND, EOI);
    }
}

void exception_main(uint32_t vector, const uint32_t *stack)
{
    report_text("error exception ");
    report_number(vector);
    report_text(" in the guest firmware, stack ");
    report_hex(stack[0]);
    report_text(" ");
    report_hex(stack[1]);
    report_send();
    fail("the guest firmware is wrong");
}

/* An initialization forgets every request that is latched. */
static void pic_init(void)
{
    outb(PIC1_COMMAND, ICW1_INIT);
    outb(PIC1_DATA, IRQ_BASE);
    outb(PIC1_DATA, 4);
    outb(PIC1_DATA, ICW4_8086);
    outb(PIC2_COMMAND, ICW1_INIT);
    outb(PIC2_DATA, IRQ_BASE + 8);
    outb(PIC2_DATA, 2);
    outb(PIC2_DATA, ICW4_8086);
    outb(PIC2_DATA, MASK_ALL);
    outb(PIC1_DATA, MASK_ALL);
}

void irq_open(void)
{
    for (uint32_t i = 0; i < VECTORS; i++) {
        uint32_t entry = (uintptr_t)vector_entries + i * ENTRY_SIZE;

        idt[i].low = CODE_SEL << 16 | (entry & 0xffff);
        idt[i].high = (entry & 0xffff0000) | GATE_INTERRUPT;
    }
    idtr.limit = sizeof(idt) - 1;
    idtr.base = (uintptr_t)idt;
    asm volatile("lidt %0" : : "m"(idtr));
    pic_init();

    /* The first vCPU takes the PICs' interrupts through LINT0. */
    APIC_SPURIOUS = APIC_ENABLE;
    APIC_LINT0 = LVT_EXTINT;
}

void irq_timer_expect(void)
{
    interrupts_off();
    pic_init();
    timer_count = 0;
    outb(PIC1_DATA, MASK_ALL_BUT_TIMER);
}

void irq_timer_ignore(void)
{
    interrupts_off();
    outb(PIC1_DATA, MASK_ALL);
}

/* A 64-bit load is two loads here: the count says when it may be made. */
uint64_t irq_timer_tsc(void)
{
    return timer_count ? timer_tsc : 0;
}
