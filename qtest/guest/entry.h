/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What start.S calls, and what it defines
 */
#ifndef GUEST_ENTRY_H
#define GUEST_ENTRY_H

#include <stdint.h>

/* The first vCPU, after the image has been copied to RAM */
void guest_main(void);

/* The second vCPU, after its start-up IPI; ap_start is where that leads to. */
void ap_main(void);
extern uint8_t ap_start[];

/* Interrupt line 0 to 15; an exception, with what the CPU pushed for it */
void irq_main(uint32_t line);
void __attribute__((noreturn)) exception_main(uint32_t vector,
                                              const uint32_t *stack);
extern uint8_t vector_entries[];

/* The second vCPU loads it, too. */
typedef struct __attribute__((packed)) TablePointer {
    uint16_t limit;
    uint32_t base;
} TablePointer;
extern TablePointer idtr;

#endif
