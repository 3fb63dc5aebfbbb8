/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions of the C library that its headers do not always declare */
#ifndef AIO_WAKEUP_FORTIFIED_H
#define AIO_WAKEUP_FORTIFIED_H

#include <poll.h>
#include <signal.h>
#include <sys/types.h>

int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *ts,
                const sigset_t *mask, size_t size);
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size);
ssize_t __read_chk(int fd, void *buf, size_t size, size_t buf_size);
ssize_t __pread64_chk(int fd, void *buf, size_t size, off64_t offset,
                      size_t buf_size);

#endif
