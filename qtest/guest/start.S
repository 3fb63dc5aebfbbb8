/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the reset vector to guest_main(), on both vCPUs
 *
 * The image is the last 64 KiB below 4 GiB.  It copies itself to the address
 * that it is linked at (guest.ld) and runs there.  Every path ends in flat
 * 32-bit mode, interrupts off, with a stack of its own.
 */

#define CODE_SEL 8
#define DATA_SEL 16
#define ROM_BASE 0xffff0000
#define RESET_OFF 0xff00        /* of .reset in the image, see guest.ld */
#define CR0_PE 1

/* One job: be in protected mode with flat segments, still in the flash. */
    .section .reset, "ax"
    .code16
reset_base:
reset_entry:
    cli
    cld
    lgdtl %cs:(reset_gdtr - reset_base + RESET_OFF)
    movl %cr0, %eax
    orb $CR0_PE, %al
    movl %eax, %cr0
    ljmpl $CODE_SEL, $(reset_32 - reset_base + RESET_OFF + ROM_BASE)

    .code32
reset_32:
    movw $DATA_SEL, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $ROM_BASE, %esi
    movl $image_start, %edi
    movl $(0x10000 / 4), %ecx
    rep movsl
    ljmpl $CODE_SEL, $bsp_entry

    .balign 8
reset_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff
    .quad 0x00cf93000000ffff
reset_gdtr:
    .word . - reset_gdt - 1
    .long reset_gdt - reset_base + RESET_OFF + ROM_BASE

    .section .resetvec, "ax"
    .code16
    /* A near jump: both ends have the same distance in flash and in RAM. */
    .byte 0xe9
    .word reset_entry_distance

/* The second vCPU starts here in real mode: CS:IP = page of ap_start:0. */
    .section .trampoline, "ax"
    .code16
    .global ap_start
ap_start:
    cli
    cld
    lgdtl %cs:(ap_gdtr - ap_start)
    movl %cr0, %eax
    orb $CR0_PE, %al
    movl %eax, %cr0
    ljmpl $CODE_SEL, $ap_32

    .balign 8
ap_gdtr:
    .word gdt_end - gdt - 1
    .long gdt

    .code32
ap_32:
    movw $DATA_SEL, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $ap_stack_end, %esp
    lidtl idtr
    call ap_main
1:  cli
    hlt
    jmp 1b

    .text
    .code32
bsp_entry:
    lgdtl gdtr
    movl $bsp_stack_end, %esp
    xorl %eax, %eax
    movl $bss_start, %edi
    movl $bss_words, %ecx
    rep stosl
    call guest_main
1:  cli
    hlt
    jmp 1b

/*
 * Interrupt entries: 32 exceptions, which end the run, then the 16 lines of
 * the two PICs.  Each is 16 bytes long, so that irq.c can compute it.
 */
    .balign 16
    .global vector_entries
vector_entries:
    .set n, 0
    .rept 32
    .balign 16
    movl $n, %eax
    movl %esp, %edx
    jmp exception_common
    .set n, n + 1
    .endr
    .set n, 0
    .rept 16
    .balign 16
    pushal
    movl $n, %eax
    jmp irq_common
    .set n, n + 1
    .endr

exception_common:
    pushl %edx
    pushl %eax
    call exception_main

irq_common:
    pushl %eax
    cld
    call irq_main
    addl $4, %esp
    popal
    iretl

    .section .rodata
    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff    /* code, flat, accessed */
    .quad 0x00cf93000000ffff    /* data, flat, accessed */
gdt_end:
gdtr:
    .word gdt_end - gdt - 1
    .long gdt

    .section .note.GNU-stack, "", @progbits
