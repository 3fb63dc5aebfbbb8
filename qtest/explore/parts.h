/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What most scenarios are made of: the main loop in the real main_loop_wait(), a
 * temporary waiter in the real aio_poll(), an operation that it waits for, and
 * work that somebody publishes meanwhile.
 */
#ifndef PARTS_H
#define PARTS_H

#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#ifdef API_QEMU_AIO_H
#include "qemu/aio.h"
#include "qemu/aio-wait.h"
#else
#include "block/aio.h"
#include "block/aio-wait.h"
#endif
#include "qapi/error.h"

#include "explore.h"

extern AioContext *ctx;         /* the main context, or an iothread's */
extern int op_started;          /* the waiter waits for the operation */
extern int op_done;             /* its bottom half ran */
extern int work_published;      /* the notifier's call has returned */
extern int work_ran;
extern QEMUBH *op_bh, *work_bh;
extern QEMUTimer timer;         /* it runs the work, too */

/* To be called in set_up() before anything else: makes all of the above. */
void parts_init(void);
/* The same with a context that no main loop runs. */
void parts_init_iothread(void);

/* ---- threads -------------------------------------------------------------- */

/* The main loop: main_loop_wait() forever.  It starts with the BQL. */
void part_main_loop(void);
/* A main loop of another kind; entry begins with explore_bql_is_mine(). */
void part_main_thread(void (*entry)(void *));
/* A vCPU thread: BQL, an operation, aio_poll() until it is done. */
void part_waiter(void);
/* Completes the waiter's operation once that has begun: schedules op_bh. */
void part_completer(void);
/* Calls publish(), which does not block. */
void part_notifier(const char *name, void (*publish)(void));

void wait_in_aio_poll(void);    /* what the waiter does while it has the BQL */

/* ---- claims ------------------------------------------------------------------ */

/* NULL, or that the waiter or another thread but the main loop waits forever. */
const char *check_waiters(void);
/* The same, and that published work has not run. */
const char *check_work(void);

/* ---- handlers, whatever arguments this tree's function takes ------------------- */

void parts_set_handler(int fd, IOHandler *handler);

#endif
