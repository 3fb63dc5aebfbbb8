/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The states that a search has seen, by hash, and the graph of its steps.
 *
 * Two states with the same 128-bit hash are taken for one.
 */
#include <stdlib.h>
#include <string.h>

#include "graph.h"

typedef struct Slot {
    uint64_t low, high;
    uint32_t state;             /* its number plus 1; 0: the slot is free */
    uint32_t cost;
} Slot;

static Slot *slots;
static size_t n_slots, n_states;
Graph graph;

void states_reset(void)
{
    n_states = 0;
    graph.n_edges = 0;
    if (slots) {
        memset(slots, 0, n_slots * sizeof(Slot));
    }
}

static Slot *slot_for(StateHash hash)
{
    uint64_t low = (uint64_t)hash, high = (uint64_t)(hash >> 64);
    size_t i = low & (n_slots - 1);

    while (slots[i].state && (slots[i].low != low || slots[i].high != high)) {
        i = (i + 1) & (n_slots - 1);
    }
    return &slots[i];
}

static void grow(void)
{
    Slot *old = slots;
    size_t n_old = n_slots;

    n_slots = n_slots ? n_slots * 2 : 1 << 16;
    slots = calloc(n_slots, sizeof(Slot));
    graph.mask = realloc(graph.mask, n_slots * sizeof(*graph.mask));
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].state) {
            *slot_for((StateHash)old[i].high << 64 | old[i].low) = old[i];
        }
    }
    free(old);
}

uint32_t states_visit(StateHash hash, uint32_t cost, bool *enter)
{
    Slot *slot;

    if (n_states * 3 >= n_slots * 2) {
        grow();
    }
    slot = slot_for(hash);
    if (!slot->state) {
        graph.mask[n_states] = 0;
        *slot = (Slot) {
            .low = (uint64_t)hash, .high = (uint64_t)(hash >> 64),
            .state = ++n_states, .cost = cost,
        };
        *enter = true;
    } else {
        *enter = cost < slot->cost;
        if (*enter) {
            slot->cost = cost;
        }
    }
    return slot->state - 1;
}

void states_mask(uint32_t state, uint16_t agents)
{
    graph.mask[state] = agents;
}

void states_edge(uint32_t from, uint32_t to, Choice choice)
{
    if (graph.n_edges == graph.max_edges) {
        graph.max_edges = graph.max_edges ? graph.max_edges * 2 : 1 << 16;
        graph.edge = realloc(graph.edge, graph.max_edges * sizeof(Edge));
    }
    graph.edge[graph.n_edges++] = (Edge) { from, to, choice };
}

size_t states_count(void)
{
    return n_states;
}

size_t states_bytes(void)
{
    return n_slots * (sizeof(Slot) + sizeof(*graph.mask)) +
           graph.max_edges * sizeof(Edge);
}
