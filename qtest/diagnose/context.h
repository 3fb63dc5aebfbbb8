/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's AioContexts, as they are in memory */
#ifndef AIO_WAKEUP_CONTEXT_H
#define AIO_WAKEUP_CONTEXT_H

#include <stdbool.h>

#include <glib.h>

#include "layout.h"
#include "target.h"

enum {
    CLOCK_OF_HOST_UPTIME,       /* QEMU_CLOCK_REALTIME */
    CLOCK_OF_GUEST,             /* QEMU_CLOCK_VIRTUAL */
    CLOCK_OF_DAY,               /* QEMU_CLOCK_HOST */
    CLOCK_OF_GUEST_RT,          /* QEMU_CLOCK_VIRTUAL_RT */
    N_CLOCKS,
};

typedef struct BottomHalf {
    guint64 address;
    char *name;                 /* as good as it can be told; never NULL */
} BottomHalf;

typedef struct Timer {
    guint64 address;
    int clock;
    gint64 expire_ns;           /* of that clock */
    guint64 code;               /* its callback */
    bool of_context;            /* run by whoever polls the main context */
} Timer;

typedef struct Handler {
    int fd;
    unsigned events;            /* of poll */
} Handler;

/* One moment of an AioContext */
typedef struct Context {
    guint64 address;
    gint64 notify_me;           /* -1: it has none */
    int notified;               /* -1: it has none */
    int notifier_fd;
    gint64 notifier_count;      /* -1: not known */
    int source_fd;              /* -1: it has none */
    gint64 source_count;
    GArray *bhs;                /* BottomHalf, scheduled, and not idle ones */
    GArray *handlers;           /* Handler */
    bool external_disabled;     /* some handlers are not polled (a drain) */
} Context;

typedef struct Finder Finder;

/*
 * finder_new: find the main loop's contexts in @t.
 *
 * Returns: a finder, to be freed with finder_free(); NULL with @error set.
 */
Finder *finder_new(Target *t, GError **error);
void finder_free(Finder *finder);
Layout *finder_layout(Finder *finder);

/* How the context was found, for people */
const char *finder_how(const Finder *finder);

/* The main loop's own context; the one for its other file descriptors, NULL
 * before 2.5.  To be freed with context_free(). */
Context *finder_read_main(Finder *finder);
Context *finder_read_iohandler(Finder *finder);
void context_free(Context *context);

/* The timers that the main loop must run, earliest first of each clock and
 * list: an array of Timer, to be unref'd. */
GArray *finder_read_timers(Finder *finder);

/* Time now of @clock; false: it stands still, or cannot be told. */
bool finder_clock_now(Finder *finder, int clock, gint64 *now_ns);
bool finder_guest_stopped(Finder *finder);

/* The function at @address, for people, to be freed */
char *finder_name_code(Finder *finder, guint64 address);

/* Requests that the main loop has yet to look at, comma-separated, or NULL */
char *finder_read_requests(Finder *finder);

#endif
