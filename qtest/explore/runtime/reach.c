/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a search has seen happen: a scenario that holds because nobody comes to
 * the interesting place proves nothing.
 */
#include <stdio.h>
#include <string.h>

#include "runtime.h"

static bool seen[3][MAX_THREADS][MAX_EVENTFDS];

void reach_reset(void)
{
    memset(seen, 0, sizeof(seen));
}

void reach_note(ReachVerb verb, int thread, int fd)
{
    seen[verb][thread][verb == REACH_SLEEPS ? 0 : fd - FIRST_EVENTFD] = true;
}

void reach_print(void *file)
{
    static const char *const words[] = { "sleeps", "writes", "clears" };
    const char *between = "";

    for (int thread = 0; thread < W->n_fibers; thread++) {
        for (int verb = 0; verb < 3; verb++) {
            for (int i = 0; i < MAX_EVENTFDS; i++) {
                if (!seen[verb][thread][i]) {
                    continue;
                }
                fprintf(file, "%s%s %s%s%s", between, fiber_name(thread),
                        words[verb], verb == REACH_SLEEPS ? "" : " ",
                        verb == REACH_SLEEPS ? "" : name_of(FIRST_EVENTFD + i));
                between = "; ";
            }
        }
    }
}
