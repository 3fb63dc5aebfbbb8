/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The libc calls through which a QEMU of 2015 to today reaches every step of
 * the protocol, interposed.  Each wrapper does what its namesake does and
 * tells the engine before and after; none changes a result, but for one
 * spurious return of pthread_cond_wait(), which POSIX allows.
 *
 * The *_chk names are what binaries built with _FORTIFY_SOURCE call.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
/* both names of each call are defined here, the plain and the 64 bit one */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine.h"
#include "fortified.h"
#include "old-libc.h"
#include "real.h"

/*
 * glibc has two versions of the condition variable functions on x86_64, and
 * dlsym() finds the older one.
 */
static void *resolve(const char *name)
{
    static const char *const versions[] = { "GLIBC_2.3.2", "GLIBC_2.17" };
    void *p = NULL;

    if (!strncmp(name, "pthread_cond_", 13)) {
        for (int i = 0; i < 2 && !p; i++) {
            p = dlvsym(RTLD_NEXT, name, versions[i]);
        }
    }
    if (!p) {
        p = dlsym(RTLD_NEXT, name);
    }
    if (!p) {
        fprintf(stderr, "aio-wakeup: no %s in the C library\n", name);
        _exit(2);
    }
    return p;
}

/* The function that @real, a static pointer, points to at last */
#define RESOLVE(real, name)                                             \
    do {                                                                \
        if (!(real)) {                                                  \
            (real) = (__typeof__(real))resolve(name);                   \
        }                                                               \
    } while (0)

/* --- for the engine itself ----------------------------------------------- */

int real_mutex_lock(pthread_mutex_t *mutex)
{
    static __typeof__(&pthread_mutex_lock) real;

    RESOLVE(real, "pthread_mutex_lock");
    return real(mutex);
}

int real_mutex_unlock(pthread_mutex_t *mutex)
{
    static __typeof__(&pthread_mutex_unlock) real;

    RESOLVE(real, "pthread_mutex_unlock");
    return real(mutex);
}

int real_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                        const struct timespec *deadline)
{
    static __typeof__(&pthread_cond_timedwait) real;

    RESOLVE(real, "pthread_cond_timedwait");
    return real(cond, mutex, deadline);
}

/* --- polls --------------------------------------------------------------- */

static int64_t timespec_ns(const struct timespec *ts)
{
    if (!ts) {
        return ENGINE_FOREVER;
    }
    if (ts->tv_sec > INT64_MAX / 1000000000 - 1) {
        return ENGINE_FOREVER;
    }
    return ts->tv_sec * 1000000000LL + ts->tv_nsec;
}

static int64_t msec_ns(int timeout)
{
    return timeout < 0 ? ENGINE_FOREVER : timeout * 1000000LL;
}

/* Runs @call between the two points of a poll, and keeps errno. */
#define AROUND_POLL(timeout_ns, call)                                   \
    ({                                                                  \
        int ret_, errno_;                                               \
        engine_before_poll(timeout_ns);                                 \
        ret_ = (call);                                                  \
        errno_ = errno;                                                 \
        engine_after_poll(ret_);                                        \
        errno = errno_;                                                 \
        ret_;                                                           \
    })

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts,
          const sigset_t *mask)
{
    static __typeof__(&ppoll) real;

    RESOLVE(real, "ppoll");
    return AROUND_POLL(timespec_ns(ts), real(fds, n, ts, mask));
}

int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *ts,
                const sigset_t *mask, size_t size)
{
    static __typeof__(&__ppoll_chk) real;

    RESOLVE(real, "__ppoll_chk");
    return AROUND_POLL(timespec_ns(ts), real(fds, n, ts, mask, size));
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    static __typeof__(&poll) real;

    RESOLVE(real, "poll");
    return AROUND_POLL(msec_ns(timeout), real(fds, n, timeout));
}

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size)
{
    static __typeof__(&__poll_chk) real;

    RESOLVE(real, "__poll_chk");
    return AROUND_POLL(msec_ns(timeout), real(fds, n, timeout, size));
}

int epoll_wait(int epfd, struct epoll_event *ev, int max, int timeout)
{
    static __typeof__(&epoll_wait) real;

    RESOLVE(real, "epoll_wait");
    return AROUND_POLL(msec_ns(timeout), real(epfd, ev, max, timeout));
}

int epoll_pwait(int epfd, struct epoll_event *ev, int max, int timeout,
                const sigset_t *mask)
{
    static __typeof__(&epoll_pwait) real;

    RESOLVE(real, "epoll_pwait");
    return AROUND_POLL(msec_ns(timeout), real(epfd, ev, max, timeout, mask));
}

/* --- event notifiers, and the marks of the guest ------------------------- */

int eventfd(unsigned int value, int flags)
{
    static __typeof__(&eventfd) real;

    RESOLVE(real, "eventfd");
    int fd = real(value, flags);
    int saved = errno;

    engine_eventfd_created(fd);
    errno = saved;
    return fd;
}

/*
 * What a file descriptor stands for, found once: the file's path, or "".
 * QEMU's descriptors are few; a closed one is forgotten.
 */
#define MAX_FDS 1024
static char *fd_path[MAX_FDS];

static const char *path_of(int fd)
{
    char link[64];
    char path[512];
    ssize_t n;

    if (fd < 0 || fd >= MAX_FDS) {
        return "";
    }
    if (!fd_path[fd]) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        path[n > 0 ? n : 0] = '\0';
        /* two threads may both get here; one copy is leaked, nothing else */
        fd_path[fd] = strdup(path[0] == '/' ? path : "");
    }
    return fd_path[fd] ? fd_path[fd] : "";
}

static bool is_marks_file(int fd)
{
    const char *path = path_of(fd);
    size_t len = strlen(path);

    return len >= 6 && !strcmp(path + len - 6, "/marks");
}

int close(int fd)
{
    static __typeof__(&close) real;

    RESOLVE(real, "close");

    engine_fd_closed(fd);
    if (fd >= 0 && fd < MAX_FDS) {
        fd_path[fd] = NULL;
    }
    return real(fd);
}

#define AROUND_CLEAR(fd, call)                                          \
    ({                                                                  \
        ssize_t ret_;                                                   \
        int errno_;                                                     \
        bool clear_ = engine_is_eventfd(fd);                            \
        if (clear_) {                                                   \
            engine_before_clear(fd);                                    \
        }                                                               \
        ret_ = (call);                                                  \
        errno_ = errno;                                                 \
        if (clear_) {                                                   \
            engine_after_clear(fd);                                     \
        }                                                               \
        errno = errno_;                                                 \
        ret_;                                                           \
    })

ssize_t read(int fd, void *buf, size_t size)
{
    static __typeof__(&read) real;

    RESOLVE(real, "read");
    return AROUND_CLEAR(fd, real(fd, buf, size));
}

ssize_t __read_chk(int fd, void *buf, size_t size, size_t buf_size)
{
    static __typeof__(&__read_chk) real;

    RESOLVE(real, "__read_chk");
    return AROUND_CLEAR(fd, real(fd, buf, size, buf_size));
}

ssize_t write(int fd, const void *buf, size_t size)
{
    static __typeof__(&write) real;

    RESOLVE(real, "write");
    bool notifier = engine_is_eventfd(fd);
    ssize_t ret;
    int saved;

    if (notifier) {
        engine_before_write(fd);
    }
    ret = real(fd, buf, size);
    saved = errno;
    if (notifier) {
        engine_after_write(fd);
    } else if (size == 1 && engine_active() && is_marks_file(fd)) {
        engine_mark(*(const char *)buf);
    }
    errno = saved;
    return ret;
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
    static __typeof__(&writev) real;

    RESOLVE(real, "writev");
    ssize_t ret = real(fd, iov, n);
    int saved = errno;

    if (ret == 1 && engine_active() && is_marks_file(fd)) {
        engine_mark(*(const char *)iov[0].iov_base);
    }
    errno = saved;
    return ret;
}

/* --- I/O on images ------------------------------------------------------- */

#define AROUND_IO(fd, kind, call)                                       \
    ({                                                                  \
        ssize_t ret_;                                                   \
        int errno_;                                                     \
        bool image_ = engine_active() && path_of(fd)[0];                \
        if (image_) {                                                   \
            engine_before_io(path_of(fd), kind);                        \
        }                                                               \
        ret_ = (call);                                                  \
        errno_ = errno;                                                 \
        if (image_) {                                                   \
            engine_after_io();                                          \
        }                                                               \
        errno = errno_;                                                 \
        ret_;                                                           \
    })

#define PREAD(name, off)                                                \
    ssize_t name(int fd, void *buf, size_t size, off offset)            \
    {                                                                   \
        static __typeof__(&name) real;                                  \
        RESOLVE(real, #name);                                           \
        return AROUND_IO(fd, ENGINE_READ, real(fd, buf, size, offset)); \
    }

#define PWRITE(name, off)                                               \
    ssize_t name(int fd, const void *buf, size_t size, off offset)      \
    {                                                                   \
        static __typeof__(&name) real;                                  \
        RESOLVE(real, #name);                                           \
        return AROUND_IO(fd, ENGINE_WRITE, real(fd, buf, size, offset)); \
    }

#define PIOV(name, off, kind)                                           \
    ssize_t name(int fd, const struct iovec *iov, int n, off offset)    \
    {                                                                   \
        static __typeof__(&name) real;                                  \
        RESOLVE(real, #name);                                           \
        return AROUND_IO(fd, kind, real(fd, iov, n, offset));           \
    }

#define PIOV2(name, off, kind)                                          \
    ssize_t name(int fd, const struct iovec *iov, int n, off offset,    \
                 int flags)                                             \
    {                                                                   \
        static __typeof__(&name) real;                                  \
        RESOLVE(real, #name);                                           \
        return AROUND_IO(fd, kind, real(fd, iov, n, offset, flags));    \
    }

PREAD(pread, off_t)
PREAD(pread64, off64_t)
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)
PIOV(preadv, off_t, ENGINE_READ)
PIOV(preadv64, off64_t, ENGINE_READ)
PIOV(pwritev, off_t, ENGINE_WRITE)
PIOV(pwritev64, off64_t, ENGINE_WRITE)
PIOV2(preadv2, off_t, ENGINE_READ)
PIOV2(preadv64v2, off64_t, ENGINE_READ)
PIOV2(pwritev2, off_t, ENGINE_WRITE)
PIOV2(pwritev64v2, off64_t, ENGINE_WRITE)

ssize_t __pread64_chk(int fd, void *buf, size_t size, off64_t offset,
                      size_t buf_size)
{
    static __typeof__(&__pread64_chk) real;

    RESOLVE(real, "__pread64_chk");
    return AROUND_IO(fd, ENGINE_READ, real(fd, buf, size, offset, buf_size));
}

#define SYNC(name)                                                      \
    int name(int fd)                                                    \
    {                                                                   \
        static __typeof__(&name) real;                                  \
        RESOLVE(real, #name);                                           \
        return AROUND_IO(fd, ENGINE_SYNC, real(fd));                    \
    }

SYNC(fdatasync)
SYNC(fsync)

/* --- locks: who holds the BQL, and when a worker has gone idle ------------ */

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    int ret;

    engine_mutex_taking(mutex);
    ret = real_mutex_lock(mutex);
    if (ret == 0) {
        engine_mutex_taken(mutex);
    }
    return ret;
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    static __typeof__(&pthread_mutex_trylock) real;

    RESOLVE(real, "pthread_mutex_trylock");
    int ret = real(mutex);

    if (ret == 0) {
        engine_mutex_taken(mutex);
    }
    return ret;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int ret;

    engine_mutex_dropping(mutex);
    ret = real_mutex_unlock(mutex);
    engine_mutex_dropped(mutex);
    return ret;
}

/* True: the wait is over before it began, spuriously. */
static bool held_with_mutex_free(pthread_mutex_t *mutex)
{
    if (!engine_wants_mutex_free(mutex)) {
        return false;
    }
    pthread_mutex_unlock(mutex);
    pthread_mutex_lock(mutex);
    return true;
}

int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    static __typeof__(&pthread_cond_wait) real;

    RESOLVE(real, "pthread_cond_wait");

    if (held_with_mutex_free(mutex)) {
        return 0;
    }
    engine_before_idle(mutex);
    return real(cond, mutex);
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                           const struct timespec *deadline)
{
    if (held_with_mutex_free(mutex)) {
        return 0;
    }
    engine_before_idle(mutex);
    return real_cond_timedwait(cond, mutex, deadline);
}

int sem_wait(sem_t *sem)
{
    static __typeof__(&sem_wait) real;

    RESOLVE(real, "sem_wait");

    engine_before_idle(NULL);
    return real(sem);
}

int sem_timedwait(sem_t *sem, const struct timespec *deadline)
{
    static __typeof__(&sem_timedwait) real;

    RESOLVE(real, "sem_timedwait");

    engine_before_idle(NULL);
    return real(sem, deadline);
}
