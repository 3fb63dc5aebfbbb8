/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The four calls of glib that main_loop_wait() makes, in this order, in every
 * QEMU from 2.3 to 11.1.  glib's own loops (GTK's, an iothread's) do not come
 * here: inside glib these names are bound to glib itself.
 */
#include "glib-calls.h"
#include "loop.h"
#include "real.h"

static bool is_main_loops(const GMainContext *context)
{
    static GMainContext *theirs;

    if (!shim_active) {
        return false;
    }
    if (!theirs) {
        theirs = REAL(g_main_context_default)();
    }
    return context == theirs;
}

SHIM_EXPORT int g_main_context_prepare(GMainContext *context, int *priority)
{
    if (is_main_loops(context)) {
        loop_prepare();
    }
    return REAL(g_main_context_prepare)(context, priority);
}

SHIM_EXPORT int g_main_context_query(GMainContext *context, int max_priority,
                                     int *timeout, struct pollfd *fds,
                                     int n_fds)
{
    int n = REAL(g_main_context_query)(context, max_priority, timeout, fds,
                                       n_fds);

    if (n <= n_fds && is_main_loops(context)) {
        loop_queried(fds, n);
    }
    return n;
}

SHIM_EXPORT int g_main_context_check(GMainContext *context, int max_priority,
                                     struct pollfd *fds, int n_fds)
{
    int ready = REAL(g_main_context_check)(context, max_priority, fds, n_fds);

    if (is_main_loops(context)) {
        loop_checked(fds, n_fds, ready);
    }
    return ready;
}

SHIM_EXPORT void g_main_context_dispatch(GMainContext *context)
{
    REAL(g_main_context_dispatch)(context);
    if (is_main_loops(context)) {
        loop_dispatched();
    }
}
