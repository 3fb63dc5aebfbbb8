/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads of a scenario as fibers in one thread of the host: each has a stack in
 * the world's memory, and the executable's TLS block is copied in and out.
 */
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

int current = -1;

static void *scheduler_sp;
static char *tls_block;
static size_t tls_size;
static char tls_fresh[TLS_SIZE];
static const char *names[MAX_THREADS];

/* Saves the callee-saved registers and the stack pointer, and takes others. */
void fiber_switch(void **save, void *load);
asm(".text\n"
    ".globl fiber_switch\n"
    "fiber_switch:\n"
    "    push %rbp\n"
    "    push %rbx\n"
    "    push %r12\n"
    "    push %r13\n"
    "    push %r14\n"
    "    push %r15\n"
    "    mov %rsp, (%rdi)\n"
    "    mov %rsi, %rsp\n"
    "    pop %r15\n"
    "    pop %r14\n"
    "    pop %r13\n"
    "    pop %r12\n"
    "    pop %rbx\n"
    "    pop %rbp\n"
    "    ret\n");

static int find_tls(struct dl_phdr_info *info, size_t size, void *opaque)
{
    if (info->dlpi_name[0] != '\0') {
        return 0;
    }
    tls_block = info->dlpi_tls_data;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_TLS) {
            tls_size = info->dlpi_phdr[i].p_memsz;
        }
    }
    return 1;
}

/* To be called before set_up(): what that leaves in its TLS is not a thread's. */
void fibers_init(void)
{
    dl_iterate_phdr(find_tls, NULL);
    if (tls_size > TLS_SIZE) {
        fprintf(stderr, "explore: %zu bytes of TLS, room for %d\n", tls_size,
                TLS_SIZE);
        exit(2);
    }
    memcpy(tls_fresh, tls_block, tls_size);
}

static void fiber_main(void)
{
    Fiber *fiber = &W->fiber[current];

    fiber->entry(fiber->opaque);
    store_settle();
    if (fiber->n_stores) {
        synchronise(OP_FENCE, 0, 0, 0, NULL);
    }
    trace(current, OP_END, 0, 0, 0, 0, NULL, NULL);
    fiber_end();
}

int explore_thread(const char *name, void (*entry)(void *), void *opaque)
{
    int thread = W->n_fibers++;
    Fiber *fiber;
    uint64_t *stack;

    if (thread >= MAX_THREADS) {
        fprintf(stderr, "explore: more than %d threads\n", MAX_THREADS);
        exit(2);
    }
    fiber = &W->fiber[thread];
    stack = (uint64_t *)stack_top(thread);
    *--stack = 0;
    *--stack = (uint64_t)fiber_main;
    for (int i = 0; i < 6; i++) {
        *--stack = 0;
    }
    fiber->sp = stack;
    fiber->entry = entry;
    fiber->opaque = opaque;
    fiber->op.kind = OP_START;
    memcpy(tls_of(thread), tls_fresh, tls_size);
    names[thread] = name;
    return thread;
}

void fiber_park(OpKind kind, uint64_t address, uint32_t size, uint64_t value,
                void *pc)
{
    Fiber *fiber = &W->fiber[current];

    store_settle();
    fiber->op = (Op) {
        .kind = kind, .size = size, .address = address, .value = value,
        .pc = pc,
    };
    fiber_switch(&fiber->sp, scheduler_sp);
}

_Noreturn void fiber_end(void)
{
    Fiber *fiber = &W->fiber[current];

    fiber->ended = 1;
    fiber->op = (Op) { .kind = OP_END };
    fiber_switch(&fiber->sp, scheduler_sp);
    abort();
}

void fiber_run(int thread)
{
    Fiber *fiber = &W->fiber[thread];

    /*
     * Dead frames must not make two states of one: what a thread does next
     * depends on what is hashed, and only on that.
     */
    memset((char *)fiber->sp - 4096, 0, 4096);
    memcpy(tls_block, tls_of(thread), tls_size);
    stores_show(thread);
    shared_new_step();
    current = thread;
    fiber_switch(&scheduler_sp, fiber->sp);
    current = -1;
    stores_hide(thread);
    memcpy(tls_of(thread), tls_block, tls_size);
}

int explore_self(void)
{
    return current;
}

int explore_thread_count(void)
{
    return W->n_fibers;
}

bool explore_has_ended(int thread)
{
    return W->fiber[thread].ended;
}

const char *fiber_name(int thread)
{
    return names[thread];
}

int fiber_by_name(const char *name, size_t length)
{
    for (int i = 0; i < W->n_fibers; i++) {
        if (strlen(names[i]) == length && !memcmp(names[i], name, length)) {
            return i;
        }
    }
    return -1;
}
