/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "archive.h"
#include "capture.h"
#include "masked.h"
#include "report.h"

/* How long gdb may take; the process stands still meanwhile */
#define GDB_SECONDS "60"

typedef struct Capture {
    Archive *archive;
    int pid;
    GString *left_out;
    GString *files;         /* what there is, for README */
} Capture;

static void leave_out(Capture *c, const char *what, const char *why)
{
    g_string_append_printf(c->left_out, "%s: %s\n", what, why);
}

static void add(Capture *c, const char *name, const char *what,
                const char *text)
{
    archive_add(c->archive, name, text);
    g_string_append_printf(c->files, "%-14s %s\n", name, what);
}

/* A file of /proc, without NULs; NULL with errno set */
static char *read_proc(int pid, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, name);
    g_autoptr(GError) error = NULL;
    char *text = NULL;
    gsize size;

    errno = 0;
    if (!g_file_get_contents(path, &text, &size, &error)) {
        errno = error->code == G_FILE_ERROR_ACCES ? EACCES :
                error->code == G_FILE_ERROR_PERM ? EPERM : ENOENT;
        return NULL;
    }
    for (gsize i = 0; i + 1 < size; i++) {
        text[i] = text[i] ? text[i] : '\n';
    }
    return text;
}

/* One argument a line, each masked on its own */
static void add_command(Capture *c)
{
    g_autofree char *text = read_proc(c->pid, "cmdline");
    g_auto(GStrv) words = g_strsplit(text ? text : "", "\n", -1);
    GString *out = g_string_new(NULL);

    for (int i = 0; words[i]; i++) {
        g_autofree char *masked = mask_secrets(words[i]);

        g_string_append_printf(out, "%s\n", masked);
    }
    if (text) {
        add(c, "command", "the command line, one word a line, secrets masked",
            out->str);
    } else {
        leave_out(c, "command", g_strerror(errno));
    }
    g_string_free(out, true);
}

static void add_system(Capture *c, const Diagnosis *d)
{
    static const char *const names[] = {
        "kernel/io_uring_disabled", "kernel/yama/ptrace_scope",
        "vm/unprivileged_userfaultfd", "fs/aio-nr", "fs/aio-max-nr",
        "kernel/sched_autogroup_enabled", "kernel/hung_task_timeout_secs",
    };
    GString *out = g_string_new(NULL);
    g_autofree char *limits = read_proc(c->pid, "limits");
    g_autofree char *groups = read_proc(c->pid, "cgroup");
    g_autofree char *load = NULL;
    struct utsname uts;

    uname(&uts);
    g_string_append_printf(out, "%s %s\n%s %s %s\n", d->program, d->version,
                           uts.sysname, uts.release, uts.machine);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename("/proc/sys", names[i], NULL);
        g_autofree char *value = NULL;

        if (g_file_get_contents(path, &value, NULL, NULL)) {
            g_string_append_printf(out, "%s = %s", names[i], value);
        } else {
            g_string_append_printf(out, "%s: not there\n", names[i]);
        }
    }
    if (g_file_get_contents("/proc/loadavg", &load, NULL, NULL)) {
        g_string_append_printf(out, "load %s", load);
    }
    g_string_append_printf(out, "\n%s\n%s", groups ? groups : "",
                           limits ? limits : "");
    add(c, "system", "versions, settings of the kernel, limits", out->str);
    g_string_free(out, true);
}

static void add_threads(Capture *c)
{
    static const char *const names[] = { "comm", "stat", "syscall", "wchan",
                                         "schedstat", "status", "stack" };
    g_autofree char *path = g_strdup_printf("/proc/%d/task", c->pid);
    GDir *dir = g_dir_open(path, 0, NULL);
    GString *out = g_string_new(NULL);
    int no_stack = 0;
    const char *tid;

    while (dir && (tid = g_dir_read_name(dir))) {
        g_string_append_printf(out, "==== %s\n", tid);
        for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
            g_autofree char *name = g_build_filename("task", tid, names[i],
                                                     NULL);
            g_autofree char *text = read_proc(c->pid, name);

            if (text) {
                g_string_append_printf(out, "-- %s\n%s%s", names[i], text,
                                       g_str_has_suffix(text, "\n") ? "" :
                                       "\n");
            } else if (!strcmp(names[i], "stack")) {
                no_stack = errno;
            }
        }
    }
    g_clear_pointer(&dir, g_dir_close);
    add(c, "threads", "of each thread: name, state, system call, kernel stack",
        out->str);
    if (no_stack) {
        leave_out(c, "kernel stacks", no_stack == ENOENT ?
                  "this kernel has none, or the thread has ended" :
                  "only root may read them");
    }
    g_string_free(out, true);
}

/* Where each descriptor leads, and the state of those that wake somebody */
static void add_fds(Capture *c, const Diagnosis *d)
{
    static const char *const kinds[] = { "[eventfd]", "[io_uring]",
                                         "[eventpoll]", "[timerfd]",
                                         "[signalfd]" };
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", c->pid);
    GDir *dir = g_dir_open(path, 0, NULL);
    GString *out = g_string_new(NULL);
    const char *fd;

    while (dir && (fd = g_dir_read_name(dir))) {
        g_autofree char *link = target_describe_fd(d->target, atoi(fd));
        g_autofree char *masked = link ? mask_secrets(link) : NULL;

        g_string_append_printf(out, "fd %s: %s\n", fd, masked ? masked : "?");
        for (gsize i = 0; link && i < G_N_ELEMENTS(kinds); i++) {
            g_autofree char *name = g_build_filename("fdinfo", fd, NULL);
            g_autofree char *text = strstr(link, kinds[i]) ?
                read_proc(c->pid, name) : NULL;

            g_string_append(out, text ? text : "");
        }
    }
    if (dir) {
        add(c, "descriptors", "where each leads; eventfds and rings in full",
            out->str);
    } else {
        leave_out(c, "descriptors", g_strerror(errno));
    }
    g_clear_pointer(&dir, g_dir_close);
    g_string_free(out, true);
}

static void add_nodes(Capture *c, const Diagnosis *d)
{
    GString *out = g_string_new("nodes:\n");

    for (guint i = 0; d->nodes && i < d->nodes->len; i++) {
        g_string_append_printf(out, "    %s\n", (char *)d->nodes->pdata[i]);
    }
    g_string_append(out, "in flight all the time:\n");
    for (guint i = 0; i < d->requests->len; i++) {
        g_string_append_printf(out, "    %s\n", (char *)d->requests->pdata[i]);
    }
    if (d->nodes && d->nodes->len) {
        add(c, "block", "block nodes, and requests in flight on them",
            out->str);
    } else {
        leave_out(c, "block nodes", "none found in the process's memory");
    }
    g_string_free(out, true);
}

/* gdb waits for SIGCHLD, which watch blocks. */
static void unblock_signals(gpointer unused)
{
    sigset_t none;

    (void)unused;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Returns NULL, with @why set, when there are none. */
static char *read_stacks(int number, const char **why)
{
    g_autofree char *pid = g_strdup_printf("%d", number);
    g_autofree char *gdb = g_find_program_in_path("gdb");
    char *out = NULL;
    char *args[] = { "timeout", GDB_SECONDS, "gdb", "-nx", "-batch", "-iex",
                     "set debuginfod enabled off", "-iex",
                     "set auto-load off", "-ex",
                     "set print frame-arguments none", "-p", pid, "-ex",
                     "thread apply all bt", NULL };

    if (!gdb) {
        *why = "there is no gdb; install it";
        return NULL;
    }
    if (!g_spawn_sync(NULL, args, NULL, G_SPAWN_SEARCH_PATH |
                      G_SPAWN_STDERR_TO_DEV_NULL, unblock_signals, NULL, &out,
                      NULL, NULL, NULL) || !strstr(out, "#0")) {
        *why = "gdb could not attach, or took more than " GDB_SECONDS " s";
        g_clear_pointer(&out, g_free);
    }
    return out;
}

static void add_backtrace(Capture *c)
{
    const char *why;
    g_autofree char *out = read_stacks(c->pid, &why);

    if (out) {
        add(c, "backtraces", "gdb's \"thread apply all bt\", without "
            "arguments", out);
    } else {
        leave_out(c, "backtraces", why);
    }
}

char *capture_stacks(int pid)
{
    const char *why;
    char *out = read_stacks(pid, &why);

    return out ? out : g_strdup_printf("no stacks: %s", why);
}

static void add_core(Capture *c, const char *path)
{
    g_autofree char *pid = g_strdup_printf("%d", c->pid);
    g_autofree char *prefix = g_strdup_printf("%s.core", path);
    g_autofree char *file = g_strdup_printf("%s.%d", prefix, c->pid);
    char *args[] = { "gcore", "-o", prefix, pid, NULL };
    int status = -1;

    if (g_spawn_sync(NULL, args, NULL, G_SPAWN_SEARCH_PATH |
                     G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                     unblock_signals, NULL, NULL, NULL, &status, NULL) &&
        status == 0 && g_file_test(file, G_FILE_TEST_EXISTS)) {
        archive_add_file(c->archive, "core", file);
        g_string_append(c->files, "core           of gcore: holds the guest's "
                        "memory and all secrets\n");
    } else {
        leave_out(c, "core", "gcore (of gdb) is not there, or failed");
    }
    unlink(file);
}

char *capture(const Diagnosis *d, const char *path, bool core, gint64 within_us,
              GError **error)
{
    g_autofree char *folder = g_strdup_printf("qemu-%d", d->pid);
    g_autofree char *what = g_strdup_printf("PID %d", d->pid);
    g_autofree char *first = NULL;
    g_autofree char *readme = NULL;
    Capture c = { .pid = d->pid };
    Diagnosis *again;
    char *result = NULL;
    gint64 size;

    c.archive = archive_new(path, folder, error);
    if (!c.archive) {
        return NULL;
    }
    c.left_out = g_string_new(NULL);
    c.files = g_string_new(NULL);
    first = report_to_json(d, what);
    add(&c, "answer-1.json", "of diagnose", first);
    add_system(&c, d);
    add_command(&c);
    if (d->target) {
        add_threads(&c);
        add_fds(&c, d);
        add_nodes(&c, d);
    } else {
        leave_out(&c, "threads, descriptors, block nodes", d->reason);
    }
    again = diagnose_process(d->pid, within_us, NULL);
    if (again) {
        g_autofree char *second = report_to_json(again, what);

        add(&c, "answer-2.json", "the same, some seconds later", second);
        diagnosis_free(again);
    } else {
        leave_out(&c, "answer-2.json", "the process has ended");
    }
    /* what stops the process comes last */
    add_backtrace(&c);
    if (core) {
        add_core(&c, path);
    } else {
        leave_out(&c, "core", "only with --with-core: it holds the guest's "
                  "memory and all secrets");
    }
    readme = g_strdup_printf("%s\nleft out:\n%s", c.files->str,
                             c.left_out->str);
    archive_add(c.archive, "README", readme);
    size = archive_finish(c.archive, error);
    if (size >= 0) {
        g_strdelimit(c.left_out->str, "\n", ';');
        result = g_strdup_printf("%s (%" G_GINT64_FORMAT " bytes); left out: "
                                 "%s", path, size, c.left_out->str);
    }
    g_string_free(c.left_out, true);
    g_string_free(c.files, true);
    return result;
}
