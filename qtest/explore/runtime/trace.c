/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One order of the scenario, for people: a column for each thread, with what it
 * did, and where in the source.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

enum { COLUMN = 14, PLACE = 92 };

typedef struct Event {
    int thread;
    Op op;
    void *caller;               /* of the function that op.pc is in */
    const char *text;
} Event;

typedef struct Name {
    uint64_t begin;
    size_t size;
    const char *name;
} Name;

bool tracing;

static Event *events;
static size_t n_events, max_events;
static Name names[256];
static int n_names;

void explore_name(const void *address, size_t size, const char *name)
{
    if (n_names < 256) {
        names[n_names++] = (Name) { (uint64_t)address, size, name };
    }
}

void explore_name_fd(int fd, const char *name)
{
    explore_name((void *)(intptr_t)fd, 1, name);
}

/* In one of a few buffers: good for one line of output. */
const char *name_of(uint64_t address)
{
    static char buffers[8][96];
    static int next;
    const Name *best = NULL;
    char *text;

    for (int i = 0; i < n_names; i++) {
        if (address >= names[i].begin &&
            address < names[i].begin + names[i].size &&
            (!best || names[i].size < best->size)) {
            best = &names[i];
        }
    }
    if (best && address == best->begin) {
        return best->name;
    }
    text = buffers[next = (next + 1) & 7];
    if (best) {
        snprintf(text, 96, "%s+%#" PRIx64, best->name, address - best->begin);
    } else if (address < FIRST_EVENTFD + MAX_EVENTFDS) {
        snprintf(text, 96, "eventfd %" PRIu64, address);
    } else {
        snprintf(text, 96, "%#" PRIx64, address);
    }
    return text;
}

/* Everything is compiled with frame pointers. */
static void *caller_of(void *pc)
{
    void **frame = __builtin_frame_address(0);

    for (int i = 0; i < 8 && (uint64_t)frame >= STACKS &&
                    (uint64_t)frame < TLS_AREAS; i++) {
        void **next = frame[0];

        if (frame[1] == pc) {
            return (uint64_t)next >= STACKS && (uint64_t)next < TLS_AREAS ?
                   next[1] : NULL;
        }
        frame = next;
    }
    return NULL;
}

void trace(int thread, OpKind kind, uint64_t address, uint32_t size,
           uint64_t old, uint64_t value, void *pc, const char *text)
{
    if (!tracing) {
        return;
    }
    if (n_events == max_events) {
        max_events = max_events ? max_events * 2 : 1024;
        events = realloc(events, max_events * sizeof(Event));
    }
    events[n_events++] = (Event) {
        .thread = thread, .text = text,
        .caller = pc && thread >= 0 && current >= 0 ? caller_of(pc) : NULL,
        .op = {
            .kind = kind, .address = address, .size = size, .old = old,
            .value = value, .pc = pc,
        },
    };
    if (pc) {
        symbols_want(pc);
    }
    if (events[n_events - 1].caller) {
        symbols_want(events[n_events - 1].caller);
    }
}

void explore_note(const char *text)
{
    if (current >= 0) {
        trace(current, OP_NOTE, 0, 0, 0, 0, NULL, text);
    }
}

static const char *order_name(uint64_t order)
{
    static const char *const words[] = {
        "relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst"
    };

    return order < 6 ? words[order] : "?";
}

/* Returns false where there is nothing to tell. */
static bool describe(const Event *event, char *text, size_t size)
{
    const Op *op = &event->op;
    const char *name = op->address ? name_of(op->address) : "";

    switch (op->kind) {
    case OP_LOAD:
    case OP_READ:
        snprintf(text, size, "%s is %#" PRIx64, name, op->old);
        break;
    case OP_STORE:
        snprintf(text, size, "%s = %#" PRIx64 "%s", name, op->value,
                 memory_model == MEMORY_SC ? "" : ", in its store buffer");
        break;
    case OP_WRITE:
        snprintf(text, size, "changes %s, was %#" PRIx64, name, op->old);
        break;
    case OP_RMW:
        snprintf(text, size, "%s: %#" PRIx64 " -> %#" PRIx64, name, op->old,
                 op->value);
        break;
    case OP_FENCE:
        snprintf(text, size, "fence %s", order_name(op->value));
        break;
    case OP_LOCK:
        snprintf(text, size, "takes %s", name);
        break;
    case OP_UNLOCK:
        snprintf(text, size, "releases %s", name);
        break;
    case OP_EVENTFD_WRITE:
        snprintf(text, size, "WRITES %s%s", name,
                 op->old ? ", which is set" : "");
        break;
    case OP_EVENTFD_READ:
        snprintf(text, size, "CLEARS %s%s", name,
                 op->old ? "" : ", which is not set");
        break;
    case OP_POLL:
        if ((int64_t)op->value < 0) {
            snprintf(text, size, "ppoll, no timeout");
        } else {
            snprintf(text, size, "ppoll, timeout %" PRIi64 " ns", op->value);
        }
        break;
    case OP_POLL_RETURNS:
        snprintf(text, size, "ppoll returns, %" PRIu64 " ready", op->value);
        break;
    case OP_FUTEX_WAIT:
        snprintf(text, size, "futex wait on %s", name);
        break;
    case OP_FUTEX_WAKE:
        snprintf(text, size, "futex wake on %s, %" PRIu64 " woken", name,
                 op->value);
        break;
    case OP_FLUSH:
        snprintf(text, size, "(its store %s = %#" PRIx64 " reaches memory)",
                 name, op->value);
        break;
    case OP_TIME:
        snprintf(text, size, "(the clock moves to %" PRIi64 " ns)", op->value);
        break;
    case OP_NOTE:
        snprintf(text, size, "[%s]", event->text);
        break;
    case OP_END:
        snprintf(text, size, "[ends]");
        break;
    default:
        return false;
    }
    return true;
}

static void print_heading(void)
{
    for (int i = 0; i < W->n_fibers; i++) {
        printf("%-*s", COLUMN, fiber_name(i));
    }
    printf("\n");
}

static void print_event(const Event *event)
{
    char text[256];
    int indent = event->thread < 0 ? 0 : event->thread * COLUMN, width;

    if (!describe(event, text, sizeof(text))) {
        return;
    }
    width = PLACE - indent;
    printf("%*s%-*s", indent, "", width, text);
    if (event->op.pc && event->op.kind != OP_FLUSH) {
        const char *place = symbols_place(event->op.pc);

        /* what they do is said already; who calls them is not */
        if (event->caller && !strncmp(place, "event_notifier_", 15)) {
            place = symbols_place(event->caller);
        }
        printf(" %s", place);
    }
    printf("\n");
}

static void print_end(int thread)
{
    const Fiber *fiber = &W->fiber[thread];

    printf("    %-10s", fiber_name(thread));
    if (fiber->ended) {
        printf("has ended\n");
        return;
    }
    switch (fiber->op.kind) {
    case OP_POLL:
        printf(fiber->timeout < 0 ? "sleeps in ppoll, forever\n"
                                  : "is in ppoll\n");
        break;
    case OP_LOCK:
        printf("waits for %s\n", name_of(fiber->op.address));
        break;
    case OP_FUTEX_WAIT:
        printf("sleeps on a futex, %s\n", name_of(fiber->op.address));
        break;
    case OP_WAIT_FOR:
        printf("waits until %s\n", name_of(fiber->op.address));
        break;
    default:
        printf("could go on\n");
        break;
    }
}

void trace_print(const char *claim)
{
    print_heading();
    for (size_t i = 0; i < n_events; i++) {
        print_event(&events[i]);
    }
    printf("*** %s\n", claim);
    for (int i = 0; i < W->n_fibers; i++) {
        print_end(i);
    }
}
