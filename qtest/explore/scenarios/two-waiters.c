/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two temporary waiters after one another: the first takes a wakeup, the second
 * may take what the first gave back.
 *
 * Expect: stock lost; rule holds; requests holds
 * Reach: main sleeps; vcpu0 sleeps; vcpu0 clears ctx->notifier; vcpu1 clears ctx->notifier
 * Reach-rule: vcpu0 writes glib's wakeup; vcpu1 writes glib's wakeup
 */
#include "parts.h"

typedef struct Vcpu {
    int started, done;
    QEMUBH *bh;
} Vcpu;

static Vcpu vcpus[2];

static void done_cb(void *opaque)
{
    Vcpu *vcpu = opaque;

    vcpu->done = 1;
}

static void vcpu_entry(void *opaque)
{
    Vcpu *vcpu = opaque;

    if (vcpu == &vcpus[1]) {
        explore_wait_for(&vcpus[0].started);
    }
    explore_bql_lock();
    qatomic_set(&vcpu->started, 1);
    while (!vcpu->done) {
        aio_poll(ctx, true);
    }
    explore_bql_unlock();
}

static void worker_entry(void *opaque)
{
    for (int i = 0; i < 2; i++) {
        explore_wait_for(&vcpus[i].started);
        qemu_bh_schedule(vcpus[i].bh);
    }
    qemu_bh_schedule(work_bh);
    qatomic_set(&work_published, 1);
}

static const char *check(void)
{
    for (int i = 1; i <= 3; i++) {
        if (!explore_has_ended(i)) {
            return "a waiter sleeps, and its operation is complete";
        }
    }
    return work_published && !work_ran ?
           "the main loop sleeps, and work is pending" : NULL;
}

static void set_up(void)
{
    parts_init();
    for (int i = 0; i < 2; i++) {
        vcpus[i].bh = aio_bh_new(ctx, done_cb, &vcpus[i]);
        explore_name(&vcpus[i], sizeof(vcpus[i]), i ? "vcpu1" : "vcpu0");
        explore_name(vcpus[i].bh, 48, i ? "vcpu1's bh" : "vcpu0's bh");
    }
    part_main_loop();
    explore_thread("vcpu0", vcpu_entry, &vcpus[0]);
    explore_thread("vcpu1", vcpu_entry, &vcpus[1]);
    explore_thread("worker", worker_entry, NULL);
}

const ExploreScenario explore_scenario = {
    .set_up = set_up,
    .check = check,
};
