/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scan costs one small file of /proc for each QEMU, and some 50 system calls
 * more for one that has slept since the last one.  Only one that sleeps with
 * work pending is diagnosed.  Nothing stops a process.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "guard.h"
#include "judge.h"
#include "look.h"
#include "progress.h"
#include "wake.h"

#define DIAGNOSE_US   1600000
#define MIN_AGAIN_US  (5 * G_USEC_PER_SEC)
#define MAX_AGAIN_US  (600 * G_USEC_PER_SEC)
#define HOUR_US       ((gint64)3600 * G_USEC_PER_SEC)

/* A process that is no QEMU may become one; a number may be used again. */
#define FORGET_US     (60 * G_USEC_PER_SEC)

typedef struct Vm {
    int pid;
    char *name;             /* for people: of -name, or "" */
    char *uuid;             /* or "" */
    Target *target;         /* or NULL: cannot be looked into */
    Finder *finder;
    guint64 progress;
    gint64 since_us;        /* when that was seen to change last */
    gint64 next_us;         /* not diagnosed, or opened, before */
    gint64 again_us;
    GArray *wakes;          /* gint64: when it was woken */
    guint64 looks, lost, woken, cannot_tell;
    bool told;              /* of this sleep */
    bool limit_told;
    bool seen;
} Vm;

typedef struct Guard {
    const GuardOptions *o;
    void (*tell)(const char *fmt, ...);
    GHashTable *vms;        /* PID -> Vm */
    GHashTable *others;     /* PID -> gint64 *, when it was looked at */
    guint64 scans;
    bool metrics_failed;
} Guard;

static void vm_close(Vm *vm)
{
    if (vm->finder) {
        finder_free(vm->finder);
    }
    target_free(vm->target);
    vm->finder = NULL;
    vm->target = NULL;
}

static void vm_free(gpointer data)
{
    Vm *vm = data;

    vm_close(vm);
    g_array_unref(vm->wakes);
    g_free(vm->name);
    g_free(vm->uuid);
    g_free(vm);
}

/* The value after the word @option; of "a=b,guest=NAME,..." the name */
static char *option_value(const char *command, gsize size, const char *option)
{
    const char *at = command;

    while (at < command + size) {
        const char *next = at + strlen(at) + 1;

        if (!strcmp(at + (at[0] == '-' && at[1] == '-'), option) &&
            next < command + size) {
            const char *guest = strstr(next, "guest=");

            guest = guest ? guest + strlen("guest=") : next;
            return g_strndup(guest, strcspn(guest, ","));
        }
        at = next;
    }
    return g_strdup("");
}

static void vm_open(Vm *vm, gint64 now)
{
    g_autoptr(GError) error = NULL;

    vm->next_us = now + MAX_AGAIN_US;
    vm->target = target_open_process(vm->pid, &error);
    if (vm->target) {
        vm->finder = finder_new(vm->target, &error);
    }
    if (!vm->finder) {
        /* one that has not made its machine yet is asked again soon */
        vm->next_us = now + vm->again_us;
        vm->again_us = MIN(2 * vm->again_us, MAX_AGAIN_US);
        vm_close(vm);
    } else {
        g_free(finder_read_requests(vm->finder));   /* looks symbols up */
        image_rest(vm->target->image);
        vm->next_us = 0;
        vm->again_us = MIN_AGAIN_US;
    }
}

static Vm *vm_new(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid);
    g_autofree char *command = NULL;
    Vm *vm = g_new0(Vm, 1);
    gsize size = 0;

    g_file_get_contents(path, &command, &size, NULL);
    vm->pid = pid;
    vm->name = option_value(command ? command : "", size, "-name");
    vm->uuid = option_value(command ? command : "", size, "-uuid");
    vm->wakes = g_array_new(false, true, sizeof(gint64));
    vm->again_us = MIN_AGAIN_US;
    return vm;
}

static bool may_wake(Guard *g, Vm *vm, gint64 now)
{
    while (vm->wakes->len &&
           now - g_array_index(vm->wakes, gint64, 0) > HOUR_US) {
        g_array_remove_index(vm->wakes, 0);
    }
    if ((int)vm->wakes->len < g->o->wakes_per_hour) {
        vm->limit_told = false;
        return true;
    }
    if (!vm->limit_told) {
        g->tell("PID %d %s has been woken %u times within an hour: left alone",
                vm->pid, vm->name, vm->wakes->len);
        vm->limit_told = true;
    }
    return false;
}

static void found(Guard *g, Vm *vm, Diagnosis *d, gint64 now)
{
    GString *work = g_string_new(NULL);
    bool wakes = g->o->wake && may_wake(g, vm, now);

    for (guint i = 0; i < d->pending->len; i++) {
        g_string_append_printf(work, "%s%s", i ? ", " : "",
                               (char *)d->pending->pdata[i]);
    }
    if (wakes) {
        wake(d);
        g_array_append_val(vm->wakes, now);
        vm->woken += d->freed;
    }
    if (!vm->told || wakes) {
        vm->lost += !vm->told;
        g->tell("LOST WAKEUP: PID %d%s%s, %s %s: %s; asleep for %.1f s%s%s",
                vm->pid, *vm->name ? " " : "", vm->name, d->program,
                d->version, work->str,
                (now - vm->since_us) / (double)G_USEC_PER_SEC,
                d->woken ? "; " : "", d->woken ? d->woken : "");
    }
    vm->told = !d->freed;
    g_string_free(work, true);
}

static void diagnose(Guard *g, Vm *vm, gint64 now)
{
    g_autoptr(GError) error = NULL;
    Diagnosis *d = diagnose_process(vm->pid, DIAGNOSE_US, &error);

    vm->next_us = now + vm->again_us;
    vm->again_us = MIN(2 * vm->again_us, MAX_AGAIN_US);
    if (d && d->answer == ANSWER_LOST_WAKEUP) {
        found(g, vm, d, now);
        vm->again_us = MIN_AGAIN_US;
    } else if (d && d->answer == ANSWER_CANNOT_TELL) {
        vm->cannot_tell++;
    }
    diagnosis_free(d);
}

static void look_at(Guard *g, Vm *vm)
{
    guint64 progress = progress_of(vm->pid);
    gint64 now = g_get_monotonic_time();

    vm->looks++;
    if (progress != vm->progress) {
        vm->progress = progress;
        vm->since_us = now;
        vm->told = false;
        if (vm->finder) {
            vm->next_us = 0;
            vm->again_us = MIN_AGAIN_US;
        }
        return;
    }
    if (now - vm->since_us < g->o->after_s * G_USEC_PER_SEC ||
        now < vm->next_us) {
        return;
    }
    if (!vm->finder) {
        vm_open(vm, now);
        vm->cannot_tell += !vm->finder;
    }
    if (vm->finder && look_any_work(vm->target, vm->finder)) {
        diagnose(g, vm, now);
    }
}

static bool is_other(Guard *g, gpointer pid, gint64 now)
{
    gint64 *when = g_hash_table_lookup(g->others, pid);

    return when && now - *when < FORGET_US;
}

static void forget(Guard *g, gint64 now)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, g->others);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (now - *(gint64 *)value >= FORGET_US) {
            g_hash_table_iter_remove(&iter);
        }
    }
    g_hash_table_iter_init(&iter, g->vms);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (!((Vm *)value)->seen) {
            g_hash_table_iter_remove(&iter);
        }
        ((Vm *)value)->seen = false;
    }
}

static void scan(Guard *g)
{
    GDir *dir = g_dir_open("/proc", 0, NULL);
    gint64 now = g_get_monotonic_time();
    const char *name;
    sigset_t waiting;

    while (dir && (name = g_dir_read_name(dir))) {
        int pid = atoi(name);
        gpointer key = GINT_TO_POINTER(pid);
        Vm *vm;

        if (pid <= 0 || pid == getpid() || is_other(g, key, now)) {
            continue;
        }
        vm = g_hash_table_lookup(g->vms, key);
        if (!vm && !progress_may_be_qemu(pid)) {
            gint64 *when = g_new(gint64, 1);

            *when = now;
            g_hash_table_insert(g->others, key, when);
            continue;
        }
        if (!vm) {
            vm = vm_new(pid);
            g_hash_table_insert(g->vms, key, vm);
        }
        vm->seen = true;
        look_at(g, vm);
        /* one that is told to end does not go through all the others first */
        sigpending(&waiting);
        if (sigismember(&waiting, SIGTERM) || sigismember(&waiting, SIGINT)) {
            break;
        }
    }
    g_clear_pointer(&dir, g_dir_close);
    forget(g, now);
    g->scans++;
}

/* Backslash, quote and newline are all that a label must not have. */
static char *label(const char *text)
{
    GString *out = g_string_new(NULL);
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    for (const char *at = valid; *at; at++) {
        if (strchr("\\\"\n", *at)) {
            g_string_append_c(out, '\\');
        }
        g_string_append_c(out, *at == '\n' ? 'n' : *at);
    }
    return g_string_free(out, false);
}

typedef double (*Value)(const Vm *vm, gint64 now);

static double looks_of(const Vm *vm, gint64 now)
{
    (void)now;
    return vm->looks;
}

static double lost_of(const Vm *vm, gint64 now)
{
    (void)now;
    return vm->lost;
}

static double woken_of(const Vm *vm, gint64 now)
{
    (void)now;
    return vm->woken;
}

static double cannot_tell_of(const Vm *vm, gint64 now)
{
    (void)now;
    return vm->cannot_tell;
}

static double asleep_of(const Vm *vm, gint64 now)
{
    return (now - vm->since_us) / (double)G_USEC_PER_SEC;
}

static char *metrics_text(Guard *g)
{
    static const struct {
        const char *name, *type, *help;
        Value value;
    } metrics[] = {
        { "looks_total", "counter", "Looks at the VM", looks_of },
        { "lost_total", "counter", "Lost wakeups found", lost_of },
        { "woken_total", "counter", "Lost wakeups that --wake has freed",
          woken_of },
        { "cannot_tell_total", "counter", "Times it could not be told",
          cannot_tell_of },
        { "asleep_seconds", "gauge", "The main thread has not run for so long",
          asleep_of },
    };
    GString *out = g_string_new(NULL);
    gint64 now = g_get_monotonic_time();

    g_string_append_printf(out, "# HELP aio_wakeup_vms QEMU processes\n"
                           "# TYPE aio_wakeup_vms gauge\n"
                           "aio_wakeup_vms %u\n", g_hash_table_size(g->vms));
    for (gsize i = 0; i < G_N_ELEMENTS(metrics); i++) {
        GHashTableIter iter;
        gpointer value;

        g_string_append_printf(out, "# HELP aio_wakeup_%s %s\n"
                               "# TYPE aio_wakeup_%s %s\n", metrics[i].name,
                               metrics[i].help, metrics[i].name,
                               metrics[i].type);
        g_hash_table_iter_init(&iter, g->vms);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
            const Vm *vm = value;
            g_autofree char *name = label(vm->name);
            g_autofree char *uuid = label(vm->uuid);

            g_string_append_printf(out, "aio_wakeup_%s{pid=\"%d\",name=\"%s\","
                                   "uuid=\"%s\"} %.10g\n", metrics[i].name,
                                   vm->pid, name, uuid,
                                   metrics[i].value(vm, now));
        }
    }
    return g_string_free(out, false);
}

/* The file is there as a whole at any time.  Returns false with errno set. */
static bool write_metrics(Guard *g)
{
    g_autofree char *temporary = g_strdup_printf("%s.%d.tmp", g->o->metrics,
                                                 getpid());
    g_autofree char *text = metrics_text(g);
    FILE *out = fopen(temporary, "we");
    int error;

    if (out && fputs(text, out) >= 0 && fflush(out) == 0) {
        fclose(out);
        if (rename(temporary, g->o->metrics) == 0) {
            return true;
        }
        out = NULL;
    }
    error = errno;
    if (out) {
        fclose(out);
    }
    unlink(temporary);
    errno = error;
    return false;
}

/* What systemd is told, if it has started us */
static void notify(const char *state)
{
    const char *path = g_getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd;

    if (!path || !*path || strlen(path) >= sizeof(to.sun_path)) {
        return;
    }
    memcpy(to.sun_path, path, strlen(path));
    if (path[0] == '@') {
        to.sun_path[0] = '\0';
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        if (sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                   (struct sockaddr *)&to, offsetof(struct sockaddr_un,
                                                    sun_path) +
                   strlen(path)) < 0) {
            fprintf(stderr, "watch: NOTIFY_SOCKET: %s\n", g_strerror(errno));
        }
        close(fd);
    }
}

int guard_run(const GuardOptions *o, const sigset_t *signals,
              void (*tell)(const char *fmt, ...))
{
    Guard g = { .o = o, .tell = tell };
    gint64 interval_us = o->interval_s * G_USEC_PER_SEC;
    const struct timespec interval = { interval_us / G_USEC_PER_SEC,
                                       interval_us % G_USEC_PER_SEC * 1000 };
    int status = 0;

    g.vms = g_hash_table_new_full(NULL, NULL, NULL, vm_free);
    g.others = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    if (o->metrics && !write_metrics(&g)) {
        tell("%s cannot be written: %s", o->metrics, g_strerror(errno));
        status = 2;
    } else {
        notify("READY=1");
    }
    while (!status) {
        bool written;
        int sig;

        scan(&g);
        written = !o->metrics || write_metrics(&g);
        if (!written && !g.metrics_failed) {
            tell("%s cannot be written: %s", o->metrics, g_strerror(errno));
        }
        g.metrics_failed = !written;
        sig = sigtimedwait(signals, NULL, &interval);
        if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP ||
            (o->scans && g.scans >= (guint64)o->scans)) {
            break;
        }
    }
    notify("STOPPING=1");
    g_hash_table_unref(g.vms);
    g_hash_table_unref(g.others);
    return status;
}
