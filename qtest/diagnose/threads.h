/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a thread does, in words */
#ifndef AIO_WAKEUP_THREADS_H
#define AIO_WAKEUP_THREADS_H

#include <glib.h>

#include "target.h"

typedef enum Doing {
    DOING_RUN,              /* on a processor, or ready to be */
    DOING_POLL,
    DOING_WAIT,             /* for a condition variable or the like: idle */
    DOING_LOCK,             /* for a mutex that another thread holds */
    DOING_IO,               /* in a system call on a file */
    DOING_FAULT,            /* for a page that userfaultfd has to bring */
    DOING_GUEST,            /* in KVM_RUN: runs the guest, or the guest halts */
    DOING_STOPPED,          /* by SIGSTOP or a debugger */
    DOING_OTHER,
    DOING_UNKNOWN,
} Doing;

typedef struct Activity {
    Doing doing;
    long nr;                /* of the system call */
    char *text;             /* for people */
    guint64 mutex;          /* DOING_LOCK: which */
    int owner;              /* and who holds it (tid), or 0 */
    gint64 timeout_ms;      /* DOING_POLL: -1: none, or not known */
    guint64 fds;            /* DOING_POLL: array of pollfd, or 0 */
    unsigned n_fds;
    int fd;                 /* DOING_IO: on which, or -1 */
} Activity;

/* @threads: of the same target */
void activity_read(Target *t, const Thread *thread, const GArray *threads,
                   Activity *activity);
void activity_clear(Activity *activity);

#endif
