/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The schedule engine: what interpose.c tells it, and what it answers.
 *
 * Every call runs on the thread that it speaks of.  A call returns when the
 * thread may go on: at once, or when the schedule's hold is over.
 */
#ifndef AIO_WAKEUP_ENGINE_H
#define AIO_WAKEUP_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

/* Timeout of a poll that never times out. */
#define ENGINE_FOREVER INT64_MAX

/*
 * False until the process turns out to be a QEMU that is to be scheduled, and
 * in a signal handler that interrupts the engine itself.
 */
bool engine_active(void);

/*
 * A poll of @timeout_ns; @fds are looked at only to log how many are ready.
 * engine_after_poll() takes poll's return value.
 */
void engine_before_poll(int64_t timeout_ns);
void engine_after_poll(int ret);

/* A read (clear) or a write of the event notifier @fd. */
void engine_before_clear(int fd);
void engine_after_clear(int fd);
void engine_before_write(int fd);
void engine_after_write(int fd);

typedef enum EngineIo {
    ENGINE_READ,
    ENGINE_WRITE,
    ENGINE_SYNC,
} EngineIo;

/* An image's I/O; @path is its file name. */
void engine_before_io(const char *path, EngineIo io);
void engine_after_io(void);

/* One byte has been written to the marks file. */
void engine_mark(char mark);

/* A new event notifier; a closed file descriptor. */
void engine_eventfd_created(int fd);
void engine_fd_closed(int fd);
bool engine_is_eventfd(int fd);

/*
 * The thread is about to take @mutex; has taken it; is about to drop it; has
 * dropped it; is about to wait on a condition variable or semaphore.  @mutex is
 * NULL for a semaphore.
 */
void engine_mutex_taking(void *mutex);
void engine_mutex_taken(void *mutex);
void engine_mutex_dropping(void *mutex);
void engine_mutex_dropped(void *mutex);
void engine_before_idle(void *mutex);

/*
 * True if this thread is to be held while @mutex is free.  The caller drops
 * the mutex, calls engine_mutex_dropped(), takes it again and returns from
 * the wait as POSIX lets it: spuriously.
 */
bool engine_wants_mutex_free(void *mutex);

#endif
