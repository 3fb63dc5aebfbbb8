/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * glib's main context, as far as QEMU's main loop uses it: prepare, query, check
 * and dispatch in the order of steps of gmain.c (2.74; the same from 2.56 to
 * 2.80), with a GWakeup that is an eventfd of this world.
 *
 * glib holds the context's mutex while it does its own part of these, and not
 * while it calls a source's functions.  Here a thread is not interrupted in
 * glib's part, but for the write of the GWakeup.  Not here, because no source of
 * QEMU's event loop uses it: ready times, children, g_source_add_unix_fd().
 */
#include <glib.h>

#include "../explore.h"

#define PC __builtin_return_address(0)

enum { MAX_SOURCES = 4, MAX_FDS = 8 };

typedef struct Source {
    GSource *source;
    GPollFD *fd[MAX_FDS];
    int n_fds;
    bool ready;
} Source;

struct _GMainContext {
    Source source[MAX_SOURCES]; /* attached or not yet, in order */
    int n_sources;
    Source *pending[MAX_SOURCES];
    int n_pending;
    gint timeout;               /* ms */
    int owner;                  /* thread + 1 */
    bool poll_changed;
    int wakeup_fd;              /* 0: none yet */
    bool in_check_or_prepare;
};

static GMainContext context;

static GMainContext *init(GMainContext *ctx)
{
    ctx = ctx ? ctx : &context;
    if (!ctx->wakeup_fd) {
        ctx->wakeup_fd = explore_eventfd();
        explore_name_fd(ctx->wakeup_fd, "glib's wakeup");
    }
    return ctx;
}

/* g_wakeup_signal() */
static void signal_wakeup(GMainContext *ctx, void *pc)
{
    explore_eventfd_write(init(ctx)->wakeup_fd, pc);
}

GMainContext *g_main_context_default(void)
{
    return &context;
}

void g_main_context_wakeup(GMainContext *ctx)
{
    signal_wakeup(init(ctx), PC);
}

gboolean g_main_context_acquire(GMainContext *ctx)
{
    ctx = init(ctx);
    if (ctx->owner && ctx->owner != explore_self() + 1) {
        return FALSE;
    }
    ctx->owner = explore_self() + 1;
    return TRUE;
}

void g_main_context_release(GMainContext *ctx)
{
    init(ctx)->owner = 0;
}

/* ---- sources -------------------------------------------------------------- */

static Source *find(GSource *source)
{
    for (int i = 0; i < context.n_sources; i++) {
        if (context.source[i].source == source) {
            return &context.source[i];
        }
    }
    explore_fail("uses a GSource that glib does not know");
}

GSource *g_source_new(GSourceFuncs *funcs, guint size)
{
    GSource *source = explore_alloc(size);

    if (context.n_sources == MAX_SOURCES) {
        explore_fail("makes more than %d sources", MAX_SOURCES);
    }
    source->source_funcs = funcs;
    source->ref_count = 1;
    source->flags = G_HOOK_FLAG_ACTIVE;
    context.source[context.n_sources++].source = source;
    return source;
}

GSource *g_source_ref(GSource *source)
{
    __atomic_fetch_add(&source->ref_count, 1, __ATOMIC_SEQ_CST);
    return source;
}

void g_source_unref(GSource *source)
{
    if (__atomic_fetch_sub(&source->ref_count, 1, __ATOMIC_SEQ_CST) == 1) {
        explore_fail("gives back the last reference of a GSource");
    }
}

gboolean g_source_is_destroyed(GSource *source)
{
    return FALSE;
}

void g_source_set_can_recurse(GSource *source, gboolean can)
{
    if (!can) {
        explore_fail("uses a GSource that cannot recurse");
    }
}

void (g_source_set_name)(GSource *source, const char *name)
{
}

void g_source_set_static_name(GSource *source, const char *name);
void g_source_set_static_name(GSource *source, const char *name)
{
}

GMainContext *g_source_get_context(GSource *source)
{
    return source->context;
}

guint g_source_attach(GSource *source, GMainContext *ctx)
{
    ctx = init(ctx);
    source->context = ctx;
    ctx->poll_changed = true;
    if (ctx->owner && ctx->owner != explore_self() + 1) {
        signal_wakeup(ctx, PC);
    }
    return 1;
}

void g_source_add_poll(GSource *source, GPollFD *fd)
{
    Source *of = find(source);

    if (of->n_fds == MAX_FDS) {
        explore_fail("adds more than %d file descriptors", MAX_FDS);
    }
    of->fd[of->n_fds++] = fd;
    if (source->context) {
        context.poll_changed = true;
        signal_wakeup(source->context, PC);
    }
}

void g_source_remove_poll(GSource *source, GPollFD *fd)
{
    Source *of = find(source);
    int kept = 0;

    for (int i = 0; i < of->n_fds; i++) {
        if (of->fd[i] != fd) {
            of->fd[kept++] = of->fd[i];
        }
    }
    for (int i = kept; i < of->n_fds; i++) {
        of->fd[i] = NULL;
    }
    of->n_fds = kept;
    if (source->context) {
        context.poll_changed = true;
        signal_wakeup(source->context, PC);
    }
}

/* ---- an iteration ------------------------------------------------------------ */

static void begin_callbacks(GMainContext *ctx)
{
    if (ctx->in_check_or_prepare) {
        explore_fail("calls g_main_context_check() or _prepare() from a "
                     "source's check() or prepare()");
    }
    ctx->in_check_or_prepare = true;
}

gboolean g_main_context_prepare(GMainContext *ctx, gint *priority)
{
    int n_ready = 0;

    ctx = init(ctx);
    for (int i = 0; i < ctx->n_pending; i++) {
        ctx->pending[i] = NULL;
    }
    ctx->n_pending = 0;
    ctx->timeout = -1;
    begin_callbacks(ctx);
    for (int i = 0; i < ctx->n_sources; i++) {
        Source *of = &ctx->source[i];
        const GSourceFuncs *funcs = of->source->source_funcs;
        gint timeout = -1;

        if (!of->source->context) {
            continue;
        }
        if (!of->ready && funcs->prepare &&
            funcs->prepare(of->source, &timeout)) {
            of->ready = true;
        }
        if (of->ready) {
            n_ready++;
            ctx->timeout = 0;
        }
        if (timeout >= 0 && (ctx->timeout < 0 || timeout < ctx->timeout)) {
            ctx->timeout = timeout;
        }
    }
    ctx->in_check_or_prepare = false;
    *priority = n_ready ? G_PRIORITY_DEFAULT : G_MAXINT;
    return n_ready > 0;
}

/* One entry for a file descriptor, however many sources poll it. */
static gint add_entry(GPollFD *fds, gint n, gint room, int fd, gushort events)
{
    events &= ~(G_IO_ERR | G_IO_HUP | G_IO_NVAL);
    for (gint i = 0; i < MIN(n, room); i++) {
        if (fds[i].fd == fd) {
            fds[i].events |= events;
            return n;
        }
    }
    if (n < room) {
        fds[n] = (GPollFD) { .fd = fd, .events = events };
    }
    return n + 1;
}

gint g_main_context_query(GMainContext *ctx, gint max_priority, gint *timeout,
                          GPollFD *fds, gint n_fds)
{
    gint n = 0;

    ctx = init(ctx);
    n = add_entry(fds, n, n_fds, ctx->wakeup_fd, G_IO_IN);
    for (int i = 0; i < ctx->n_sources; i++) {
        Source *of = &ctx->source[i];

        for (int k = 0; of->source->context && k < of->n_fds; k++) {
            n = add_entry(fds, n, n_fds, of->fd[k]->fd, of->fd[k]->events);
        }
    }
    ctx->poll_changed = false;
    *timeout = ctx->timeout;
    return n;
}

static void deliver(Source *of, const GPollFD *fds, gint n_fds)
{
    for (int k = 0; k < of->n_fds; k++) {
        for (gint i = 0; i < n_fds; i++) {
            if (fds[i].fd == of->fd[k]->fd) {
                of->fd[k]->revents = fds[i].revents &
                    (of->fd[k]->events | G_IO_ERR | G_IO_HUP | G_IO_NVAL);
            }
        }
    }
}

gboolean g_main_context_check(GMainContext *ctx, gint max_priority,
                              GPollFD *fds, gint n_fds)
{
    ctx = init(ctx);
    for (gint i = 0; i < n_fds; i++) {
        if (fds[i].fd == ctx->wakeup_fd) {
            if (fds[i].revents) {
                /* g_wakeup_acknowledge() */
                explore_eventfd_read(ctx->wakeup_fd, PC);
            }
            break;
        }
    }
    if (ctx->poll_changed) {
        /* what was polled is not what there is now: the loop goes round again */
        return FALSE;
    }
    for (int i = 0; i < ctx->n_sources; i++) {
        if (ctx->source[i].source->context) {
            deliver(&ctx->source[i], fds, n_fds);
        }
    }
    begin_callbacks(ctx);
    for (int i = 0; i < ctx->n_sources; i++) {
        Source *of = &ctx->source[i];
        const GSourceFuncs *funcs = of->source->source_funcs;

        if (!of->source->context) {
            continue;
        }
        if (!of->ready && funcs->check && funcs->check(of->source)) {
            of->ready = true;
        }
        if (of->ready) {
            ctx->pending[ctx->n_pending++] = of;
        }
    }
    ctx->in_check_or_prepare = false;
    return ctx->n_pending > 0;
}

void g_main_context_dispatch(GMainContext *ctx)
{
    ctx = init(ctx);
    for (int i = 0; i < ctx->n_pending; i++) {
        Source *of = ctx->pending[i];

        ctx->pending[i] = NULL;
        of->ready = false;
        of->source->source_funcs->dispatch(of->source, NULL, NULL);
    }
    ctx->n_pending = 0;
}
