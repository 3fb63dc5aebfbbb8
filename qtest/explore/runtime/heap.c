/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world's heaps, one for each thread and one for the set-up.  What a heap
 * looks like depends only on the blocks that are in use, not on how it came to
 * that: free memory is zeroed and merged, and the first fit is taken.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

/* In front of each block; sizes are multiples of 16 and include it. */
typedef struct Header {
    uint64_t size;              /* the lowest bit: in use */
} Header;

static uint32_t *used_of(int thread)
{
    return thread < 0 ? &W->heap_used : &W->fiber[thread].heap_used;
}

static uint64_t size_of(const Header *header)
{
    return header->size & ~1ull;
}

void *explore_alloc(size_t size)
{
    uint64_t begin = heap_of(current), at = begin;
    uint32_t *used = used_of(current);

    size = (size + sizeof(Header) + 15) & ~15ull;
    while (at < begin + *used) {
        Header *header = (Header *)at;
        uint64_t rest = size_of(header) - size;

        if (!(header->size & 1) && size_of(header) >= size) {
            if (rest) {
                ((Header *)(at + size))->size = rest;
            }
            header->size = size | 1;
            return header + 1;
        }
        at += size_of(header);
    }
    if (*used + size > HEAP_SIZE) {
        fprintf(stderr, "explore: a heap of the world is full\n");
        exit(2);
    }
    *used += size;
    ((Header *)at)->size = size | 1;
    return (Header *)at + 1;
}

size_t explore_size(const void *memory)
{
    return size_of((const Header *)memory - 1) - sizeof(Header);
}

void explore_free(void *memory)
{
    Header *freed, *header, *previous = NULL;
    uint64_t begin, at;
    uint32_t *used;
    int heap;

    if (!memory) {
        return;
    }
    freed = (Header *)memory - 1;
    heap = ((uint64_t)freed - HEAPS) / HEAP_SIZE;
    heap = heap == MAX_THREADS ? -1 : heap;
    begin = heap_of(heap);
    used = used_of(heap);
    if (!(freed->size & 1)) {
        explore_fail("frees memory that is free");
    }
    memset(memory, 0, explore_size(memory));
    freed->size &= ~1ull;
    for (at = begin; at < begin + *used; at += size_of(header)) {
        header = (Header *)at;
        if (header->size & 1) {
            previous = NULL;
        } else if (previous) {
            previous->size += header->size;
            header->size = 0;
            header = previous;
            at = (uint64_t)previous;
        } else {
            previous = header;
        }
    }
    if (previous) {
        *used -= previous->size;
        previous->size = 0;
    }
}
