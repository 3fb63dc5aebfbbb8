/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C library behind the interposed functions: what the engine itself must
 * call, so that its own reads, locks and waits are no points of a schedule.
 */
#ifndef AIO_WAKEUP_REAL_H
#define AIO_WAKEUP_REAL_H

#include <pthread.h>
#include <sys/types.h>
#include <time.h>

int real_mutex_lock(pthread_mutex_t *mutex);
int real_mutex_unlock(pthread_mutex_t *mutex);
int real_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                        const struct timespec *deadline);

#endif
