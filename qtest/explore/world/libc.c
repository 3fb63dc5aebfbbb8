/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What QEMU's files call in libc: each is called world_NAME in their objects, see
 * link.sh.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <linux/futex.h>

#include "../explore.h"

#define PC __builtin_return_address(0)

static const int64_t ns_per_s = 1000000000;

int world_eventfd(unsigned int initial, int flags);
int world_eventfd(unsigned int initial, int flags)
{
    int fd = explore_eventfd();

    if (initial) {
        explore_eventfd_write(fd, PC);
    }
    return fd;
}

int world_close(int fd);
int world_close(int fd)
{
    return 0;
}

ssize_t world_write(int fd, const void *data, size_t size);
ssize_t world_write(int fd, const void *data, size_t size)
{
    explore_eventfd_write(fd, PC);
    return size;
}

/* An eventfd that is not set would block; event notifiers are non-blocking. */
ssize_t world_read(int fd, void *data, size_t size);
ssize_t world_read(int fd, void *data, size_t size)
{
    if (!explore_eventfd_read(fd, PC)) {
        errno = EAGAIN;
        return -1;
    }
    if (size >= sizeof(uint64_t)) {
        *(uint64_t *)data = 1;
    }
    return sizeof(uint64_t);
}

int world_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
                const void *mask);
int world_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
                const void *mask)
{
    return explore_poll(fds, n, timeout ? timeout->tv_sec * ns_per_s +
                                          timeout->tv_nsec : -1, PC);
}

int world_clock_gettime(clockid_t clock, struct timespec *ts);
int world_clock_gettime(clockid_t clock, struct timespec *ts)
{
    ts->tv_sec = explore_now() / ns_per_s;
    ts->tv_nsec = explore_now() % ns_per_s;
    return 0;
}

int world_gettimeofday(struct timeval *tv, void *zone);
int world_gettimeofday(struct timeval *tv, void *zone)
{
    tv->tv_sec = explore_now() / ns_per_s;
    tv->tv_usec = explore_now() % ns_per_s / 1000;
    return 0;
}

long world_syscall(long number, ...);
long world_syscall(long number, ...)
{
    va_list ap;
    int *word, op, value;

    va_start(ap, number);
    word = va_arg(ap, int *);
    op = va_arg(ap, int);
    value = va_arg(ap, int);
    va_end(ap);
    if (number != SYS_futex) {
        explore_fail("makes the system call %ld, which is not in this world",
                     number);
    }
    switch (op & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
        if (!explore_futex_wait(word, value, PC)) {
            errno = EAGAIN;
            return -1;
        }
        return 0;
    case FUTEX_WAKE:
        return explore_futex_wake(word, value, PC);
    default:
        explore_fail("makes the futex call %d, which is not in this world", op);
    }
}

void world_abort(void);
void world_abort(void)
{
    explore_fail("calls abort()");
}

void world___assert_fail(const char *expression, const char *file,
                         unsigned int line, const char *function);
void world___assert_fail(const char *expression, const char *file,
                         unsigned int line, const char *function)
{
    explore_fail("fails the assertion %s: %s:%u %s()", expression, file, line,
                 function);
}

/* Signals are not in this world. */
int world_pthread_sigmask(int how, const void *set, void *old);
int world_pthread_sigmask(int how, const void *set, void *old)
{
    return 0;
}

int world_sigemptyset(void *set);
int world_sigemptyset(void *set)
{
    return 0;
}

int world_sigaddset(void *set, int signal);
int world_sigaddset(void *set, int signal)
{
    return 0;
}

int world_sigdelset(void *set, int signal);
int world_sigdelset(void *set, int signal)
{
    return 0;
}

int world_prctl(int option, ...);
int world_prctl(int option, ...)
{
    return 0;
}
