/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded by the tests: a QEMU that hangs for another reason.
 *
 * AIO_WAKEUP_BLOCK has one or more of these words.  bql: the vCPU that writes
 * mark "r" never returns, with the BQL in its hands.  io: no read of disk.img
 * completes from then on.  flash: no write to flash.img does.  deaf: the main
 * thread's ppoll does not return from then on, and what woke it is lost.
 */
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static bool is(int fd, const char *mode, const char *name)
{
    const char *want = getenv("AIO_WAKEUP_BLOCK");
    char link[64], path[PATH_MAX];
    ssize_t n;

    if (!want || !strstr(want, mode)) {
        return false;
    }
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    if (n < (ssize_t)strlen(name)) {
        return false;
    }
    path[n] = '\0';
    return !strcmp(path + n - strlen(name), name);
}

static bool round_has_begun;

/* QEMU writes a mark with writev, as one byte. */
static void take_mark(int fd, const void *buf, size_t n)
{
    if (n == 1 && *(const char *)buf == 'r') {
        round_has_begun = true;
        while (is(fd, "bql", "/marks")) {
            pause();
        }
    }
}

ssize_t write(int fd, const void *buf, size_t n)
{
    static ssize_t (*real)(int, const void *, size_t);

    if (!real) {
        real = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT,
                                                             "write");
    }
    take_mark(fd, buf, n);
    return real(fd, buf, n);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
    static ssize_t (*real)(int, const struct iovec *, int);

    if (!real) {
        real = (ssize_t (*)(int, const struct iovec *, int))dlsym(RTLD_NEXT,
                                                                  "writev");
    }
    if (n == 1) {
        take_mark(fd, iov->iov_base, iov->iov_len);
    }
    return real(fd, iov, n);
}

/* A read that does not return looks the same on a pipe. */
static void block_io(int fd, const char *mode, const char *name)
{
    int fds[2];
    char c;

    if (round_has_begun && is(fd, mode, name) && pipe(fds) == 0) {
        while (read(fds[0], &c, 1) <= 0) {
            continue;
        }
    }
}

ssize_t preadv64(int fd, const struct iovec *iov, int n, off64_t offset)
{
    static ssize_t (*real)(int, const struct iovec *, int, off64_t);

    if (!real) {
        real = (ssize_t (*)(int, const struct iovec *, int,
                            off64_t))dlsym(RTLD_NEXT, "preadv64");
    }
    block_io(fd, "io", "/disk.img");
    return real(fd, iov, n, offset);
}

ssize_t pread64(int fd, void *buf, size_t n, off64_t offset)
{
    static ssize_t (*real)(int, void *, size_t, off64_t);

    if (!real) {
        real = (ssize_t (*)(int, void *, size_t,
                            off64_t))dlsym(RTLD_NEXT, "pread64");
    }
    block_io(fd, "io", "/disk.img");
    return real(fd, buf, n, offset);
}

ssize_t pwritev64(int fd, const struct iovec *iov, int n, off64_t offset)
{
    static ssize_t (*real)(int, const struct iovec *, int, off64_t);

    if (!real) {
        real = (ssize_t (*)(int, const struct iovec *, int,
                            off64_t))dlsym(RTLD_NEXT, "pwritev64");
    }
    block_io(fd, "flash", "/flash.img");
    return real(fd, iov, n, offset);
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);

    if (!real) {
        real = (ssize_t (*)(int, const void *, size_t,
                            off64_t))dlsym(RTLD_NEXT, "pwrite64");
    }
    block_io(fd, "flash", "/flash.img");
    return real(fd, buf, n, offset);
}

/* QEMU is built with or without fortification. */
static int block_poll(struct pollfd *fds, nfds_t n, const struct timespec *ts,
                      const sigset_t *mask)
{
    const char *want = getenv("AIO_WAKEUP_BLOCK");
    bool main_deaf = want && strstr(want, "deaf") && getpid() == gettid();
    struct timespec left = ts ? *ts : (struct timespec) { 0 };
    const struct timespec *timeout = ts ? &left : NULL;

    while (true) {
        int ret = syscall(SYS_ppoll, fds, n, timeout, mask, sizeof(long));

        if (!main_deaf || !round_has_begun) {
            return ret;
        }
        timeout = NULL;
        for (nfds_t i = 0; ret > 0 && i < n; i++) {
            char data[128];     /* a signalfd gives no less */

            if (fds[i].revents & POLLIN &&
                read(fds[i].fd, data, sizeof(data)) < 0) {
                usleep(1000);
            }
        }
    }
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts,
          const sigset_t *mask)
{
    return block_poll(fds, n, ts, mask);
}

int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *ts,
                const sigset_t *mask, size_t size)
{
    (void)size;
    return block_poll(fds, n, ts, mask);
}
