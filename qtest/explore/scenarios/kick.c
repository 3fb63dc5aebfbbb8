/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AIO_WAIT_WHILE() in a temporary waiter, and aio_wait_kick() from the thread
 * that makes its condition false.
 *
 * Before 7455ff1aa0 ("aio_wait_kick: add missing memory barrier", v7.2) the kicker may
 * look at the number of waiters before its store of the condition is in memory.
 *
 * Expect: stock holds; rule holds; requests holds
 * Lacks: util/aio-wait.c | smp_mb();
 * Expect-lacking-tso: stock lost; rule lost; requests lost
 * Expect-lacking-pso: stock lost; rule lost; requests lost
 * Reach: main sleeps; vcpu sleeps; kicker writes ctx->notifier
 */
#include "parts.h"

static int busy = 1;

static void vcpu_entry(void *opaque)
{
    explore_bql_lock();
    qatomic_set(&op_started, 1);
    AIO_WAIT_WHILE(NULL, qatomic_read(&busy));
    explore_bql_unlock();
}

static void kicker_entry(void *opaque)
{
    explore_wait_for(&op_started);
    qatomic_set(&busy, 0);
    aio_wait_kick();
}

static int vcpu, kicker;

static const char *check(void)
{
    if (!explore_has_ended(vcpu)) {
        return "the waiter sleeps, and its condition is false";
    }
    return explore_has_ended(kicker) ? NULL : "the kicker waits";
}

static void set_up(void)
{
    parts_init();
    explore_name(&busy, sizeof(busy), "busy");
    part_main_loop();
    vcpu = explore_thread("vcpu", vcpu_entry, NULL);
    kicker = explore_thread("kicker", kicker_entry, NULL);
}

const ExploreScenario explore_scenario = {
    .set_up = set_up,
    .check = check,
};
