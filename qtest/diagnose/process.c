/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A running process, through /proc, process_vm_readv and pidfds: nothing here
 * stops it, not even for a moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

static char *proc_text(int pid, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, name);
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

/* The value of the line "@key:\t..." of a status file, or NULL */
static const char *status_value(const char *status, const char *key)
{
    g_autofree char *line = g_strdup_printf("\n%s:", key);
    const char *at = status ? strstr(status, line) : NULL;

    return at ? at + strlen(line) : NULL;
}

static long status_number(const char *status, const char *key)
{
    const char *value = status_value(status, key);

    return value ? strtol(value, NULL, 10) : -1;
}

/* The last number of the line: in the innermost namespace */
static int status_last_number(const char *status, const char *key)
{
    const char *value = status_value(status, key);
    int last = 0;

    while (value && *value && *value != '\n') {
        char *end;
        long n = strtol(value, &end, 10);

        if (end == value) {
            break;
        }
        last = n;
        value = end;
    }
    return last;
}

static bool process_read(Target *t, guint64 address, void *buf, gsize size)
{
    struct iovec local = { buf, size };
    struct iovec remote = { GSIZE_TO_POINTER(address), size };

    return process_vm_readv(t->pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

/* "PID (comm) S ...": what follows the last parenthesis */
static const char *stat_fields(const char *stat)
{
    const char *at = stat ? strrchr(stat, ')') : NULL;

    return at && at[1] ? at + 2 : NULL;
}

static bool read_thread(int pid, int tid, Thread *thread)
{
    g_autofree char *dir = g_strdup_printf("task/%d", tid);
    g_autofree char *status_name = g_build_filename(dir, "status", NULL);
    g_autofree char *stat_name = g_build_filename(dir, "stat", NULL);
    g_autofree char *sched_name = g_build_filename(dir, "schedstat", NULL);
    g_autofree char *call_name = g_build_filename(dir, "syscall", NULL);
    g_autofree char *wchan_name = g_build_filename(dir, "wchan", NULL);
    g_autofree char *status = proc_text(pid, status_name);
    g_autofree char *stat = proc_text(pid, stat_name);
    g_autofree char *sched = proc_text(pid, sched_name);
    g_autofree char *call = proc_text(pid, call_name);
    g_autofree char *wchan = proc_text(pid, wchan_name);
    const char *fields = stat_fields(stat);
    const char *comm = stat ? strchr(stat, '(') : NULL;
    guint64 *a = thread->args;
    unsigned long utime, stime;

    if (!fields || !status || !comm) {
        return false;
    }
    memset(thread, 0, sizeof(*thread));
    thread->tid = tid;
    thread->own_tid = status_last_number(status, "NSpid");
    g_strlcpy(thread->comm, comm + 1, sizeof(thread->comm));
    thread->comm[strcspn(thread->comm, ")")] = '\0';
    thread->state = fields[0];
    thread->switches = status_number(status, "voluntary_ctxt_switches") +
                       status_number(status, "nonvoluntary_ctxt_switches");
    if (sched) {
        thread->run_ns = g_ascii_strtoull(sched, NULL, 10);
    } else if (sscanf(fields, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
                      "%lu %lu", &utime, &stime) == 2) {
        thread->run_ns = (utime + stime) * (1000000000 / sysconf(_SC_CLK_TCK));
    }
    g_strlcpy(thread->wchan, wchan && strcmp(wchan, "0") ? wchan : "",
              sizeof(thread->wchan));
    thread->nr = THREAD_UNKNOWN;
    if (call && g_str_has_prefix(call, "running")) {
        thread->nr = THREAD_RUNNING;
    } else if (call) {
        sscanf(call, "%ld %" G_GINT64_MODIFIER "x %" G_GINT64_MODIFIER "x %"
               G_GINT64_MODIFIER "x %" G_GINT64_MODIFIER "x %"
               G_GINT64_MODIFIER "x %" G_GINT64_MODIFIER "x %"
               G_GINT64_MODIFIER "x", &thread->nr, &a[0], &a[1], &a[2], &a[3],
               &a[4], &a[5], &thread->sp);
        if (thread->nr < 0) {
            /* asleep, but in no system call: a page fault */
            thread->nr = THREAD_UNKNOWN;
        }
    }
    return true;
}

static gint main_first(gconstpointer a, gconstpointer b, gpointer pid)
{
    int x = ((const Thread *)a)->tid;
    int y = ((const Thread *)b)->tid;
    int main_tid = GPOINTER_TO_INT(pid);

    return x == y ? 0 : x == main_tid ? -1 : y == main_tid ? 1 :
           x < y ? -1 : 1;
}

static GArray *process_threads(Target *t)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task", t->pid);
    GArray *threads = g_array_new(false, true, sizeof(Thread));
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        Thread thread;

        if (read_thread(t->pid, atoi(name), &thread)) {
            g_array_append_val(threads, thread);
        }
    }
    g_clear_pointer(&dir, g_dir_close);
    g_array_sort_with_data(threads, main_first, GINT_TO_POINTER(t->pid));
    return threads;
}

char *target_fd_link(const Target *t, int fd)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd/%d", t->pid, fd);

    return t->pid ? g_file_read_link(path, NULL) : NULL;
}

gint64 target_eventfd_count(const Target *t, int fd)
{
    g_autofree char *name = g_strdup_printf("fdinfo/%d", fd);
    g_autofree char *text = t->pid ? proc_text(t->pid, name) : NULL;
    const char *at = text ? strstr(text, "eventfd-count:") : NULL;

    /* hexadecimal, in the kernel's own words */
    return at ? g_ascii_strtoll(at + strlen("eventfd-count:"), NULL, 16) : -1;
}

int target_take_fd(const Target *t, int fd)
{
    return t->pidfd < 0 ? -1 : syscall(SYS_pidfd_getfd, t->pidfd, fd, 0);
}

bool target_has_ended(const Target *t)
{
    struct pollfd pfd = { .fd = t->pidfd, .events = POLLIN };

    return t->pid && (t->pidfd < 0 ? kill(t->pid, 0) < 0 && errno == ESRCH :
                      poll(&pfd, 1, 0) == 1);
}

static void read_maps(Target *t)
{
    g_autofree char *text = proc_text(t->pid, "maps");
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);

    for (int i = 0; lines[i] && *lines[i]; i++) {
        Mapping m = { 0 };
        char mode[5] = "";
        int path = 0;

        if (sscanf(lines[i], "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER
                   "x %4s %" G_GINT64_MODIFIER "x %*s %*s %n", &m.start,
                   &m.end, mode, &m.offset, &path) == 4) {
            m.path = g_strdup(path ? lines[i] + path : "");
            g_array_append_val(t->maps, m);
            if (!strcmp(m.path, "[heap]")) {
                m.path = g_strdup(m.path);
                g_array_append_val(t->areas, m);
            }
        }
    }
}

/* Why the kernel does not let us look, and what would help */
static void set_denied(Target *t, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/%d", t->pid);
    g_autofree char *yama = NULL;
    g_autofree char *status = proc_text(t->pid, "status");
    const char *uids = status_value(status, "Uid");
    GString *why = g_string_new(NULL);
    struct stat st;
    int uid = uids ? atoi(uids) : -1;

    g_file_get_contents("/proc/sys/kernel/yama/ptrace_scope", &yama, NULL,
                        NULL);
    if (uid >= 0 && (uid_t)uid != geteuid() && geteuid()) {
        g_string_printf(why, "it belongs to user %d; run this as that user or "
                        "as root", uid);
    } else if (geteuid() && stat(path, &st) == 0 && (int)st.st_uid != uid) {
        g_string_assign(why, "it has made itself undumpable; run this as "
                        "root");
    } else if (yama && atoi(yama) == 3) {
        g_string_assign(why, "Yama forbids it to everyone until the next boot "
                        "(kernel.yama.ptrace_scope is 3); boot with another "
                        "value");
    } else if (yama && atoi(yama) > 0) {
        g_string_printf(why, "Yama forbids it (kernel.yama.ptrace_scope is "
                        "%d); run this as root, or as root: sysctl "
                        "kernel.yama.ptrace_scope=0", atoi(yama));
    } else {
        g_string_assign(why, "the capability CAP_SYS_PTRACE is missing, or a "
                        "security module forbids it; in a container, allow "
                        "that capability, or run this on the host");
    }
    g_set_error(error, TARGET_ERROR, TARGET_ERROR_IMPOSSIBLE,
                "no right to look into process %d (ptrace access): %s",
                t->pid, why->str);
    g_string_free(why, true);
}

/* A wrapper or a launcher is often what people find first. */
static void set_no_qemu(Target *t, GError **error)
{
    g_autofree char *name = g_strdup_printf("task/%d/children", t->pid);
    g_autofree char *children = proc_text(t->pid, name);
    g_auto(GStrv) pids = g_strsplit(children ? children : "", " ", -1);
    GString *hint = g_string_new(NULL);

    for (int i = 0; pids[i]; i++) {
        g_autofree char *comm = *g_strstrip(pids[i]) ?
            proc_text(atoi(pids[i]), "comm") : NULL;

        if (comm && strstr(comm, "qemu")) {
            g_string_printf(hint, "; its child %s is", pids[i]);
        }
    }
    g_set_error(error, TARGET_ERROR, TARGET_ERROR_USE,
                "process %d (%s) is no QEMU system emulator%s", t->pid,
                t->name, hint->str);
    g_string_free(hint, true);
}

/* A container's own number is not the one that counts out here. */
static void set_no_process(int pid, GError **error)
{
    GDir *dir = g_dir_open("/proc", 0, NULL);
    GString *hint = g_string_new(NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *status = atoi(name) > 0 ?
            proc_text(atoi(name), "status") : NULL;

        if (status && atoi(name) != pid && strstr(status, "qemu") &&
            status_last_number(status, "NSpid") == pid) {
            g_string_append_printf(hint, "; process %s has this number in "
                                   "another PID namespace", name);
        }
    }
    g_clear_pointer(&dir, g_dir_close);
    if (!hint->len && (kill(pid, 0) == 0 || errno == EPERM)) {
        g_string_assign(hint, " to be seen; /proc is mounted with hidepid");
    }
    g_set_error(error, TARGET_ERROR, TARGET_ERROR_USE,
                "there is no process %d%s", pid, hint->str);
    g_string_free(hint, true);
}

/* A time namespace moves CLOCK_MONOTONIC. */
static void read_clock(Target *t, const char *stat)
{
    g_autofree char *theirs = NULL;
    g_autofree char *ours = g_file_read_link("/proc/self/ns/time", NULL);
    g_autofree char *path = g_strdup_printf("/proc/%d/ns/time", t->pid);
    g_autofree char *offsets = NULL;
    const char *fields = stat_fields(stat);
    guint64 start = 0;
    struct timespec boot, mono;

    theirs = g_file_read_link(path, NULL);
    if (ours && theirs && strcmp(ours, theirs)) {
        long long s = 0, ns = 0;

        offsets = proc_text(t->pid, "timens_offsets");
        if (offsets && sscanf(offsets, "monotonic %lld %lld", &s, &ns) == 2) {
            t->clock_offset_ns = s * 1000000000 + ns;
        }
    }
    for (int i = 3; fields && i < 22; i++) {
        fields = strchr(fields, ' ');
        fields = fields ? fields + 1 : NULL;
    }
    if (fields) {
        start = g_ascii_strtoull(fields, NULL, 10);
    }
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_MONOTONIC, &mono);
    t->start_ns = start * (1000000000 / sysconf(_SC_CLK_TCK)) -
                  ((gint64)(boot.tv_sec - mono.tv_sec) * 1000000000 +
                   boot.tv_nsec - mono.tv_nsec) + t->clock_offset_ns;
}

static bool check_status(Target *t, const char *status, GError **error)
{
    const char *state = status_value(status, "State");
    int leader = status_number(status, "Tgid");

    if (leader != t->pid) {
        g_set_error(error, TARGET_ERROR, TARGET_ERROR_USE,
                    "%d is a thread of process %d; name the process", t->pid,
                    leader);
        return false;
    }
    t->tracer = status_number(status, "TracerPid");
    state = state ? state + strspn(state, " \t") : "";
    if (*state == 'Z' || *state == 'X') {
        g_set_error(error, TARGET_ERROR, TARGET_ERROR_GONE,
                    "process %d (%s) has ended and waits for its parent, "
                    "process %ld, to take note (a zombie)", t->pid, t->name,
                    status_number(status, "PPid"));
        return false;
    }
    return true;
}

static bool open_image(Target *t, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/exe", t->pid);
    g_autofree char *exe = g_file_read_link(path, NULL);
    guint64 start = 0;

    if (!exe) {
        if (errno == ENOENT) {
            set_no_qemu(t, error);      /* a kernel thread */
        } else {
            set_denied(t, error);
        }
        return false;
    }
    read_maps(t);
    for (guint i = 0; i < t->maps->len && !start; i++) {
        const Mapping *m = &g_array_index(t->maps, Mapping, i);

        if (!strcmp(m->path, exe) && m->offset == 0) {
            start = m->start;
        }
    }
    if (!start) {
        set_denied(t, error);
        return false;
    }
    t->image = image_open(path, start, error);
    if (!t->image) {
        return false;
    }
    if (!image_version(t->image)) {
        set_no_qemu(t, error);
        return false;
    }
    return true;
}

Target *target_open_process(int pid, GError **error)
{
    g_autofree char *status = proc_text(pid, "status");
    g_autofree char *stat = proc_text(pid, "stat");
    Target *t = target_new();
    gsize size = 0;
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid);
    char probe;

    t->pid = pid;
    t->name = proc_text(pid, "comm");
    if (!status || !stat || !t->name) {
        set_no_process(pid, error);
        target_free(t);
        return NULL;
    }
    g_strchomp(t->name);
    t->read = process_read;
    t->threads = process_threads;
    if (!check_status(t, status, error) || !open_image(t, error)) {
        target_free(t);
        return NULL;
    }
    if (g_file_get_contents(path, &t->command, &size, NULL)) {
        for (gsize i = 0; i + 1 < size; i++) {
            t->command[i] = t->command[i] ? t->command[i] : ' ';
        }
    }
    read_clock(t, stat);
    t->pidfd = syscall(SYS_pidfd_open, pid, 0);
    if (!process_read(t, g_array_index(t->maps, Mapping, 0).start, &probe,
                      1)) {
        if (errno == ESRCH) {
            g_set_error(error, TARGET_ERROR, TARGET_ERROR_GONE,
                        "process %d has ended just now", pid);
        } else {
            set_denied(t, error);
        }
        target_free(t);
        return NULL;
    }
    return t;
}
