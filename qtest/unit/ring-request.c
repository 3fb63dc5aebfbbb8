/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request on the ring that another thread makes
 *
 * Invariant: a request that a thread with the BQL makes while the main loop
 * sleeps is submitted, even if the thread does not call aio_poll() after that.
 * Regression test for 047dabef97bd ("block/io_uring: use aio_add_sqe()").
 *
 *   main loop               other thread
 *   prepare: submits
 *   drops the BQL
 *   [parked]        ---->   aio_add_sqe()
 *   [go on]         <----   drops the BQL
 *   sleeps, or submits
 *     the request
 *
 * Kept since rule (posix): lost-request
 */

#include "qemu/osdep.h"
#include "park.h"

static void prep_nop(struct io_uring_sqe *sqe, void *opaque)
{
    io_uring_prep_nop(sqe);
}

static void nop_done(CqeHandler *handler)
{
    park_woken(NULL);
}

static void poll_lost_request(void)
{
    static CqeHandler handler = { .cb = nop_done };

    aio_add_sqe(prep_nop, NULL, &handler);
}

static void test_lost_request(void)
{
    if (!aio_has_io_uring()) {
        g_test_skip("io_uring is not available here");
        return;
    }
    park_run(poll_lost_request);
}

int main(int argc, char **argv)
{
    park_ring = true;
    park_init(&argc, &argv);
    g_test_add_func("/aio-wakeup/lost-request", test_lost_request);
    return park_run_tests();
}
