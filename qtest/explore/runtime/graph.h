/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The graph of the states of a search that ended: states are numbered from 0,
 * the first is the start.
 */
#ifndef GRAPH_H
#define GRAPH_H

#include "runtime.h"

typedef struct Edge {
    uint32_t from, to;
    Choice choice;
} Edge;

typedef struct Graph {
    Edge *edge;
    size_t n_edges, max_edges;
    uint16_t *mask;             /* of each state: who may act there */
} Graph;

extern Graph graph;

#endif
