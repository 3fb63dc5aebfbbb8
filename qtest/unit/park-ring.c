/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rings of the code under test: whether there are any, and their calls
 *
 * QEMU calls liburing's functions, which these replace and call.
 */

#include "qemu/osdep.h"
#include "park.h"
#include <dlfcn.h>
#include <liburing.h>

bool park_ring;
__thread bool park_must_not_sleep;

static unsigned enters;

unsigned park_enters(void)
{
    return qatomic_read(&enters);
}

/* Without a ring: say that the kernel has none */
int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
    int (*init)(unsigned, struct io_uring *, unsigned);

    if (!park_ring) {
        return -ENOSYS;
    }
    init = dlsym(RTLD_NEXT, "io_uring_queue_init");
    return init(entries, ring, flags);
}

int io_uring_submit(struct io_uring *ring)
{
    static int (*submit)(struct io_uring *);

    if (!submit) {
        submit = dlsym(RTLD_NEXT, "io_uring_submit");
    }
    qatomic_inc(&enters);
    return submit(ring);
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned wait_nr)
{
    static int (*submit_and_wait)(struct io_uring *, unsigned);
    struct io_uring_sqe *sqe;
    int ret;

    if (!submit_and_wait) {
        submit_and_wait = dlsym(RTLD_NEXT, "io_uring_submit_and_wait");
    }
    if (wait_nr || io_uring_sq_ready(ring)) {
        qatomic_inc(&enters);
    }
    park_poll_begins(wait_nr);
    if (!wait_nr || !park_must_not_sleep) {
        return submit_and_wait(ring, wait_nr);
    }

    ret = submit_and_wait(ring, 0);
    if (ret < 0 || io_uring_cq_ready(ring)) {
        return ret;
    }

    /* Help it out with a completion that means nothing */
    g_test_message("aio_poll() would sleep for ever");
    g_test_fail();
    sqe = io_uring_get_sqe(ring);
    io_uring_prep_nop(sqe);
    io_uring_sqe_set_data(sqe, NULL);
    return submit_and_wait(ring, wait_nr);
}
