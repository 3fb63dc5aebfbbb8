/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch --all: every QEMU of the host, until it is told to stop */
#ifndef AIO_WAKEUP_GUARD_H
#define AIO_WAKEUP_GUARD_H

#include <signal.h>
#include <stdbool.h>

#include <glib.h>

typedef struct GuardOptions {
    double after_s;         /* look closer at one that has slept for so long */
    double interval_s;      /* between two scans */
    const char *metrics;    /* file, or NULL */
    bool wake;
    int wakes_per_hour;     /* of one VM at most */
    int scans;              /* end after so many; 0: never */
} GuardOptions;

/*
 * guard_run: watch until one of @signals comes; they are blocked.
 * @tell: prints one line
 *
 * Returns: exit status
 */
int guard_run(const GuardOptions *options, const sigset_t *signals,
              void (*tell)(const char *fmt, ...));

#endif
