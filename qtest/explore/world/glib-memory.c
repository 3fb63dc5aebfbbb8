/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * glib's memory and arrays, in the world's memory.
 */
#include <glib.h>
#include <string.h>

#include "../explore.h"

#undef g_free

gpointer g_malloc(gsize size)
{
    return size ? explore_alloc(size) : NULL;
}

gpointer g_malloc0(gsize size)
{
    return g_malloc(size);
}

gpointer g_malloc_n(gsize n, gsize size)
{
    return g_malloc(n * size);
}

gpointer g_malloc0_n(gsize n, gsize size)
{
    return g_malloc(n * size);
}

gpointer g_realloc(gpointer memory, gsize size)
{
    gpointer new = g_malloc(size);

    if (memory) {
        memcpy(new, memory, MIN(size, explore_size(memory)));
        explore_free(memory);
    }
    return new;
}

gpointer g_realloc_n(gpointer memory, gsize n, gsize size)
{
    return g_realloc(memory, n * size);
}

void g_free(gpointer memory)
{
    explore_free(memory);
}

void g_free_sized(gpointer memory, size_t size);
void g_free_sized(gpointer memory, size_t size)
{
    explore_free(memory);
}

/* ---- GArray, of a fixed capacity -------------------------------------------- */

enum { CAPACITY = 24 };

GArray *g_array_new(gboolean zero_terminated, gboolean clear, guint size)
{
    GArray *array = g_malloc0(sizeof(*array));

    array->data = g_malloc0(CAPACITY * (gsize)size);
    return array;
}

GArray *g_array_set_size(GArray *array, guint length)
{
    if (length > CAPACITY) {
        explore_fail("has a GArray of more than %d elements", CAPACITY);
    }
    array->len = length;
    return array;
}

/* ---- assertions ----------------------------------------------------------------- */

void g_assertion_message_expr(const char *domain, const char *file, int line,
                              const char *function, const char *expression)
{
    explore_fail("fails the assertion %s: %s:%d %s()", expression, file, line,
                 function);
}
