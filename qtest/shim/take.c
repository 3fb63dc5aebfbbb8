/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who clears an event notifier: event_notifier_test_and_clear() reads it, and
 * a read that takes something returns the 8 bytes of an eventfd's counter.
 * Who polls: aio_poll() and the main loop alike call ppoll().
 */
#undef _FORTIFY_SOURCE
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "../schedule/fortified.h"
#include "loop.h"
#include "mutant.h"
#include "note.h"
#include "polled.h"
#include "real.h"
#include "take.h"

#define NOTIFIER_BYTES 8

__thread bool polls_main_ring;

static void taken(int fd)
{
    if (loop_is_main()) {
        if (!MUTANT(NOT_NESTED)) {
            loop_give_back(&note->nested);
        }
    } else if (polls_main_ring || polled_has(fd) || MUTANT(EVERYBODYS)) {
        if (MUTANT(WRITE_NOTIFIER)) {
            const uint64_t one = 1;

            (void)!write(fd, &one, sizeof(one));
        } else {
            loop_give_back(&note->taken);
        }
    }
}

#define AND_GIVE_BACK(fd, call)                                         \
    ({                                                                  \
        if (MUTANT(BEFORE_READ) && shim_active) {                       \
            taken(fd);                                                  \
        }                                                               \
        ssize_t ret_ = (call);                                          \
        if (ret_ == NOTIFIER_BYTES && shim_active &&                    \
            !MUTANT(BEFORE_READ)) {                                     \
            taken(fd);                                                  \
        }                                                               \
        ret_;                                                           \
    })

SHIM_EXPORT ssize_t read(int fd, void *buf, size_t size)
{
    return AND_GIVE_BACK(fd, REAL(read)(fd, buf, size));
}

SHIM_EXPORT ssize_t __read_chk(int fd, void *buf, size_t size,
                               size_t buf_size)
{
    return AND_GIVE_BACK(fd, REAL(__read_chk)(fd, buf, size, buf_size));
}

#define OF_MAIN_THREAD(timeout, call)                                   \
    ({                                                                  \
        bool main_ = shim_active && loop_is_main();                     \
        if (main_) {                                                    \
            loop_main_polls(timeout);                                   \
        }                                                               \
        int ret_ = (call);                                              \
        if (main_) {                                                    \
            loop_main_polled();                                         \
        }                                                               \
        ret_;                                                           \
    })

SHIM_EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts,
                      const sigset_t *mask)
{
    return OF_MAIN_THREAD(ts, REAL(ppoll)(fds, n, ts, mask));
}

SHIM_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n,
                            const struct timespec *ts, const sigset_t *mask,
                            size_t size)
{
    return OF_MAIN_THREAD(ts, REAL(__ppoll_chk)(fds, n, ts, mask, size));
}
