/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the fields of QEMU's structures are.  No release says so; they are
 * found by what must be true of them, or read from debug information.
 */
#ifndef AIO_WAKEUP_LAYOUT_H
#define AIO_WAKEUP_LAYOUT_H

#include <stdbool.h>

#include <glib.h>

#include "image.h"

/* Offsets in bytes; -1: there is no such field */
typedef struct Layout {
    char *name;             /* for people: which QEMU has it, how it is known */
    struct {
        int aio_handlers;
        int notify_me;      /* -1 before July 2015 */
        int bh_list;        /* scheduled BHs; all of them if list_of_all */
        int notified;
        int notifier;
        int source_notifier;    /* of this project's patch 3 */
        int tlg;
    } ctx;
    struct {
        int name;
        int cb;
        int next;
        int flags;          /* list_of_all: bytes scheduled, idle, deleted */
        bool list_of_all;   /* before 5.0 */
    } bh;
    struct {
        int io_read;
        int node;           /* le_next, le_prev */
        int deleted;        /* int before 5.0; node_deleted's le_prev since */
        bool deleted_is_int;
    } handler;
    struct {
        int active_timers;
        int list;
        int notify_opaque;
    } timer_list;
    struct {
        int type;
        int enabled;
    } clock;
} Layout;

/*
 * debug_info_start: have gdb read the offsets from the debug information of
 * @path, without touching any process; in a thread.  NULL: there is none, or
 * no gdb.
 *
 * debug_info_finish: correct @layout by what it said, if it says so before
 * @deadline_us; @changed: to something else; frees @job.
 *
 * Returns: a text for people about what was done.
 */
typedef struct DebugInfo DebugInfo;

DebugInfo *debug_info_start(const char *path, const Image *image);
char *debug_info_finish(DebugInfo *job, Layout *layout, gint64 deadline_us,
                        bool *changed);

#endif
