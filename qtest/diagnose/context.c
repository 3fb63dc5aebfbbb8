/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main loop's AioContext is found by landmarks that no other memory has:
 * a pointer in the program's data to a structure that begins like a GSource
 * with functions of the program, that holds an event notifier (the number of
 * an eventfd, twice), and a list of handlers whose first one points back.
 * From the distance of the last two follows the generation, and so the rest.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "context.h"

/* struct _GSource, which glib promises not to change */
#define GSOURCE_FUNCS   16
#define GSOURCE_REFS    24
#define GSOURCE_CONTEXT 32
#define GSOURCE_NAME    80
#define GSOURCE_SIZE    96

/* struct QEMUTimer */
#define TIMER_EXPIRE    0
#define TIMER_CB        16
#define TIMER_NEXT      32

#define CONTEXT_SIZE    1024
#define HANDLER_SIZE    200
#define MAX_LIST        4096
#define N_REQUESTS      5
#define MAX_DATA        (64 * 1024 * 1024)

/* Flags of a BH since 5.0 */
#define BH_SCHEDULED    2
#define BH_DELETED      4
#define BH_IDLE         16

struct Finder {
    Target *t;
    Layout layout;
    char *how;
    guint64 main;
    guint64 iohandler;
    guint64 clocks[N_CLOCKS];
    guint64 guest_clock_offset;     /* address, or 0 */
    guint64 requests[N_REQUESTS];   /* addresses, or 0 */
    bool requests_found;
};

static guint64 word(const guint8 *at)
{
    guint64 value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static gint32 number(const guint8 *at)
{
    gint32 value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static bool is_eventfd(Target *t, int fd)
{
    g_autofree char *link = NULL;

    if (fd < 0 || fd > 1 << 20) {
        return false;
    }
    if (!t->pid) {
        return fd > 2;
    }
    link = target_fd_link(t, fd);
    return link && strstr(link, "[eventfd]");
}

/* Offset of le_next in the first handler, whose le_prev is @head; or -1 */
static int find_node(Target *t, guint64 first, guint64 head)
{
    guint8 handler[HANDLER_SIZE];

    if (!first || first & 7 ||
        !target_read(t, first, handler, sizeof(handler))) {
        return -1;
    }
    for (int at = 24; at + 16 <= HANDLER_SIZE; at += 8) {
        if (word(handler + at + 8) == head) {
            return at;
        }
    }
    return -1;
}

/* Is @list a QEMUTimerList of @context?  Finds notify_opaque as well. */
static bool is_timer_list(Finder *f, guint64 list, guint64 context,
                          int *opaque)
{
    guint8 data[128];

    if (!list || list & 7 || !target_read(f->t, list, data, sizeof(data)) ||
        !image_is_data(f->t->image, word(data))) {
        return false;
    }
    for (int at = 72; at + 8 <= (int)sizeof(data); at += 8) {
        if (word(data + at) == context &&
            image_is_code(f->t->image, word(data + at - 8))) {
            *opaque = at;
            return true;
        }
    }
    return false;
}

static bool find_timer_lists(Finder *f, guint64 address, const guint8 *ctx)
{
    Layout *l = &f->layout;
    int opaque = 0;

    for (int at = l->ctx.notifier + 8; at + 32 <= CONTEXT_SIZE; at += 4) {
        bool all = true;

        if (at & 7) {
            continue;
        }
        for (int i = 0; i < N_CLOCKS && all; i++) {
            all = is_timer_list(f, word(ctx + at + 8 * i), address, &opaque);
        }
        if (!all) {
            continue;
        }
        l->ctx.tlg = at;
        l->timer_list.notify_opaque = opaque;
        l->timer_list.list = opaque - 24;
        l->timer_list.active_timers = opaque - 32;
        for (int i = 0; i < N_CLOCKS; i++) {
            f->clocks[i] = target_read_u64(f->t, word(ctx + at + 8 * i));
        }
        /* the reset notifiers went in 2.12 */
        l->clock.type = 24;
        for (int i = 0; i < N_CLOCKS; i++) {
            if (target_read_u32(f->t, f->clocks[i] + 24) != (guint32)i) {
                l->clock.type = 8;
            }
        }
        l->clock.enabled = l->clock.type + 4;
        return true;
    }
    return false;
}

/* 5.0 and later: everything has the same distance from the notifier. */
static bool fit_modern(Finder *f, const guint8 *ctx)
{
    Layout *l = &f->layout;
    int n = l->ctx.notifier;

    if (n - l->ctx.aio_handlers != 52 || number(ctx + n - 36) < 0 ||
        number(ctx + n - 36) > 10000 || ctx[n - 4] > 1) {
        return false;
    }
    l->ctx.notify_me = n - 36;
    l->ctx.bh_list = n - 28;
    l->ctx.notified = n - 4;
    l->bh.list_of_all = false;
    l->handler.deleted = l->handler.node + 2 * 16 + 8;
    l->handler.deleted_is_int = false;
    /* glib's side has a notifier of its own where patch 3 is applied */
    for (int at = n + 8; at <= n + 12; at += 4) {   /* 5.2, later */
        if (number(ctx + at) == number(ctx + at + 4) &&
            is_eventfd(f->t, number(ctx + at))) {
            l->ctx.source_notifier = at;
        }
    }
    l->name = g_strdup("QEMU 5.2 or later");
    return true;
}

/* Until v2.4: a list of all BHs, under a lock */
static bool fit_2015(Finder *f, const guint8 *ctx)
{
    Layout *l = &f->layout;
    int h = l->ctx.aio_handlers;
    int distance = l->ctx.notifier - h;
    bool old;

    if ((distance != 68 && distance != 72) || number(ctx + h + 12) < 0 ||
        number(ctx + h + 12) > 10000) {
        return false;
    }
    l->bh.list_of_all = true;
    l->bh.name = -1;
    l->bh.cb = 8;
    l->bh.next = 24;
    l->bh.flags = 32;
    l->ctx.bh_list = h + 56;
    l->ctx.notified = distance == 72 ? h + 68 : -1;
    l->handler.deleted = 24;
    l->handler.deleted_is_int = true;
    /* v2.3.1 has a flag "dispatching" instead, and the array pollfds */
    old = distance == 68 && l->ctx.tlg - l->ctx.notifier >= 28;
    l->ctx.notify_me = old ? -1 : h + 12;
    l->name = g_strdup(old ? "QEMU 2.3 or earlier" :
                       distance == 72 ? "QEMU 2.4, July 2015 fix" :
                       "QEMU of July 2015");
    return true;
}

static bool fits(Finder *f, guint64 address, const guint8 *ctx)
{
    Layout *l = &f->layout;

    for (int n = GSOURCE_SIZE + 32; n + 12 <= 340; n += 4) {
        int fd = number(ctx + n);

        if (fd != number(ctx + n + 4) || !is_eventfd(f->t, fd)) {
            continue;
        }
        for (int h = GSOURCE_SIZE; h + 48 <= n; h += 8) {
            int node = find_node(f->t, word(ctx + h), address + h);

            if (node < 0) {
                continue;
            }
            g_free(l->name);
            memset(l, 0, sizeof(*l));
            l->ctx.notifier = n;
            l->ctx.source_notifier = -1;
            l->ctx.aio_handlers = h;
            l->handler.node = node;
            l->handler.io_read = 8;
            l->bh.name = -1;
            if (find_timer_lists(f, address, ctx) &&
                (fit_modern(f, ctx) || fit_2015(f, ctx))) {
                return true;
            }
        }
    }
    return false;
}

static bool is_source(Target *t, const guint8 *ctx)
{
    guint64 funcs = word(ctx + GSOURCE_FUNCS);
    int refs = number(ctx + GSOURCE_REFS);

    if (!image_is_data(t->image, funcs) || refs < 1 || refs > 1000) {
        return false;
    }
    for (int i = 0; i < 3; i++) {       /* prepare, check, dispatch */
        if (!image_is_code(t->image, target_read_u64(t, funcs + 8 * i))) {
            return false;
        }
    }
    return true;
}

/*
 * Looks at what @address points to.  Returns whether it is the context with
 * the GSource that glib knows as @name; "": one without a name
 */
static bool try_context(Finder *f, guint64 address, const char *name,
                        guint8 *ctx)
{
    g_autofree char *own_name = NULL;

    if (!address || address & 7 || image_is_data(f->t->image, address) ||
        image_is_code(f->t->image, address) ||
        !target_read(f->t, address, ctx, CONTEXT_SIZE) ||
        !is_source(f->t, ctx) || !word(ctx + GSOURCE_CONTEXT)) {
        return false;
    }
    own_name = target_read_string(f->t, word(ctx + GSOURCE_NAME));
    return !g_strcmp0(own_name ? own_name : "", name);
}

/* The program's variables, as they are in memory */
static guint8 *read_data(Target *t, guint64 *start, gsize *size)
{
    guint64 end;
    guint8 *data;

    image_data_range(t->image, start, &end);
    *start &= ~(guint64)7;
    *size = MIN(end - *start, MAX_DATA) & ~(guint64)7;
    data = g_malloc0(*size);
    for (gsize at = 0; at < *size; at += 4096) {
        target_read(t, *start + at, data + at, MIN(4096, *size - at));
    }
    return data;
}

static bool search(Finder *f)
{
    guint64 start;
    gsize size;
    g_autofree guint8 *data = read_data(f->t, &start, &size);
    guint8 ctx[CONTEXT_SIZE];
    guint64 unnamed = 0;

    for (gsize at = 0; at < size; at += 8) {
        guint64 p = word(data + at);

        if (p < 4096 || p >> 47 || p == f->main || p == f->iohandler ||
            p == unnamed) {
            continue;
        }
        if (!f->main && try_context(f, p, "aio-context", ctx)) {
            f->main = fits(f, p, ctx) ? p : 0;
        } else if (!f->iohandler && try_context(f, p, "io-handler", ctx)) {
            f->iohandler = p;
        } else if (!unnamed && try_context(f, p, "", ctx)) {
            /* QEMU of 2015 gives no names */
            unnamed = fits(f, p, ctx) ? p : 0;
        }
        if (f->main && f->iohandler) {
            break;
        }
    }
    if (!f->main && unnamed) {
        f->main = unnamed;
        return try_context(f, unnamed, "", ctx) && fits(f, unnamed, ctx);
    }
    return f->main && try_context(f, f->main, "aio-context", ctx) &&
           fits(f, f->main, ctx);
}

/* By symbol, when the program has them: the quick way */
static bool look_up(Finder *f)
{
    Image *image = f->t->image;
    guint64 at = image_symbol(image, "qemu_aio_context", NULL);
    guint64 other = image_symbol(image, "iohandler_ctx", NULL);
    guint8 ctx[CONTEXT_SIZE];

    if (!at) {
        at = image_variable_of(image, "qemu_get_aio_context");
    }
    if (!at) {
        return false;
    }
    if (!other) {
        other = image_variable_of(image, "iohandler_get_aio_context");
    }
    f->main = target_read_u64(f->t, at);
    f->iohandler = other ? target_read_u64(f->t, other) : 0;
    if (!f->main || !target_read(f->t, f->main, ctx, CONTEXT_SIZE) ||
        !is_source(f->t, ctx) || !fits(f, f->main, ctx)) {
        f->main = f->iohandler = 0;
        return false;
    }
    return f->iohandler || f->layout.bh.list_of_all;
}

static bool could_be_clock_offset(const Target *t, gint64 value, gint64 now)
{
    /* minus the time at which the guest's clock began to run */
    return value < 0 && value > -now && -value > t->start_ns - 1000000000;
}

/*
 * TimersState.cpu_clock_offset: the guest's clock less the host's.  The only
 * number in there that is minus a moment since this process started.
 */
static void find_guest_clock(Finder *f)
{
    guint64 size = 0;
    guint64 at = image_symbol(f->t->image, "timers_state", &size);
    g_autofree guint8 *data = NULL;
    struct timespec ts;
    gint64 now;
    gsize n = size;

    if (!f->t->pid) {
        return;
    }
    if (at && size && size < 4096) {
        data = g_malloc0(size);
        target_read(f->t, at, data, size);
    } else {
        data = read_data(f->t, &at, &n);
    }
    clock_gettime(CLOCK_MONOTONIC, &ts);
    now = (gint64)ts.tv_sec * 1000000000 + ts.tv_nsec + f->t->clock_offset_ns;
    for (gsize i = 0; i + 8 <= n; i += 8) {
        if (could_be_clock_offset(f->t, (gint64)word(data + i), now)) {
            if (f->guest_clock_offset) {
                f->guest_clock_offset = 0;      /* not the only one */
                return;
            }
            f->guest_clock_offset = at + i;
        }
    }
}

static bool read_icount(Finder *f)
{
    guint64 at = image_symbol(f->t->image, "use_icount", NULL);

    return at && target_read_u32(f->t, at);
}

Finder *finder_new(Target *t, GError **error)
{
    Finder *f = g_new0(Finder, 1);
    const char *command = t->command ? t->command : "";

    f->t = t;
    if (look_up(f)) {
        f->how = g_strdup("context by symbol");
    } else if (search(f)) {
        f->how = g_strdup("context found in memory");
    } else {
        g_set_error(error, TARGET_ERROR, TARGET_ERROR_IMPOSSIBLE,
                    "the main loop's AioContext of QEMU %s is not found; "
                    "known are 2.3 to 2.4 and 5.2 to 11.1 on 64-bit Linux, "
                    "once the machine is made", image_version(t->image));
        finder_free(f);
        return NULL;
    }
    /* with these the guest's clock is not the host's */
    if (!strstr(command, "-icount") && !strstr(command, "qtest") &&
        !read_icount(f)) {
        find_guest_clock(f);
    }
    return f;
}

void finder_free(Finder *f)
{
    g_free(f->layout.name);
    g_free(f->how);
    g_free(f);
}

Layout *finder_layout(Finder *f)
{
    return &f->layout;
}

const char *finder_how(const Finder *f)
{
    return f->how;
}

char *finder_name_code(Finder *f, guint64 address)
{
    const char *name = image_function_at(f->t->image, address);
    const Mapping *m = target_mapping(f->t, address);

    if (name) {
        return g_strdup(name);
    }
    if (m && *m->path) {
        g_autofree char *file = g_path_get_basename(m->path);

        return g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", file,
                               address - m->start + m->offset);
    }
    return g_strdup_printf("0x%" G_GINT64_MODIFIER "x", address);
}

static void bottom_half_clear(gpointer data)
{
    g_free(((BottomHalf *)data)->name);
}

/* name came with 6.1: where cb was */
static void learn_bh(Finder *f, guint64 bh)
{
    Layout *l = &f->layout;

    if (!l->bh.cb) {
        bool named = !image_is_code(f->t->image, target_read_u64(f->t, bh + 8));

        l->bh.name = named ? 8 : -1;
        l->bh.cb = named ? 16 : 8;
        l->bh.next = l->bh.cb + 16;
        l->bh.flags = l->bh.cb + 24;
    }
}

static char *name_bh(Finder *f, guint64 bh)
{
    const Layout *l = &f->layout;
    guint64 cb = target_read_u64(f->t, bh + l->bh.cb);
    char *name = l->bh.name < 0 ? NULL :
        target_read_string(f->t, target_read_u64(f->t, bh + l->bh.name));

    return name ? name : finder_name_code(f, cb);
}

static GArray *read_bhs(Finder *f, guint64 context)
{
    const Layout *l = &f->layout;
    GArray *bhs = g_array_new(false, true, sizeof(BottomHalf));
    guint64 bh = target_read_u64(f->t, context + l->ctx.bh_list);

    g_array_set_clear_func(bhs, bottom_half_clear);
    for (int i = 0; bh && i < MAX_LIST; i++) {
        guint32 flags;
        bool scheduled;

        /* not a BH, or one that is being changed under our eyes */
        if (bh & 7 || target_read_u64(f->t, bh) != context) {
            break;
        }
        learn_bh(f, bh);
        flags = target_read_u32(f->t, bh + l->bh.flags);
        /* an idle one is run at the next occasion: its notifier wakes nobody */
        scheduled = l->bh.list_of_all ?
            (flags & 0xff) && !(flags & 0xffff00) :
            (flags & BH_SCHEDULED) && !(flags & (BH_DELETED | BH_IDLE));
        if (scheduled) {
            BottomHalf found = { .address = bh, .name = name_bh(f, bh) };

            g_array_append_val(bhs, found);
        }
        bh = target_read_u64(f->t, bh + l->bh.next);
    }
    return bhs;
}

static GArray *read_handlers(Finder *f, guint64 context)
{
    const Layout *l = &f->layout;
    GArray *handlers = g_array_new(false, true, sizeof(Handler));
    guint64 at = target_read_u64(f->t, context + l->ctx.aio_handlers);

    for (int i = 0; at && i < MAX_LIST; i++) {
        guint32 pfd[2];
        guint64 deleted = l->handler.deleted_is_int ?
            target_read_u32(f->t, at + l->handler.deleted) :
            target_read_u64(f->t, at + l->handler.deleted);

        if (at & 7 || !target_read(f->t, at, pfd, sizeof(pfd))) {
            break;
        }
        if (!deleted) {
            Handler handler = { .fd = pfd[0], .events = pfd[1] & 0xffff };

            g_array_append_val(handlers, handler);
        }
        at = target_read_u64(f->t, at + l->handler.node);
    }
    return handlers;
}

/* aio_disable_external() went in 8.1; 2.4 and before have it elsewhere. */
static bool has_external_count(const Finder *f)
{
    int major = 0, minor = 0;

    return !f->layout.bh.list_of_all &&
           sscanf(image_version(f->t->image), "%d.%d", &major, &minor) == 2 &&
           (major < 8 || (major == 8 && !minor));
}

static Context *read_context(Finder *f, guint64 address)
{
    const Layout *l = &f->layout;
    Context *c = g_new0(Context, 1);

    c->address = address;
    c->notify_me = l->ctx.notify_me < 0 ? -1 :
        (gint64)target_read_u32(f->t, address + l->ctx.notify_me);
    c->notified = l->ctx.notified < 0 ? -1 :
        (int)(target_read_u32(f->t, address + l->ctx.notified) & 0xff);
    c->notifier_fd = target_read_u32(f->t, address + l->ctx.notifier);
    c->notifier_count = target_eventfd_count(f->t, c->notifier_fd);
    c->source_fd = l->ctx.source_notifier < 0 ? -1 :
        (int)target_read_u32(f->t, address + l->ctx.source_notifier);
    c->source_count = c->source_fd < 0 ? -1 :
        target_eventfd_count(f->t, c->source_fd);
    c->external_disabled = has_external_count(f) &&
        target_read_u32(f->t, address + l->ctx.tlg + 8 * N_CLOCKS);
    c->bhs = read_bhs(f, address);
    c->handlers = read_handlers(f, address);
    return c;
}

Context *finder_read_main(Finder *f)
{
    return read_context(f, f->main);
}

Context *finder_read_iohandler(Finder *f)
{
    return f->iohandler ? read_context(f, f->iohandler) : NULL;
}

void context_free(Context *c)
{
    if (c) {
        g_array_unref(c->bhs);
        g_array_unref(c->handlers);
        g_free(c);
    }
}

static bool clock_enabled(Finder *f, int clock)
{
    return target_read_u32(f->t, f->clocks[clock] + f->layout.clock.enabled) &
           0xff;
}

GArray *finder_read_timers(Finder *f)
{
    const Layout *l = &f->layout;
    GArray *timers = g_array_new(false, true, sizeof(Timer));

    for (int clock = 0; clock < N_CLOCKS; clock++) {
        guint64 list = target_read_u64(f->t, f->clocks[clock]);

        for (int i = 0; list && i < MAX_LIST; i++) {
            guint64 opaque = target_read_u64(f->t, list +
                                             l->timer_list.notify_opaque);
            guint64 timer = target_read_u64(f->t, list +
                                            l->timer_list.active_timers);

            /* device timers have no opaque; others are of iothreads */
            if (timer && (!opaque || opaque == f->main ||
                          opaque == f->iohandler)) {
                Timer found = {
                    .address = timer,
                    .clock = clock,
                    .expire_ns = target_read_u64(f->t, timer + TIMER_EXPIRE),
                    .code = target_read_u64(f->t, timer + TIMER_CB),
                    .of_context = opaque == f->main,
                };

                g_array_append_val(timers, found);
            }
            list = target_read_u64(f->t, list + l->timer_list.list);
        }
    }
    return timers;
}

bool finder_guest_stopped(Finder *f)
{
    return !clock_enabled(f, CLOCK_OF_GUEST);
}

bool finder_clock_now(Finder *f, int clock, gint64 *now_ns)
{
    struct timespec ts;

    /* a host's clock of day may be set: nobody is told of that */
    if (!f->t->pid || clock == CLOCK_OF_DAY || !clock_enabled(f, clock)) {
        return false;
    }
    clock_gettime(CLOCK_MONOTONIC, &ts);
    *now_ns = (gint64)ts.tv_sec * 1000000000 + ts.tv_nsec +
              f->t->clock_offset_ns;
    if (clock != CLOCK_OF_HOST_UPTIME) {
        gint64 offset;

        if (!f->guest_clock_offset ||
            !target_read(f->t, f->guest_clock_offset, &offset,
                         sizeof(offset)) ||
            !could_be_clock_offset(f->t, offset, *now_ns)) {
            return false;
        }
        *now_ns += offset;
    }
    return true;
}

static const struct {
    const char *name;
    const char *variable;
    const char *getter;
} requests[N_REQUESTS] = {
    { "shutdown", "shutdown_requested", "qemu_shutdown_requested_get" },
    { "reset", "reset_requested", "qemu_reset_requested_get" },
    { "powerdown", "powerdown_requested", NULL },
    { "suspend", "suspend_requested", NULL },
    { "debug stop", "debug_requested", NULL },
};

static void find_requests(Finder *f)
{
    Image *image = f->t->image;

    for (int i = 0; i < N_REQUESTS; i++) {
        f->requests[i] = image_symbol(image, requests[i].variable, NULL);
        if (!f->requests[i] && requests[i].getter) {
            f->requests[i] = image_variable_of(image, requests[i].getter);
        }
    }
    f->requests_found = true;
}

char *finder_read_requests(Finder *f)
{
    GString *text = g_string_new(NULL);

    if (!f->requests_found) {
        find_requests(f);
    }
    for (int i = 0; i < N_REQUESTS; i++) {
        if (f->requests[i] && target_read_u32(f->t, f->requests[i])) {
            g_string_append_printf(text, "%s%s", text->len ? ", " : "",
                                   requests[i].name);
        }
    }
    return g_string_free(text, !text->len);
}
