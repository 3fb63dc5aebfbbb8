/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "threads.h"

#define KVM_RUN 0xae80

/* glibc's pthread_mutex_t */
#define MUTEX_OWNER 8

typedef struct Call {
    long nr;
    const char *name;
    Doing doing;
} Call;

static const Call calls[] = {
    { SYS_ppoll, "ppoll", DOING_POLL },
#ifdef SYS_poll
    { SYS_poll, "poll", DOING_POLL },
    { SYS_epoll_wait, "epoll_wait", DOING_POLL },
    { SYS_select, "select", DOING_OTHER },
#endif
    { SYS_epoll_pwait, "epoll_pwait", DOING_POLL },
    { SYS_io_uring_enter, "io_uring_enter", DOING_POLL },
    { SYS_futex, "futex", DOING_WAIT },
    { SYS_read, "read", DOING_IO },
    { SYS_write, "write", DOING_IO },
    { SYS_readv, "readv", DOING_IO },
    { SYS_writev, "writev", DOING_IO },
    { SYS_pread64, "pread64", DOING_IO },
    { SYS_pwrite64, "pwrite64", DOING_IO },
    { SYS_preadv, "preadv", DOING_IO },
    { SYS_pwritev, "pwritev", DOING_IO },
    { SYS_fsync, "fsync", DOING_IO },
    { SYS_fdatasync, "fdatasync", DOING_IO },
    { SYS_fallocate, "fallocate", DOING_IO },
    { SYS_ftruncate, "ftruncate", DOING_IO },
    { SYS_sendmsg, "sendmsg", DOING_IO },
    { SYS_recvmsg, "recvmsg", DOING_IO },
    { SYS_openat, "openat", DOING_OTHER },
    { SYS_io_submit, "io_submit", DOING_OTHER },
    { SYS_io_getevents, "io_getevents", DOING_OTHER },
    { SYS_ioctl, "ioctl", DOING_IO },
    { SYS_nanosleep, "nanosleep", DOING_WAIT },
    { SYS_clock_nanosleep, "clock_nanosleep", DOING_WAIT },
    { SYS_rt_sigtimedwait, "rt_sigtimedwait", DOING_WAIT },
#ifdef SYS_pause
    { SYS_pause, "pause", DOING_WAIT },
#endif
};

static const Call *find_call(long nr)
{
    for (gsize i = 0; i < G_N_ELEMENTS(calls); i++) {
        if (calls[i].nr == nr) {
            return &calls[i];
        }
    }
    return NULL;
}

static char *describe_fd(const Target *t, const char *name, int fd)
{
    g_autofree char *link = target_describe_fd(t, fd);

    return g_strdup_printf("in %s on fd %d%s%s%s", name, fd,
                           link ? " (" : "", link ? link : "",
                           link ? ")" : "");
}

static void read_poll(Target *t, const Thread *thread, Activity *a,
                      const char *name)
{
    g_autofree char *timeout = NULL;

    a->timeout_ms = -1;
    if (thread->nr == SYS_ppoll) {
        gint64 ts[2];

        a->fds = thread->args[0];
        a->n_fds = thread->args[1];
        if (thread->args[2] && target_read(t, thread->args[2], ts,
                                           sizeof(ts))) {
            a->timeout_ms = ts[0] * 1000 + ts[1] / 1000000;
        }
#ifdef SYS_poll
    } else if (thread->nr == SYS_poll) {
        a->fds = thread->args[0];
        a->n_fds = thread->args[1];
        a->timeout_ms = (int)thread->args[2];
#endif
    } else if (thread->nr != SYS_io_uring_enter) {
        a->timeout_ms = (int)thread->args[3];
    }
    timeout = a->timeout_ms < 0 ? g_strdup("with no timeout") :
        g_strdup_printf("with a timeout of %" G_GINT64_FORMAT " ms",
                        a->timeout_ms);
    a->text = g_strdup_printf("asleep in %s %s", name, timeout);
}

/*
 * A thread that waits for a mutex has found 2 in its first word, and the
 * mutex knows its owner.  Anything else is a condition variable and the like.
 */
static void read_futex(Target *t, const Thread *thread, const GArray *threads,
                       Activity *a)
{
    int op = thread->args[1] & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    guint64 mutex = thread->args[0];
    int owner;

    if (op == FUTEX_WAIT && thread->args[2] == 2 &&
        (target_read_u32(t, mutex) & 3) == 2) {
        owner = target_read_u32(t, mutex + MUTEX_OWNER);
        for (guint i = 0; i < threads->len; i++) {
            const Thread *other = &g_array_index(threads, Thread, i);

            if (other->own_tid == owner && owner) {
                a->doing = DOING_LOCK;
                a->mutex = mutex;
                a->owner = other->tid;
                a->text = g_strdup_printf("waits for a mutex that thread %d "
                                          "holds", other->tid);
                return;
            }
        }
    }
    if ((op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET) &&
        target_read_u32(t, mutex) != (guint32)thread->args[2]) {
        a->doing = DOING_RUN;
        a->text = g_strdup("has been woken (futex)");
        return;
    }
    a->text = g_strdup("waits for a condition (futex)");
}

void activity_read(Target *t, const Thread *thread, const GArray *threads,
                   Activity *a)
{
    const Call *call = find_call(thread->nr);

    memset(a, 0, sizeof(*a));
    a->timeout_ms = a->fd = -1;
    a->nr = thread->nr;
    a->doing = call ? call->doing : DOING_OTHER;
    if (thread->state == 'T' || thread->state == 't') {
        a->doing = DOING_STOPPED;
        a->text = g_strdup(thread->state == 'T' ? "stopped by a signal" :
                           "stopped by a debugger");
    } else if (g_str_has_prefix(thread->wchan, "handle_userfault")) {
        a->doing = DOING_FAULT;
        a->text = g_strdup("waits for a page of the guest's memory "
                           "(userfaultfd)");
    } else if (thread->nr == THREAD_RUNNING || thread->state == 'R') {
        a->doing = DOING_RUN;
        a->text = g_strdup("runs");
    } else if (thread->returned) {
        a->doing = DOING_RUN;
        a->text = g_strdup_printf("has just returned from %s",
                                  call ? call->name : "a system call");
    } else if (thread->nr == THREAD_UNKNOWN) {
        a->doing = thread->state == 'D' ? DOING_IO : DOING_UNKNOWN;
        a->text = g_strdup(thread->state == 'D' ?
            "waits in the kernel for a page of memory" : "not known");
    } else if (!call) {
        a->text = g_strdup_printf("in system call %ld", thread->nr);
    } else if (call->doing == DOING_POLL) {
        read_poll(t, thread, a, call->name);
    } else if (thread->nr == SYS_futex) {
        read_futex(t, thread, threads, a);
    } else if (thread->nr == SYS_ioctl && thread->args[1] == KVM_RUN) {
        a->doing = DOING_GUEST;
        a->text = g_strdup("in KVM_RUN");
    } else if (call->doing == DOING_IO) {
        a->fd = thread->args[0];
        a->text = describe_fd(t, call->name, thread->args[0]);
    } else {
        a->text = g_strdup_printf("in %s", call->name);
    }
}

void activity_clear(Activity *activity)
{
    g_free(activity->text);
}
