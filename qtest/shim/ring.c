/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU 10.2 and later: the main loop polls an io_uring, and what it is to wake
 * up for hangs on that ring as one-shot polls.  A temporary waiter that takes
 * completions off the ring queues their polls again, but does not submit them:
 * the main loop has to, when it next prepares.  So it is woken.  The waiter has
 * the BQL until all of that is queued, and the main loop needs it to prepare.
 *
 * liburing's functions are declared here, because neither building nor loading
 * the shim may need it.  Its struct io_uring is part of liburing.so.2's ABI;
 * where it does not look like that, every wait on any ring counts as one, if the
 * main loop polls a ring at all.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loop.h"
#include "mutant.h"
#include "note.h"
#include "polled.h"
#include "real.h"
#include "ring.h"
#include "take.h"

/* struct io_uring of liburing.so.2, as far as it is looked at */
struct io_uring {
    void *sq[13];
    unsigned *cq_head;
    unsigned *cq_tail;
    void *cq[9];
    unsigned flags;
    int fd;
};

int io_uring_queue_init(unsigned entries, struct io_uring *ring,
                        unsigned flags);
int io_uring_submit_and_wait(struct io_uring *ring, unsigned wait_nr);

static _Atomic bool unknown_layout;
static _Atomic bool main_has_ring;  /* since QEMU 10.2 */
static bool refused;

static bool is_ring(int fd)
{
    static const char name[] = "anon_inode:[io_uring]";
    char path[32];
    char link[sizeof(name)];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return readlink(path, link, sizeof(link)) == sizeof(name) - 1 &&
           !memcmp(link, name, sizeof(name) - 1);
}

void ring_refuse(void)
{
    refused = true;
}

bool ring_find(const struct pollfd *fds, int n)
{
    for (int i = 0; i < n; i++) {
        main_has_ring = main_has_ring || is_ring(fds[i].fd);
    }
    return main_has_ring && !REAL(io_uring_submit_and_wait);
}

SHIM_EXPORT int io_uring_queue_init(unsigned entries, struct io_uring *ring,
                                    unsigned flags)
{
    int ret;

    if (shim_active && refused) {
        return -ENOSYS;
    }
    ret = REAL(io_uring_queue_init)(entries, ring, flags);
    if (ret == 0 && shim_active && access("/proc/self/fd", F_OK) == 0 &&
        !is_ring(ring->fd)) {
        unknown_layout = true;
    }
    return ret;
}

/* The caller has waited on @ring: has it taken something from the main loop? */
static void waited(const struct io_uring *ring)
{
    bool unknown = atomic_load_explicit(&unknown_layout,
                                        memory_order_relaxed);

    if (unknown && !main_has_ring) {
        return;
    }
    polls_main_ring = unknown || polled_has(ring->fd);
    if (polls_main_ring &&
        (unknown || *ring->cq_head !=
                    __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE))) {
        loop_give_back(&note->ring);
    }
}

SHIM_EXPORT int io_uring_submit_and_wait(struct io_uring *ring,
                                         unsigned wait_nr)
{
    bool is_main = shim_active && loop_is_main();
    int ret;

    if (is_main && !MUTANT(NOT_NESTED)) {
        loop_give_back(&note->nested);
    }
    ret = REAL(io_uring_submit_and_wait)(ring, wait_nr);
    if (shim_active && !is_main && !MUTANT(NO_RING)) {
        waited(ring);
    }
    return ret;
}
