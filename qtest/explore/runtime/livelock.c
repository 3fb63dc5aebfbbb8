/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Livelocks: a part of the state graph that a scheduler can stay in forever, and
 * that is fair: whoever may act somewhere in it does act in it.  A scenario's work
 * is finite, so nobody does useful work there.
 *
 * The parts are the strongly connected components (Tarjan).  One in which
 * somebody may act, but never does, is looked at again without the states where
 * that is so: fairness is the strong one, locks and all.
 */
#include <stdlib.h>
#include <string.h>

#include "graph.h"

enum { NONE = UINT32_MAX };

static uint32_t *first, *target;        /* edges by their origin */
static Choice *how;
static uint32_t *group;                 /* of a state; NONE: not looked at */
static uint32_t n_groups;
static uint32_t *order, *low;           /* Tarjan's numbers */

static void sort_edges(size_t n)
{
    first = calloc(n + 2, sizeof(*first));
    target = malloc((graph.n_edges + 1) * sizeof(*target));
    how = malloc((graph.n_edges + 1) * sizeof(*how));
    for (size_t i = 0; i < graph.n_edges; i++) {
        first[graph.edge[i].from + 2]++;
    }
    for (size_t i = 2; i < n + 2; i++) {
        first[i] += first[i - 1];
    }
    for (size_t i = 0; i < graph.n_edges; i++) {
        uint32_t at = first[graph.edge[i].from + 1]++;

        target[at] = graph.edge[i].to;
        how[at] = graph.edge[i].choice;
    }
}

/*
 * Splits the states of one group: each component with an edge inside becomes a
 * group of its own, other states leave.  Returns the first of the new groups.
 */
static uint32_t split(const uint32_t *members, size_t n)
{
    static const uint32_t on_stack = 1u << 31;
    uint32_t *stack = malloc((n + 1) * sizeof(*stack));
    uint32_t *path = malloc((n + 1) * sizeof(*path));
    uint32_t *next = malloc((n + 1) * sizeof(*next));
    uint32_t before = n_groups, self = n ? group[members[0]] : 0, count = 0;
    size_t n_stack = 0, n_path = 0;

    for (size_t i = 0; i < n; i++) {
        order[members[i]] = 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (order[members[i]]) {
            continue;
        }
        path[n_path] = members[i];
        next[n_path++] = first[members[i]];
        order[members[i]] = low[members[i]] = ++count;
        order[members[i]] |= on_stack;
        stack[n_stack++] = members[i];
        while (n_path) {
            uint32_t state = path[n_path - 1];

            if (next[n_path - 1] < first[state + 1]) {
                uint32_t to = target[next[n_path - 1]++];

                if (group[to] != self) {
                    continue;
                }
                if (!order[to]) {
                    order[to] = low[to] = ++count;
                    order[to] |= on_stack;
                    stack[n_stack++] = to;
                    path[n_path] = to;
                    next[n_path++] = first[to];
                } else if (order[to] & on_stack) {
                    uint32_t number = order[to] & ~on_stack;

                    low[state] = number < low[state] ? number : low[state];
                }
                continue;
            }
            n_path--;
            if (n_path && low[state] < low[path[n_path - 1]]) {
                low[path[n_path - 1]] = low[state];
            }
            if (low[state] == (order[state] & ~on_stack)) {
                bool cycle = stack[n_stack - 1] != state;
                uint32_t top;

                for (uint32_t e = first[state]; e < first[state + 1]; e++) {
                    cycle |= target[e] == state;
                }
                do {
                    top = stack[--n_stack];
                    order[top] &= ~on_stack;
                    /* not into group[]: edges inside are still compared */
                    low[top] = cycle ? n_groups : NONE;
                } while (top != state);
                n_groups += cycle;
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        group[members[i]] = low[members[i]];
    }
    free(stack);
    free(path);
    free(next);
    return before;
}

static size_t members_of(uint32_t id, const uint32_t *among, size_t n,
                         uint32_t *members)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        if (group[among[i]] == id) {
            members[count++] = among[i];
        }
    }
    return count;
}

/* Returns a state of a fair part among these, or NONE. */
static uint32_t find_fair(uint32_t *states, size_t n)
{
    uint32_t begin = split(states, n), end = n_groups;
    uint32_t *members = malloc((n + 1) * sizeof(*members));
    uint32_t answer = NONE;

    for (uint32_t id = begin; id < end && answer == NONE; id++) {
        size_t count = members_of(id, states, n, members), left = 0;
        uint16_t may = 0, does = 0;
        uint32_t again;

        for (size_t i = 0; i < count; i++) {
            may |= graph.mask[members[i]];
            for (uint32_t e = first[members[i]]; e < first[members[i] + 1];
                 e++) {
                does |= group[target[e]] == id ? agent_of(how[e]) : 0;
            }
        }
        if (!(may & ~does)) {
            answer = members[0];
            break;
        }
        again = n_groups++;
        for (size_t i = 0; i < count; i++) {
            if (graph.mask[members[i]] & may & ~does) {
                group[members[i]] = NONE;
            } else {
                group[members[i]] = again;
                members[left++] = members[i];
            }
        }
        answer = left ? find_fair(members, left) : NONE;
    }
    free(members);
    return answer;
}

/* The shortest way from one state to another, at least one step long. */
static void way(uint32_t from, uint32_t to, uint32_t within, size_t n,
                Schedule *schedule)
{
    uint32_t *queue = malloc((n + 1) * sizeof(*queue));
    uint32_t *parent = malloc((n + 1) * sizeof(*parent));
    uint32_t *edge = malloc((n + 1) * sizeof(*edge));
    size_t head = 0, tail = 0, length = 0;
    bool found = false;

    memset(parent, 0xff, (n + 1) * sizeof(*parent));
    queue[tail++] = from;
    while (head < tail && !found) {
        uint32_t state = queue[head++];

        for (uint32_t e = first[state]; e < first[state + 1]; e++) {
            uint32_t next = target[e];

            if (parent[next] != NONE ||
                (within != NONE && group[next] != within)) {
                continue;
            }
            parent[next] = state;
            edge[next] = e;
            queue[tail++] = next;
            found |= next == to;
        }
    }
    if (found) {
        uint32_t state = to;

        do {
            queue[length++] = edge[state];
            state = parent[state];
        } while (state != from);
        while (length) {
            schedule_push(schedule, how[queue[--length]]);
        }
    }
    free(queue);
    free(parent);
    free(edge);
}

bool livelock_find(Schedule *schedule)
{
    size_t n = states_count();
    uint32_t *all = malloc((n + 1) * sizeof(*all)), state;

    sort_edges(n);
    group = calloc(n + 1, sizeof(*group));
    order = calloc(n + 1, sizeof(*order));
    low = calloc(n + 1, sizeof(*low));
    n_groups = 1;
    for (size_t i = 0; i < n; i++) {
        all[i] = i;
    }
    state = find_fair(all, n);
    if (state != NONE) {
        schedule->length = 0;
        if (state != 0) {
            way(0, state, NONE, n, schedule);
        }
        way(state, state, group[state], n, schedule);
    }
    free(first);
    free(target);
    free(how);
    free(group);
    free(order);
    free(low);
    free(all);
    return state != NONE;
}
