/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hold the main loop between its query and its poll
 *
 * main_loop_wait() drops the BQL exactly between computing what to sleep for
 * and going to sleep.  The BQL of these tests is a real lock, and its unlock
 * function can hold ("park") the main loop there, so that each interleaving is
 * forced and nothing depends on time:
 *
 *   main loop               temporary waiter            worker
 *   prepare, drops BQL
 *   [parked]        ---->   takes the BQL
 *                           poll function       ---->   schedules work
 *                           drops the BQL       <----
 *   [go on]         <----
 *   sleeps, or wakes up
 *
 * On Linux a loss is proven, not waited for: when the main loop is about to
 * sleep, nothing that it polls is ready, and no other thread has anything left
 * to do, it would sleep for ever.  Elsewhere a loss takes PARK_BOUND_MS.
 *
 * A test program calls park_init(), g_test_add_func() and park_run_tests().
 */
#ifndef AIO_PARK_H
#define AIO_PARK_H

#ifdef API_QEMU_AIO_H
#include "qemu/aio.h"
#else
#include "block/aio.h"
#endif
#include "qemu/event_notifier.h"
#include "qemu/main-loop.h"
#include "qemu/thread.h"

#define PARK_BOUND_MS 2500

/* The AioContext of the main loop */
extern AioContext *park_ctx;

/* Set up the main loop and the BQL, which the caller holds from then on */
void park_init(int *argc, char ***argv);

/* Returns: what main() returns */
int park_run_tests(void);

/*
 * Run the main loop; while it is parked, run @poll in a temporary waiter that
 * holds the BQL.  The test fails if the main loop then does not get to run
 * park_woken(), for which @poll must have left some work.
 *
 * When @poll returns no thread may be left that is about to notify the main
 * loop, but see park_before_sleep.
 */
void park_run(void (*poll)(void));

/*
 * Within @poll, from which this returns once only: drop the BQL, let the main
 * loop go on, wait for park_woken(), take the BQL again.  Otherwise this happens
 * when @poll has returned.
 */
void park_let_go(void);

/* The same; any iteration of the main loop counts as park_woken() */
void park_run_any(void (*poll)(void));

/*
 * What the main thread itself does once in the next park_run(), after the main
 * loop has come to rest and before it computes what to sleep for
 */
extern void (*park_before_run)(void);

/* For a bottom half, a timer, a handler: the main loop has been woken up */
void park_woken(void *opaque);

/* Is this the thread of the main loop? */
bool park_in_main_loop(void);

/* Run @func in a thread of its own, and wait until it has ended */
void park_in_worker(void (*func)(void));

/* The same in two steps, to be called by one thread */
void park_start_worker(QemuThread *thread, void (*func)(void));
void park_join_worker(QemuThread *thread);

/* Wait for @sem, which must come within the bound */
void park_wait(QemuSemaphore *sem);

/* Poll @e in the main AioContext; it has no io_poll callback */
void park_watch(EventNotifier *e, EventNotifierHandler *cb);
void park_unwatch(EventNotifier *e);

/*
 * Iterate the main loop's GMainContext until it is quiet: poll would block, and
 * there is nothing to dispatch.
 *
 * Returns: how many iterations that took; PARK_SPIN if it does not come to rest
 */
unsigned park_flush(void);

/* The same with aio_poll(), until it makes no progress */
unsigned park_poll(void);

#define PARK_SPIN 100

#if defined(CONFIG_LINUX) || defined(_WIN32)
#define PARK_HOOKS

/*
 * System calls of all threads so far: writes and reads of event notifiers, and
 * polls.  The writes include those of glib's own eventfds on Linux.
 */
typedef struct {
    unsigned writes;
    unsigned reads;
    unsigned acks; /* on Linux: reads of glib's own eventfds */
    unsigned polls;
} ParkCalls;

ParkCalls park_calls(void);

/*
 * Functions that the calling thread runs once, right before its next write of
 * an event notifier, its next read of one (which clears it), or its next poll
 * that may block.
 */
extern __thread void (*park_before_write)(void);
extern __thread void (*park_before_read)(void);
extern __thread void (*park_before_poll)(void);
#endif

#ifdef API_RING
#ifdef CONFIG_LINUX_IO_URING
#define PARK_RING

/*
 * Use io_uring.  Set before park_init(), by the case or with AIO_WAKEUP_RING in
 * the environment; where the kernel refuses it the program is skipped.
 */
extern bool park_ring;

/* io_uring_enter() of all threads so far */
unsigned park_enters(void);

/* The calling thread has work: its aio_poll() fails the test if it sleeps */
extern __thread bool park_must_not_sleep;
#endif
#endif

/* For who replaces another call that may block */
void park_poll_begins(bool blocks);

#ifdef CONFIG_LINUX
/* The same, right after the next write */
extern __thread void (*park_after_write)(void);

/*
 * What the main loop runs once when it is about to sleep for ever; it must
 * make another thread go on that wakes it up.
 */
extern void (*park_before_sleep)(void);
#endif

#endif
