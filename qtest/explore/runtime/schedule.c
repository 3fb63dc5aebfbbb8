/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A schedule as a value: which thread goes on from each scheduling point, and
 * which buffered store leaves when.  As a file it also says which words are
 * shared, because only these have points.
 *
 *     scenario bh
 *     memory tso
 *     claim the main loop sleeps forever, and work is pending
 *     shared 0x100000005ab8 ctx->notify_me
 *     main 14              (runs to its 14th point from here)
 *     vcpu 3
 *     vcpu store 0         (the oldest store of its buffer reaches memory)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

static const char *const memory_names[] = { "sc", "tso", "pso" };

void schedule_push(Schedule *schedule, Choice choice)
{
    if (schedule->length == schedule->capacity) {
        schedule->capacity = schedule->capacity ? schedule->capacity * 2 : 1024;
        schedule->steps = realloc(schedule->steps,
                                  schedule->capacity * sizeof(Choice));
    }
    schedule->steps[schedule->length++] = choice;
}

void schedule_save(const Schedule *schedule, const char *path,
                   const char *scenario, const char *claim)
{
    FILE *file = fopen(path, "w");

    if (!file) {
        fprintf(stderr, "explore: cannot write the schedule to %s\n", path);
        exit(2);
    }
    fprintf(file, "scenario %s\nmemory %s\nclaim %s\n", scenario,
            memory_names[memory_model], claim);
    shared_write_list(file);
    for (size_t i = 0; i < schedule->length;) {
        Choice choice = schedule->steps[i];
        size_t count = 1;

        if (choice.store >= 0) {
            fprintf(file, "%s store %d\n", fiber_name(choice.thread),
                    choice.store);
            i++;
            continue;
        }
        while (i + count < schedule->length &&
               schedule->steps[i + count].thread == choice.thread &&
               schedule->steps[i + count].store < 0) {
            count++;
        }
        fprintf(file, "%s %zu\n", fiber_name(choice.thread), count);
        i += count;
    }
    fclose(file);
}

static _Noreturn void malformed(const char *path, int line, const char *why)
{
    fprintf(stderr, "explore: %s:%d: %s\n", path, line, why);
    exit(2);
}

static void load_memory(const char *value, const char *path, int line)
{
    for (int i = 0; i < 3; i++) {
        if (!strcmp(value, memory_names[i])) {
            memory_model = i;
            return;
        }
    }
    malformed(path, line, "the memory model is sc, tso or pso");
}

static void load_steps(Schedule *schedule, const char *line, const char *path,
                       int number)
{
    size_t length = strcspn(line, " ");
    int thread = fiber_by_name(line, length), count, store;

    if (thread < 0) {
        malformed(path, number, "the scenario has no thread of that name");
    }
    if (sscanf(line + length, " store %d", &store) == 1 &&
        store >= 0 && store < MAX_STORES) {
        schedule_push(schedule, (Choice) { thread, store });
    } else if (sscanf(line + length, " %d", &count) == 1 && count > 0) {
        while (count--) {
            schedule_push(schedule, (Choice) { thread, -1 });
        }
    } else {
        malformed(path, number, "neither a number of steps nor 'store N'");
    }
}

void schedule_load(Schedule *schedule, const char *path, const char *scenario)
{
    FILE *file = fopen(path, "r");
    char line[1024];

    if (!file) {
        fprintf(stderr, "explore: there is no file %s\n", path);
        exit(2);
    }
    schedule->length = 0;
    for (int number = 1; fgets(line, sizeof(line), file); number++) {
        unsigned long address;

        line[strcspn(line, "\n")] = '\0';
        if (!strncmp(line, "scenario ", 9)) {
            if (strcmp(line + 9, scenario)) {
                malformed(path, number, "it is of another scenario");
            }
        } else if (!strncmp(line, "memory ", 7)) {
            load_memory(line + 7, path, number);
        } else if (sscanf(line, "shared %lx", &address) == 1) {
            shared_add(address);
        } else if (line[0] && line[0] != '#' && strncmp(line, "claim ", 6)) {
            load_steps(schedule, line, path, number);
        }
    }
    fclose(file);
}
