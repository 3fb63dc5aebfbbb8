/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process and a core file have in common */
#include <string.h>
#include <unistd.h>

#include "target.h"

#define MAX_STRING 80
#define MAX_STACK  (64 * 1024)

static void mapping_clear(gpointer data)
{
    g_free(((Mapping *)data)->path);
}

Target *target_new(void)
{
    Target *t = g_new0(Target, 1);

    t->pidfd = -1;
    t->maps = g_array_new(false, true, sizeof(Mapping));
    g_array_set_clear_func(t->maps, mapping_clear);
    t->areas = g_array_new(false, true, sizeof(Mapping));
    g_array_set_clear_func(t->areas, mapping_clear);
    return t;
}

void target_free(Target *t)
{
    if (!t) {
        return;
    }
    if (t->pidfd >= 0) {
        close(t->pidfd);
    }
    if (t->close) {
        t->close(t);
    }
    image_free(t->image);
    g_array_unref(t->maps);
    g_array_unref(t->areas);
    g_free(t->name);
    g_free(t->command);
    g_free(t);
}

bool target_read(Target *t, guint64 address, void *buf, gsize size)
{
    return t->read(t, address, buf, size) ||
           (t->image && image_read(t->image, address, buf, size));
}

guint64 target_read_u64(Target *t, guint64 address)
{
    guint64 value;

    return target_read(t, address, &value, sizeof(value)) ? value : 0;
}

guint32 target_read_u32(Target *t, guint64 address)
{
    guint32 value;

    return target_read(t, address, &value, sizeof(value)) ? value : 0;
}

char *target_read_string(Target *t, guint64 address)
{
    char text[MAX_STRING + 1];
    gsize n;

    for (n = 0; n < MAX_STRING; n++) {
        if (!target_read(t, address + n, &text[n], 1)) {
            return NULL;
        }
        if (!text[n]) {
            return n ? g_strdup(text) : NULL;
        }
        if (!g_ascii_isprint(text[n])) {
            return NULL;
        }
    }
    return NULL;
}

GArray *target_threads(Target *t)
{
    return t->threads(t);
}

const Mapping *target_mapping(const Target *t, guint64 address)
{
    for (guint i = 0; i < t->maps->len; i++) {
        const Mapping *m = &g_array_index(t->maps, Mapping, i);

        if (address >= m->start && address < m->end) {
            return m;
        }
    }
    return NULL;
}

/* End of the memory that @address is in: what follows may be the guest's. */
static guint64 end_of_memory(const Target *t, guint64 address)
{
    const Mapping *m = target_mapping(t, address);

    for (guint i = 0; !m && i < t->areas->len; i++) {
        const Mapping *area = &g_array_index(t->areas, Mapping, i);

        m = address >= area->start && address < area->end ? area : NULL;
    }
    return m ? m->end : 0;
}

bool target_thread_in(Target *t, const Thread *thread, const char *function)
{
    guint64 size = 0;
    guint64 at = image_symbol(t->image, function, &size);
    guint64 begin = thread->sp & ~(guint64)7;
    guint64 end = MIN(end_of_memory(t, begin), begin + MAX_STACK);
    g_autofree guint64 *stack = NULL;
    gsize n = end > begin ? (end - begin) / 8 : 0;

    if (!at || !begin || !n) {
        return false;
    }
    stack = g_malloc0(n * 8);
    if (!target_read(t, begin, stack, n * 8)) {
        return false;
    }
    for (gsize i = 0; i < n; i++) {
        if (stack[i] > at && stack[i] <= at + size) {
            return true;
        }
    }
    return false;
}
