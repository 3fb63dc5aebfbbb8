/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which words, of 4 bytes, threads share: accessed by two threads, one of them
 * writes, and no lock is held by all of them.  Only accesses to these are
 * scheduling points.
 *
 * What is shared is learned while a search runs.  A search that learned something
 * is started again; the last one learned nothing, so every access that it saw
 * was judged by the final set.
 */
#include <stdio.h>
#include <stdlib.h>

#include "runtime.h"

typedef struct Word {
    uint8_t readers, writers;   /* a bit for each thread */
    uint8_t shared;
    uint32_t locks;             /* held at every access */
} Word;

typedef struct Region {
    uint64_t begin, end;
    Word *words;
} Region;

static Region regions[3];
/* A thread that makes so many accesses and comes to no point spins. */
enum { SPINS = 100000 };

static unsigned long learned, count, accesses;
bool shared_frozen;

static void region_init(Region *region, uint64_t begin, uint64_t end)
{
    region->begin = begin & ~3ull;
    region->end = end;
    region->words = calloc((end - region->begin) / 4 + 2, sizeof(Word));
}

void shared_init(void)
{
    region_init(&regions[0], WORLD_BASE, WORLD_END);
    region_init(&regions[1], (uint64_t)__start_wdata, (uint64_t)__stop_wdata);
    region_init(&regions[2], (uint64_t)__start_wbss, (uint64_t)__stop_wbss);
}

static Word *word_at(uint64_t address)
{
    for (int i = 0; i < 3; i++) {
        if (address >= regions[i].begin && address < regions[i].end) {
            return &regions[i].words[(address - regions[i].begin) >> 2];
        }
    }
    return NULL;
}

static bool several(unsigned threads)
{
    return (threads & (threads - 1)) != 0;
}

void shared_new_step(void)
{
    accesses = 0;
}

static bool access_word(Word *word, bool write)
{
    if (!word) {
        return false;
    }
    if (shared_frozen) {
        return word->shared;
    }
    if (!(word->readers | word->writers)) {
        word->locks = ~0u;
    }
    if (write) {
        word->writers |= 1u << current;
    } else {
        word->readers |= 1u << current;
    }
    word->locks &= W->fiber[current].locks;
    if (!word->shared &&
        (++accesses > SPINS ||
         (word->writers && !word->locks &&
          several(word->readers | word->writers)))) {
        word->shared = 1;
        learned++;
        count++;
    }
    return word->shared;
}

bool shared_access(uint64_t address, uint32_t size, bool write)
{
    bool shared = false;

    for (uint64_t a = address & ~3ull; a < address + size; a += 4) {
        shared |= access_word(word_at(a), write);
    }
    return shared;
}

unsigned long shared_learned(void)
{
    unsigned long n = learned;

    learned = 0;
    return n;
}

unsigned long shared_count(void)
{
    return count;
}

void shared_add(uint64_t address)
{
    Word *word = word_at(address);

    if (word && !word->shared) {
        word->shared = 1;
        count++;
    }
}

void shared_write_list(void *file)
{
    for (int i = 0; i < 3; i++) {
        for (uint64_t a = regions[i].begin; a < regions[i].end; a += 4) {
            if (word_at(a)->shared) {
                fprintf(file, "shared %#lx %s\n", (unsigned long)a, name_of(a));
            }
        }
    }
}
