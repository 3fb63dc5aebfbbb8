/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gdb reads the program's file and never sees the process.  What it says is
 * kept by build-id in the cache folder, because reading takes it a second.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>

#include <gio/gio.h>

#include "layout.h"

typedef struct Field {
    const char *key;
    const char *what;           /* an expression for gdb */
    gsize place;                /* in Layout */
} Field;

#define AT(type, field) "(int)&((struct " type " *)0)->" field

static const Field fields[] = {
    { "ctx.aio_handlers", AT("AioContext", "aio_handlers"),
      G_STRUCT_OFFSET(Layout, ctx.aio_handlers) },
    { "ctx.notify_me", AT("AioContext", "notify_me"),
      G_STRUCT_OFFSET(Layout, ctx.notify_me) },
    { "ctx.bh_list", AT("AioContext", "bh_list"),
      G_STRUCT_OFFSET(Layout, ctx.bh_list) },
    { "ctx.notified", AT("AioContext", "notified"),
      G_STRUCT_OFFSET(Layout, ctx.notified) },
    { "ctx.notifier", AT("AioContext", "notifier"),
      G_STRUCT_OFFSET(Layout, ctx.notifier) },
    { "ctx.source_notifier", AT("AioContext", "source_notifier"),
      G_STRUCT_OFFSET(Layout, ctx.source_notifier) },
    { "bh.name", AT("QEMUBH", "name"), G_STRUCT_OFFSET(Layout, bh.name) },
    { "bh.cb", AT("QEMUBH", "cb"), G_STRUCT_OFFSET(Layout, bh.cb) },
    { "bh.next", AT("QEMUBH", "next"), G_STRUCT_OFFSET(Layout, bh.next) },
    { "bh.flags", AT("QEMUBH", "flags"), G_STRUCT_OFFSET(Layout, bh.flags) },
};

struct DebugInfo {
    GThread *thread;
    GMutex lock;
    GCond cond;
    char *path;
    char *cache;                /* file, or NULL */
    char *answer;               /* lines "KEY NUMBER", or NULL */
    bool cached;
    bool done;
    gint refs;
};

static void unref(DebugInfo *job)
{
    if (g_atomic_int_dec_and_test(&job->refs)) {
        g_free(job->path);
        g_free(job->cache);
        g_free(job->answer);
        g_mutex_clear(&job->lock);
        g_cond_clear(&job->cond);
        g_free(job);
    }
}

static void die_with_parent(gpointer unused)
{
    (void)unused;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* The lines of gdb's output that are ours */
static char *ask_gdb(const char *path)
{
    g_autoptr(GPtrArray) args = g_ptr_array_new_with_free_func(g_free);
    static const char *const fixed[] = {
        "gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off",
        "-iex", "set auto-load off",
        /* the file that has both structures, or gdb looks through many */
        "-ex", "list aio_bh_new_full", "-ex", "list aio_bh_new",
    };
    g_autofree char *out = NULL;
    g_auto(GStrv) lines = NULL;
    GString *kept = g_string_new(NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(fixed); i++) {
        g_ptr_array_add(args, g_strdup(fixed[i]));
    }
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
        g_ptr_array_add(args, g_strdup("-ex"));
        g_ptr_array_add(args, g_strdup_printf("printf \"@%s %%d\\n\", %s",
                                              fields[i].key,
                                              fields[i].what));
    }
    g_ptr_array_add(args, g_strdup(path));
    g_ptr_array_add(args, NULL);
    if (g_spawn_sync(NULL, (char **)args->pdata, NULL,
                     G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL,
                     die_with_parent, NULL, &out, NULL, NULL, NULL)) {
        lines = g_strsplit(out, "\n", -1);
    }
    for (int i = 0; lines && lines[i]; i++) {
        if (lines[i][0] == '@') {
            g_string_append_printf(kept, "%s\n", lines[i] + 1);
        }
    }
    return g_string_free(kept, false);
}

static gpointer run(gpointer data)
{
    DebugInfo *job = data;
    char *answer = NULL;
    bool cached = job->cache &&
                  g_file_get_contents(job->cache, &answer, NULL, NULL);

    if (!cached) {
        answer = ask_gdb(job->path);
        if (job->cache && *answer) {
            g_autofree char *dir = g_path_get_dirname(job->cache);

            g_mkdir_with_parents(dir, 0700);
            g_file_set_contents(job->cache, answer, -1, NULL);
        }
    }
    g_mutex_lock(&job->lock);
    job->answer = answer;
    job->cached = cached;
    job->done = true;
    g_cond_signal(&job->cond);
    g_mutex_unlock(&job->lock);
    unref(job);
    return NULL;
}

DebugInfo *debug_info_start(const char *path, const Image *image)
{
    g_autofree char *gdb = g_find_program_in_path("gdb");
    const char *cache = g_getenv("AIO_WAKEUP_CACHE");
    DebugInfo *job;

    if (!gdb || !image_has_debug_info(image)) {
        return NULL;
    }
    job = g_new0(DebugInfo, 1);
    job->refs = 2;
    job->path = g_strdup(path);
    g_mutex_init(&job->lock);
    g_cond_init(&job->cond);
    if (image_build_id(image)) {
        g_autofree char *dir = cache ? g_strdup(cache) :
            g_build_filename(g_get_user_cache_dir(), "aio-wakeup", NULL);

        job->cache = g_build_filename(dir, "offsets", image_build_id(image),
                                      NULL);
    }
    job->thread = g_thread_new("gdb", run, job);
    return job;
}

/* Returns how many of the offsets that both know differ. */
static int merge(const char *answer, Layout *layout, int *n)
{
    g_auto(GStrv) lines = g_strsplit(answer, "\n", -1);
    /* the BH's offsets are found with the first BH only */
    bool bh_known = layout->bh.cb;
    int differ = 0;

    for (int i = 0; lines[i]; i++) {
        char *space = strchr(lines[i], ' ');

        if (!space) {
            continue;
        }
        *space = '\0';
        for (gsize j = 0; j < G_N_ELEMENTS(fields); j++) {
            int *place = (int *)((char *)layout + fields[j].place);

            if (!strcmp(fields[j].key, lines[i])) {
                if (bh_known || !g_str_has_prefix(lines[i], "bh.")) {
                    differ += *place != atoi(space + 1);
                }
                *place = atoi(space + 1);
                ++*n;
            }
        }
    }
    return differ;
}

char *debug_info_finish(DebugInfo *job, Layout *layout, gint64 deadline_us,
                        bool *changed)
{
    char *text;
    int n = 0;

    *changed = false;

    if (!job) {
        return g_strdup("offsets found by content, as in ");
    }
    g_mutex_lock(&job->lock);
    while (!job->done &&
           g_cond_wait_until(&job->cond, &job->lock, deadline_us)) {
        continue;
    }
    if (!job->done) {
        text = g_strdup("offsets found by content (gdb was too slow with the "
                        "debug information), as in ");
    } else if (!*job->answer) {
        text = g_strdup("offsets found by content (gdb gave none), as in ");
    } else {
        int differ = merge(job->answer, layout, &n);

        *changed = differ > 0;
        text = g_strdup_printf("%d offsets from debug information%s, %s; ", n,
            job->cached ? " (cached)" : "",
            differ ? "others than by content" : "the same by content");
    }
    g_mutex_unlock(&job->lock);
    g_thread_unref(job->thread);
    unref(job);
    return text;
}
