/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What QEMU's main_loop_wait() calls of glib, declared here because neither
 * building nor loading the shim may need glib.  GPollFD is struct pollfd on
 * Linux, gboolean is int.
 */
#ifndef AIO_WAKEUP_SHIM_GLIB_H
#define AIO_WAKEUP_SHIM_GLIB_H

#include <poll.h>

typedef struct _GMainContext GMainContext;

GMainContext *g_main_context_default(void);
void g_main_context_wakeup(GMainContext *context);
int g_main_context_prepare(GMainContext *context, int *priority);
int g_main_context_query(GMainContext *context, int max_priority,
                         int *timeout, struct pollfd *fds, int n_fds);
int g_main_context_check(GMainContext *context, int max_priority,
                         struct pollfd *fds, int n_fds);
void g_main_context_dispatch(GMainContext *context);

#endif
