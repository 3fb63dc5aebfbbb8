/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One scenario, explored.
 *
 * usage: PROGRAM [--memory sc|tso|pso] [--limit MIB] [--brief]
 *                [--save FILE | --replay FILE]
 *
 *   --memory   the memory model (sc)
 *   --limit    the search may take so much memory (1024)
 *   --brief    no trace of what was lost
 *   --save     the schedule of what was lost goes to FILE
 *   --replay   only this schedule
 *
 * The last line of the output, tabs between its fields: scenario, memory model,
 * verdict (holds, lost, deadlock, livelock; fails: an assertion does; unknown: it
 * calls what is not in this world; or not-exhausted), states, transitions, shared
 * words, ms, MiB, what was reached, what was lost.
 *
 * Exit status: 0 it holds, 1 it does not, 2 wrong use, 3 not exhausted or
 * unknown.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <time.h>
#include <unistd.h>

#include "runtime.h"

/* A failure with more switches than that is shown as it was found. */
enum { MOST_SWITCHES = 6 };

static const char *scenario_name, *save_path, *replay_path;
static bool brief;
static Snapshot start;

static double seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static _Noreturn void wrong_use(const char *why, const char *word)
{
    fprintf(stderr, "explore: %s%s\n", why, word);
    exit(2);
}

static void parse(int argc, char **argv)
{
    memory_limit = 1024ul << 20;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (!strcmp(argv[i], "--brief")) {
            brief = true;
            continue;
        }
        if (!value) {
            wrong_use("no such option, or it needs a value: ", argv[i]);
        }
        if (!strcmp(argv[i], "--memory")) {
            memory_model = !strcmp(value, "sc") ? MEMORY_SC :
                           !strcmp(value, "tso") ? MEMORY_TSO :
                           !strcmp(value, "pso") ? MEMORY_PSO : -1;
            if (memory_model == (MemoryModel)-1) {
                wrong_use("the memory model is sc, tso or pso, not ", value);
            }
        } else if (!strcmp(argv[i], "--limit")) {
            memory_limit = strtoul(value, NULL, 10) << 20;
        } else if (!strcmp(argv[i], "--save")) {
            save_path = value;
        } else if (!strcmp(argv[i], "--replay")) {
            replay_path = value;
        } else {
            wrong_use("no such option: ", argv[i]);
        }
        i++;
    }
}

/* Addresses are part of the state: they must be the same in every run. */
static void without_randomness(char **argv)
{
    int persona = personality(0xffffffff);

    if (persona >= 0 && !(persona & ADDR_NO_RANDOMIZE) &&
        personality(persona | ADDR_NO_RANDOMIZE) >= 0) {
        execv("/proc/self/exe", argv);
    }
}

static void make_world(void)
{
    void *world = mmap((void *)WORLD_BASE, WORLD_END - WORLD_BASE,
                       PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                       -1, 0);

    if (world != (void *)WORLD_BASE) {
        wrong_use("no memory for the world", "");
    }
    fibers_init();
    snapshot_init();
    shared_init();
    W->now = 1000000000;
    explore_scenario.set_up();
    snapshot_take();
    snapshot_keep(&start);
}

/* Shows one order of the scenario that fails, and keeps it. */
static void show(const Schedule *schedule, const char *claim)
{
    char *copy = strdup(claim);

    if (save_path) {
        schedule_save(schedule, save_path, scenario_name, copy);
    }
    if (!brief) {
        tracing = true;
        replay(&start, schedule);
        tracing = false;
        trace_print(copy);
    }
    free(copy);
}

/* The same failure, or another one, with as few switches as there can be. */
static void shorten(Schedule *schedule)
{
    Schedule shorter = { 0 };

    for (int bound = 0; bound <= MOST_SWITCHES; bound++) {
        Verdict verdict;

        do {
            shared_learned();
            verdict = search(&start, bound, &shorter);
        } while (shared_learned());
        if (verdict == VERDICT_LOST) {
            *schedule = shorter;
            return;
        }
    }
    replay(&start, schedule);
}

static int replay_only(void)
{
    Schedule schedule = { 0 };
    bool possible;

    schedule_load(&schedule, replay_path, scenario_name);
    tracing = !brief;
    possible = replay(&start, &schedule);
    if (!brief) {
        trace_print(search_failure() ? search_failure() : "nothing was lost");
    }
    printf("%s\t%s\n", scenario_name,
           !possible ? "not possible here" :
           search_failure() ? search_failure_verdict() : "holds");
    return !possible ? 2 : search_failure() ? 1 : 0;
}

static const char *explore(Schedule *schedule, SearchCounts *counts,
                           size_t *states)
{
    Verdict verdict;

    do {
        shared_learned();
        reach_reset();
        stores_overflowed = 0;
        verdict = search(&start, -1, schedule);
    } while (shared_learned() && verdict != VERDICT_NOT_EXHAUSTED);
    *counts = search_counts;
    *states = states_count();
    if (verdict == VERDICT_LOST) {
        return search_failure_verdict();
    }
    if (verdict == VERDICT_NOT_EXHAUSTED || stores_overflowed) {
        return "not-exhausted";
    }
    if (livelock_find(schedule)) {
        search_fail("livelock", "round and round, and nothing is done");
        return "livelock";
    }
    return "holds";
}

int main(int argc, char **argv)
{
    static const char *const words[] = { "sc", "tso", "pso" };
    const char *verdict;
    double begin = seconds(), end;
    Schedule schedule = { 0 };
    SearchCounts counts;
    size_t states;
    char *claim;

    without_randomness(argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    scenario_name = strrchr(argv[0], '/');
    scenario_name = scenario_name ? scenario_name + 1 : argv[0];
    parse(argc, argv);
    make_world();
    if (replay_path) {
        return replay_only();
    }
    verdict = explore(&schedule, &counts, &states);
    end = seconds();
    if (*(search_failure() ?: "") && strcmp(verdict, "livelock") && (!brief || save_path)) {
        shorten(&schedule);
    }
    claim = strdup(search_failure() ? search_failure() : "");
    if (*claim && (!brief || save_path)) {
        show(&schedule, claim);
    }
    printf("%s\t%s\t%s\t%zu\t%lu\t%lu\t%.0f\t%zu\t", scenario_name,
           words[memory_model], verdict, states, counts.transitions,
           shared_count(), (end - begin) * 1000, counts.bytes >> 20);
    reach_print(stdout);
    printf("\t%s\n", claim);
    return !strcmp(verdict, "holds") ? 0 :
           !strcmp(verdict, "not-exhausted") ||
           !strcmp(verdict, "unknown") ? 3 : 1;
}
