/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line: what this program is about
 *
 * Invariant: what must hold, whoever is slow.  Name the commit that opened or
 * closed the hole.
 *
 *   main loop               temporary waiter
 *   prepare
 *   [parked]        ---->   qemu_notify_event()
 *                           aio_poll(): takes the wakeup
 *   [go on]         <----
 *   sleeps, or wakes up
 *
 * Kept since rule: template
 */

#include "qemu/osdep.h"
#include "park.h"

static void poll_it(void)
{
    qemu_notify_event();
    aio_poll(park_ctx, false);
}

static void test_it(void)
{
    park_run_any(poll_it);
}

int main(int argc, char **argv)
{
    park_init(&argc, &argv);
    g_test_add_func("/aio-wakeup/template", test_it);
    return park_run_tests();
}
