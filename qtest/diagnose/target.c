/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process and a core file have in common */
#include <string.h>
#include <unistd.h>

#include "core.h"
#include "target.h"

#define MAX_STRING 80

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
    core_free(t->core);
    image_free(t->image);
    g_array_unref(t->maps);
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
