/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three ways to wake a main loop from outside; the next one is taken when the
 * work that was pending is still there after one.  That its thread has run says
 * little: it may have run for something else, and gone back to sleep.
 *
 * A write to its event notifier is what aio_notify does; a spurious one is
 * harmless.  Since 10.2 it has no effect when the io_uring's poll on it is not
 * armed.  The same for the context of the main loop's other file descriptors,
 * which no other thread polls: that poll is always armed while it sleeps.
 * SIGALRM reaches QEMU through a signalfd that its main loop watches, and has
 * no handler: nothing but an iteration of the main loop comes of it.  It is
 * sent only when every thread blocks it, or it would end the process, and when
 * it is not ignored: QEMU then calls SIG_IGN as a function, and crashes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "target.h"
#include "wake.h"

#define WAIT_US 1000000
#define STEP_US 500

#define TURN_STEPS 200
#define TURN_US    10000

/* Every piece of work was seen gone; that it comes back is no failure. */
static bool has_helped(Diagnosis *d)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;

    while (true) {
        diagnosis_drop_done(d);
        if (!d->keys->len || g_get_monotonic_time() > end) {
            return !d->keys->len;
        }
        g_usleep(STEP_US);
    }
}

/* Of a line of /proc/PID/status with a mask of signals; -1: no such line */
static int has_signal(const char *status, const char *key, int sig)
{
    const char *at = status ? strstr(status, key) : NULL;

    if (!at) {
        return -1;
    }
    return (g_ascii_strtoull(at + strlen(key), NULL, 16) >> (sig - 1)) & 1;
}

static bool is_harmless(int pid, int sig)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task", pid);
    GDir *dir = g_dir_open(tasks, 0, NULL);
    const char *tid;
    bool all = dir != NULL;

    while (dir && (tid = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(tasks, tid, "status", NULL);
        g_autofree char *status = NULL;

        all = all && g_file_get_contents(path, &status, NULL, NULL) &&
              has_signal(status, "\nSigBlk:\t", sig) == 1 &&
              has_signal(status, "\nSigIgn:\t", sig) == 0 &&
              has_signal(status, "\nSigCgt:\t", sig) == 0;
    }
    g_clear_pointer(&dir, g_dir_close);
    return all;
}

/* Returns 0, or an errno. */
static int write_notifier(int pidfd, int number)
{
    uint64_t one = 1;
    int fd = syscall(SYS_pidfd_getfd, pidfd, number, 0);
    int ret = 0;

    if (fd < 0) {
        return errno;
    }
    if (write(fd, &one, sizeof(one)) != sizeof(one) && errno != EAGAIN) {
        ret = errno;
    }
    close(fd);
    return ret;
}

static bool try_write(Diagnosis *d, int pidfd, int fd, const char *what,
                      GString *text)
{
    int ret = fd < 0 ? EBADF : write_notifier(pidfd, fd);

    if (text->len) {
        g_string_append(text, "; ");
    }
    if (ret) {
        g_string_append_printf(text, "%s (fd %d) could not be written: %s%s",
                               what, fd, g_strerror(ret), ret == ENOSYS ?
                               " (Linux 5.6 or later is needed)" : "");
        return false;
    }
    d->freed = has_helped(d);
    g_string_append_printf(text, "wrote %s (fd %d): %s", what, fd,
                           d->freed ? "the pending work is done" : "no effect");
    return d->freed;
}

static bool try_signal(Diagnosis *d, int pidfd, GString *text)
{
    if (!is_harmless(d->pid, SIGALRM)) {
        g_string_append(text, "; SIGALRM may do harm, and is not sent: a "
                        "thread does not block it, or it is ignored");
        return false;
    }
    syscall(SYS_pidfd_send_signal, pidfd, SIGALRM, NULL, 0);
    d->freed = has_helped(d);
    g_string_append_printf(text, "; sent SIGALRM, for its signalfd: %s",
                           d->freed ? "the pending work is done" : "no effect");
    return d->freed;
}

/*
 * Two who wake one QEMU take turns: the lock is on its program's file, which
 * every namespace sees as the same one.  Returns a descriptor, or -1.
 */
static int take_turn(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/exe", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    for (int i = 0; fd >= 0 && i < TURN_STEPS; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            break;
        }
        g_usleep(TURN_US);
    }
    return fd;
}

void wake(Diagnosis *d)
{
    int pidfd = syscall(SYS_pidfd_open, d->pid, 0);
    int turn = take_turn(d->pid);
    GString *text = g_string_new(NULL);

    diagnosis_drop_done(d);
    d->freed = !d->keys->len;
    if (d->freed) {
        g_string_assign(text, "nothing was written: the pending work has been "
                        "done in the meantime");
    } else if (pidfd < 0) {
        g_string_printf(text, "pidfd_open: %s%s", g_strerror(errno),
                        errno == ENOSYS ? " (Linux 5.6 or later is needed)" :
                        "");
    } else {
        if (!try_write(d, pidfd, d->wake_fd, "the notifier", text) &&
            !try_write(d, pidfd, d->iohandler_fd, "io-handler's notifier",
                       text)) {
            try_signal(d, pidfd, text);
        }
    }
    if (pidfd >= 0) {
        close(pidfd);
    }
    if (turn >= 0) {
        close(turn);
    }
    for (guint i = 0; !d->freed && i < d->key_texts->len; i++) {
        g_string_append_printf(text, "%s%s", i ? ", " : "; still pending: ",
                               (char *)d->key_texts->pdata[i]);
    }
    d->woken = g_string_free(text, false);
}
