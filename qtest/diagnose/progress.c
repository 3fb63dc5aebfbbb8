/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "progress.h"

static char *proc_text(int pid, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, name);
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

bool progress_may_be_qemu(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/exe", pid);
    g_autofree char *exe = g_file_read_link(path, NULL);
    const char *name = exe ? strrchr(exe, '/') : NULL;

    return name && (strstr(name, "qemu") || g_str_has_prefix(name, "/kvm"));
}

guint64 progress_of(int pid)
{
    g_autofree char *dir = g_strdup_printf("task/%d/status", pid);
    g_autofree char *text = proc_text(pid, dir);
    const char *a = text ? strstr(text, "\nvoluntary_ctxt_switches:") : NULL;
    const char *b = text ? strstr(text, "nonvoluntary_ctxt_switches:") : NULL;

    return !a || !b ? 0 : g_ascii_strtoull(strchr(a, ':') + 1, NULL, 10) +
                          g_ascii_strtoull(strchr(b, ':') + 1, NULL, 10);
}
