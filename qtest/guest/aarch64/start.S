/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the reset vector, at address 0 in the flash, to guest_main()
 *
 * The code stays in the flash, which nobody writes to; what is written is in RAM.
 * The MMU stays off.  An exception ends the run with a report line.
 */
    .section .reset, "ax"
    .global _start
_start:
    b reset

    .section .text
reset:
    adrp x0, stack_end
    mov sp, x0
    adr x0, vectors
    msr vbar_el3, x0
    adrp x0, bss_start
    adrp x1, bss_end
1:  str xzr, [x0], #8
    cmp x0, x1
    b.lo 1b
    bl guest_main
2:  wfi
    b 2b

    .balign 2048
vectors:
    .rept 16
    .balign 128
    mrs x0, esr_el3
    mrs x1, elr_el3
    bl exception_main
    .endr
