/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "../shim/note.h"
#include "shim.h"

static bool read_note(Target *t, Note *note)
{
    for (guint i = 0; i < t->maps->len; i++) {
        const Mapping *m = &g_array_index(t->maps, Mapping, i);

        if (g_str_has_prefix(m->path, "/memfd:" NOTE_NAME)) {
            return target_read(t, m->start, note, sizeof(*note)) &&
                   !memcmp(note->magic, NOTE_MAGIC, sizeof(note->magic));
        }
    }
    return false;
}

char *shim_text(Target *t)
{
    Note note;

    if (!read_note(t, &note)) {
        return NULL;
    }
    if (!note.iterations) {
        return g_strdup("loaded, but the main loop has not come to it");
    }
    return g_strdup_printf("loaded, %" G_GUINT64_FORMAT " wakeups given back, "
                           "%" G_GUINT64_FORMAT " of them with work waiting%s",
                           note.wakeups, note.work + note.earlier,
                           note.blind ? "; it cannot follow the io_uring"
                                      : "");
}
