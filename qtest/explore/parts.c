/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compiled as QEMU's own files are, with the tree's headers.
 */
#include "parts.h"

AioContext *ctx;
int op_started, op_done, work_published, work_ran;
QEMUBH *op_bh, *work_bh;
QEMUTimer timer;

static int main_id = -1;
static void (*publishers[EXPLORE_MAX_THREADS])(void);

static void op_cb(void *opaque)
{
    explore_note("the operation's bottom half: it is done");
    op_done = 1;
}

static void work_cb(void *opaque)
{
    explore_note("the work runs");
    work_ran = 1;
}

static void name_context(AioContext *context, const char *notifier)
{
    explore_name_fd(event_notifier_get_fd(&context->notifier), notifier);
}

static void make_objects(void)
{
    op_bh = aio_bh_new(ctx, op_cb, NULL);
    work_bh = aio_bh_new(ctx, work_cb, NULL);
    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_NS, work_cb, NULL);

    explore_name(ctx, sizeof(*ctx), "ctx");
    explore_name(&ctx->notify_me, sizeof(ctx->notify_me), "ctx->notify_me");
    explore_name(&ctx->notified, sizeof(ctx->notified), "ctx->notified");
    explore_name(&ctx->bh_list, sizeof(ctx->bh_list), "ctx->bh_list");
    explore_name(&ctx->list_lock, 4, "ctx->list_lock");
    explore_name(op_bh, 48, "op_bh");
    explore_name(work_bh, 48, "work_bh");
    explore_name(&op_started, 4, "op_started");
    explore_name(&op_done, 4, "op_done");
    explore_name(&work_published, 4, "work_published");
    explore_name(&work_ran, 4, "work_ran");
    explore_name(&timer, sizeof(timer), "timer");
    explore_name(&global_aio_wait, sizeof(global_aio_wait), "num_waiters");
}

void parts_init(void)
{
    AioContext *io;

    qemu_init_main_loop(&error_fatal);
    ctx = qemu_get_aio_context();
    io = iohandler_get_aio_context();
    name_context(ctx, "ctx->notifier");
    name_context(io, "iohandler's notifier");
    explore_name(io, sizeof(*io), "iohandler");
    make_objects();
    /* What the set-up has left to do is done. */
    for (int i = 0; i < 3; i++) {
        main_loop_wait(true);
    }
}

void parts_init_iothread(void)
{
    /* the main thread makes its own long before there is an iothread */
    qemu_init_main_loop(&error_fatal);
    iohandler_get_aio_context();
    ctx = aio_context_new(&error_fatal);
    name_context(ctx, "ctx->notifier");
    make_objects();
}

/* ---- threads ---------------------------------------------------------------- */

static void main_loop_entry(void *opaque)
{
    explore_bql_is_mine();
    for (;;) {
        main_loop_wait(false);
    }
}

void part_main_thread(void (*entry)(void *))
{
    main_id = explore_thread("main", entry, NULL);
    explore_bql_give_to(main_id);
}

void part_main_loop(void)
{
    part_main_thread(main_loop_entry);
}

void wait_in_aio_poll(void)
{
    explore_note("begins an operation, waits for it in aio_poll()");
    qatomic_set(&op_started, 1);
    while (!op_done) {
        aio_poll(ctx, true);
    }
}

static void waiter_entry(void *opaque)
{
    explore_bql_lock();
    wait_in_aio_poll();
    explore_note("returns to the guest");
    explore_bql_unlock();
}

void part_waiter(void)
{
    explore_thread("vcpu", waiter_entry, NULL);
}

static void completer_entry(void *opaque)
{
    explore_wait_for(&op_started);
    qemu_bh_schedule(op_bh);
}

void part_completer(void)
{
    explore_thread("worker", completer_entry, NULL);
}

static void notifier_entry(void *opaque)
{
    publishers[explore_self()]();
    qatomic_set(&work_published, 1);
}

void part_notifier(const char *name, void (*publish)(void))
{
    publishers[explore_thread(name, notifier_entry, NULL)] = publish;
}

/* ---- claims ------------------------------------------------------------------- */

const char *check_waiters(void)
{
    for (int i = 0; i < explore_thread_count(); i++) {
        if (i != main_id && !explore_has_ended(i)) {
            return "a thread waits forever for what has happened";
        }
    }
    return NULL;
}

const char *check_work(void)
{
    const char *claim = check_waiters();

    if (!claim && work_published && !work_ran) {
        claim = main_id < 0 ? "work is pending, and nobody will run it" :
                "the main loop sleeps, and work is pending";
    }
    return claim;
}

/* ---- handlers ------------------------------------------------------------------- */

#ifdef API_IS_EXTERNAL
#define EXTERNAL false,
#else
#define EXTERNAL
#endif
#ifdef API_POLL_READY
#define READY NULL,
#else
#define READY
#endif

void parts_set_handler(int fd, IOHandler *handler)
{
    aio_set_fd_handler(ctx, fd, EXTERNAL handler, NULL, NULL, READY NULL);
}
