/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The search: depth first through every choice of who goes on, from each state
 * once.  It ends when there is no state left, at the first failure, or when it
 * would take more memory than it may.
 *
 * With a bound it counts switches away from a thread that could go on, and stores
 * that leave a buffer; a state that is met again at a lower cost is entered
 * again.  That finds the failure with the fewest switches.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

enum { MAX_CHOICES = MAX_THREADS * (1 + MAX_STORES) };

/* A state with more than one choice, on the way to the present one. */
typedef struct Frame {
    Snapshot snapshot;
    size_t steps;               /* of the schedule that leads to it */
    uint32_t state;
    int cost, last;
    int n, next;
    Choice choice[MAX_CHOICES];
} Frame;

size_t memory_limit;
SearchCounts search_counts;

static Frame *frames;
static size_t n_frames, max_frames, frame_bytes;
static char failure[512];
static const char *failure_verdict;

void search_fail(const char *verdict, const char *format, ...)
{
    va_list ap;

    if (!failure[0]) {
        failure_verdict = verdict;
        va_start(ap, format);
        vsnprintf(failure, sizeof(failure), format, ap);
        va_end(ap);
    }
}

const char *search_failure(void)
{
    return failure[0] ? failure : NULL;
}

const char *search_failure_verdict(void)
{
    return failure_verdict;
}

/* The thread that runs goes no further, and neither does this path. */
static _Noreturn void fail_thread(const char *verdict, const char *text)
{
    if (current < 0) {
        fprintf(stderr, "explore: in the set-up: %s\n", text);
        exit(2);
    }
    search_fail(verdict, "%s %s", fiber_name(current), text);
    W->fiber[current].n_stores = 0;
    memset(&W->fiber[current].pending, 0, sizeof(Store));
    fiber_end();
}

void explore_fail(const char *format, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    fail_thread("fails", text);
}

void fail_unknown(const char *what, const char *name)
{
    char text[400];

    snprintf(text, sizeof(text), "%s %s, which is not in this world", what,
             name);
    fail_thread("unknown", text);
}

static void step(Choice choice)
{
    search_counts.transitions++;
    if (choice.store < 0) {
        fiber_run(choice.thread);
    } else {
        store_leave(choice.thread, choice.store);
    }
}

/* Lists what may happen next; the thread that ran last comes first. */
static int list_choices(Choice *list, int last)
{
    int n = 0;

    if (last >= 0 && fiber_can_run(last)) {
        list[n++] = (Choice) { last, -1 };
    }
    for (int t = 0; t < W->n_fibers; t++) {
        if (t != last && fiber_can_run(t)) {
            list[n++] = (Choice) { t, -1 };
        }
    }
    if (memory_model != MEMORY_SC) {
        bool none_runs = n == 0;

        for (int t = 0; t < W->n_fibers; t++) {
            unsigned n_stores = W->fiber[t].n_stores;

            if (!n_stores || !(none_runs || stores_matter(t))) {
                continue;
            }
            for (unsigned i = 0; i < n_stores; i++) {
                if (store_can_leave(t, i)) {
                    list[n++] = (Choice) { t, i };
                }
            }
        }
    }
    return n;
}

static int cost_of(Choice choice, int last, bool last_can_run)
{
    return choice.store >= 0 || (last_can_run && choice.thread != last);
}

/* Nothing can happen any more: is that right? */
static void check_end(void)
{
    const char *claim;

    search_counts.ends++;
    for (int t = 0; t < W->n_fibers; t++) {
        if (!W->fiber[t].ended && W->fiber[t].op.kind == OP_LOCK) {
            search_fail("deadlock", "%s waits for %s forever", fiber_name(t),
                        name_of(W->fiber[t].op.address));
        }
    }
    claim = explore_scenario.check();
    if (claim) {
        search_fail("lost", "%s", claim);
    }
}

static Frame *push_frame(void)
{
    if (n_frames == max_frames) {
        size_t old = max_frames;

        max_frames = max_frames ? max_frames * 2 : 256;
        frames = realloc(frames, max_frames * sizeof(Frame));
        memset(frames + old, 0, (max_frames - old) * sizeof(Frame));
        frame_bytes += (max_frames - old) * sizeof(Frame);
    }
    return &frames[n_frames++];
}

static bool too_much(void)
{
    size_t bytes = states_bytes() + frame_bytes;

    if (bytes > search_counts.bytes) {
        search_counts.bytes = bytes;
    }
    return bytes > memory_limit;
}

Verdict search(const Snapshot *start, int bound, Schedule *trail)
{
    Choice list[MAX_CHOICES], took = { 0, -1 };
    uint32_t previous = UINT32_MAX;
    int cost = 0, last = -1;

    snapshot_restore(start);
    states_reset();
    memset(&search_counts, 0, sizeof(search_counts));
    failure[0] = '\0';
    n_frames = 0;
    trail->length = 0;
    for (;;) {
        bool back = false;
        int n;

        if (search_failure()) {
            return VERDICT_LOST;
        }
        n = list_choices(list, last);
        if (n == 0 && clock_advance()) {
            last = -1;
            continue;
        }
        if (n == 0) {
            check_end();
            if (search_failure()) {
                return VERDICT_LOST;
            }
            back = true;
        } else {
            StateHash hash = snapshot_take();
            uint16_t agents = 0;
            uint32_t state;
            bool enter, last_can_run = list[0].thread == last &&
                                       list[0].store < 0;
            int kept = 0;

            if (bound >= 0) {
                /* how it goes on depends on who ran last */
                hash += (StateHash)(last + 1) << 100;
            }
            state = states_visit(hash, cost, &enter);
            if (previous != UINT32_MAX && bound < 0) {
                states_edge(previous, state, took);
            }
            if (enter && too_much()) {
                return VERDICT_NOT_EXHAUSTED;
            }
            for (int i = 0; i < n; i++) {
                agents |= agent_of(list[i]);
                if (bound < 0 ||
                    cost + cost_of(list[i], last, last_can_run) <= bound) {
                    list[kept++] = list[i];
                }
            }
            if (enter) {
                states_mask(state, agents);
            }
            back = !enter || kept == 0;
            if (!back) {
                if (kept > 1) {
                    Frame *frame = push_frame();
                    size_t had = frame->snapshot.capacity;

                    snapshot_keep(&frame->snapshot);
                    frame_bytes += frame->snapshot.capacity - had;
                    frame->steps = trail->length;
                    frame->state = state;
                    frame->cost = cost;
                    frame->last = last;
                    frame->n = kept;
                    frame->next = 1;
                    memcpy(frame->choice, list, kept * sizeof(Choice));
                }
                previous = state;
                took = list[0];
                cost += cost_of(took, last, last_can_run);
            }
        }
        if (back) {
            Frame *frame;

            while (n_frames &&
                   frames[n_frames - 1].next == frames[n_frames - 1].n) {
                n_frames--;
            }
            if (!n_frames) {
                return VERDICT_HOLDS;
            }
            frame = &frames[n_frames - 1];
            snapshot_restore(&frame->snapshot);
            trail->length = frame->steps;
            previous = frame->state;
            last = frame->last;
            took = frame->choice[frame->next++];
            cost = frame->cost +
                   cost_of(took, last, frame->choice[0].thread == last &&
                                       frame->choice[0].store < 0);
        }
        schedule_push(trail, took);
        if (took.store < 0) {
            last = took.thread;
        }
        step(took);
    }
}

bool replay(const Snapshot *start, const Schedule *schedule)
{
    Choice list[MAX_CHOICES];

    snapshot_restore(start);
    failure[0] = '\0';
    shared_frozen = true;
    for (size_t i = 0; i < schedule->length && !search_failure(); i++) {
        Choice wanted = schedule->steps[i];
        bool possible = false;
        int n;

        while ((n = list_choices(list, -1)) == 0 && clock_advance()) {
            /* a timeout is over */
        }
        for (int k = 0; k < n; k++) {
            possible |= list[k].thread == wanted.thread &&
                        list[k].store == wanted.store;
        }
        if (!possible) {
            search_fail("unknown", "step %zu is not possible: %s", i + 1,
                        fiber_name(wanted.thread));
            shared_frozen = false;
            return false;
        }
        step(wanted);
    }
    if (!search_failure()) {
        int n;

        while ((n = list_choices(list, -1)) == 0 && clock_advance()) {
            /* a timeout is over */
        }
        if (n == 0) {
            check_end();
        }
    }
    shared_frozen = false;
    return true;
}
