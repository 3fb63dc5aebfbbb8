/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hold the main loop between its query and its poll; see the header.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "park.h"
#ifdef CONFIG_LINUX
#include <poll.h>
#include <sys/syscall.h>
#endif

AioContext *park_ctx;
void (*park_before_run)(void);

static QemuThread main_loop_thread;
static QemuSemaphore main_loop_parked;
static QemuSemaphore main_loop_go;
static QemuSemaphore main_loop_here;
static QemuSemaphore woken;
static QemuSemaphore waiter_done;
#ifdef API_RING
#ifdef CONFIG_LINUX_IO_URING
static QemuSemaphore never;
#endif
#endif

/* Only used by the main loop thread */
static bool park_main_loop;
static bool any_iteration;

/* The main loop is parked; how many wait for main_loop_here */
static bool is_parked;
static unsigned asked;

static void (*poll_func)(void);
static bool let_go;

/* What the main loop is told, and what became of it */
static bool nobody_left;
static bool was_woken;
static bool lost;
static bool done;

static void park_here(void)
{
    int ret;

    if (!park_main_loop || !qemu_thread_is_self(&main_loop_thread)) {
        return;
    }
    park_main_loop = false;
    qatomic_set(&is_parked, true);
    qemu_sem_post(&main_loop_parked);

    while ((ret = qemu_sem_timedwait(&main_loop_go, PARK_BOUND_MS)) == 0 &&
           qatomic_read(&asked)) {
        qatomic_dec(&asked);
        qemu_sem_post(&main_loop_here);
    }
    qatomic_set(&is_parked, false);
    if (ret < 0) {
        /* Help it out: the other tests shall run */
        g_test_message("the temporary waiter was not woken up in %d ms",
                       PARK_BOUND_MS);
        qatomic_set(&lost, true);
        event_notifier_set(&park_ctx->notifier);
        park_wait(&main_loop_go);
    }
}

/*
 * The BQL: replaces all of the stub that the library has
 */

static QemuMutex bql;
static __thread bool bql_owned;

static void bql_take(void)
{
    g_assert(!bql_owned);
    qemu_mutex_lock(&bql);
    bql_owned = true;
}

static void bql_drop(void)
{
    g_assert(bql_owned);
    bql_owned = false;
    qemu_mutex_unlock(&bql);
    park_here();
}

#ifdef API_BQL_IOTHREAD
bool qemu_mutex_iothread_locked(void)
{
    return bql_owned;
}

void qemu_mutex_lock_iothread_impl(const char *file, int line)
{
    bql_take();
}

void qemu_mutex_unlock_iothread(void)
{
    bql_drop();
}
#else
bool bql_locked(void)
{
    return bql_owned;
}

void bql_lock_impl(const char *file, int line)
{
    bql_take();
}

void bql_unlock(void)
{
    bql_drop();
}
#endif
#ifdef API_BQL_BLOCK

void bql_block_unlock(bool increase)
{
}

void rust_bql_mock_lock(void)
{
}
#endif
#ifdef API_BQL_STATUS

bool mutex_is_bql(QemuMutex *mutex)
{
    return mutex == &bql;
}

void bql_update_status(bool locked)
{
    bql_owned = locked;
}
#endif

#ifdef CONFIG_LINUX
/*
 * System calls of the code under test.  Event notifiers are read into a buffer
 * of 512 bytes, and 8 bytes are written to them.
 */

__thread void (*park_before_write)(void);
__thread void (*park_before_read)(void);
__thread void (*park_before_poll)(void);
__thread void (*park_after_write)(void);
void (*park_before_sleep)(void);

static ParkCalls calls;

ParkCalls park_calls(void)
{
    return (ParkCalls) {
        .writes = qatomic_read(&calls.writes),
        .reads = qatomic_read(&calls.reads),
        .acks = qatomic_read(&calls.acks),
        .polls = qatomic_read(&calls.polls),
    };
}

static void run_once(void (**hook)(void))
{
    void (*func)(void) = *hook;

    if (func) {
        *hook = NULL;
        func();
    }
}

#ifdef API_RING
#ifdef CONFIG_LINUX_IO_URING
/*
 * What a ring polls for a thread completes when this enters or leaves the
 * kernel.  Let the main loop do that where it is parked.
 */
static void settle(void)
{
    if (park_ring && qatomic_read(&is_parked)) {
        qatomic_inc(&asked);
        qemu_sem_post(&main_loop_go);
        park_wait(&main_loop_here);
    }
}
#endif
#endif

ssize_t write(int fd, const void *buf, size_t len)
{
    ssize_t ret;

    if (len == 8) {
        qatomic_inc(&calls.writes);
        run_once(&park_before_write);
    }
    ret = syscall(SYS_write, fd, buf, len);
    if (len == 8) {
#ifdef API_RING
#ifdef CONFIG_LINUX_IO_URING
        settle();
#endif
#endif
        run_once(&park_after_write);
    }
    return ret;
}

ssize_t read(int fd, void *buf, size_t len)
{
    if (len == 512) {
        qatomic_inc(&calls.reads);
        run_once(&park_before_read);
    } else if (len == 8 || len == 16) {
        qatomic_inc(&calls.acks);
    }
    return syscall(SYS_read, fd, buf, len);
}

/* Would the main loop sleep now although it must not, and for how long? */
static int sleep_of_main_loop(struct pollfd *fds, nfds_t n, int timeout)
{
    if (!qemu_thread_is_self(&main_loop_thread) ||
        !qatomic_read(&nobody_left) || qatomic_read(&was_woken) ||
        (timeout >= 0 && timeout < PARK_BOUND_MS)) {
        return timeout;
    }

    /* What a ring polls for this thread completes when it leaves the kernel */
    if (poll(fds, n, 0) > 0 || poll(fds, n, 0) > 0) {
        return timeout;
    }
    if (park_before_sleep) {
        run_once(&park_before_sleep);
        return PARK_BOUND_MS;
    }
    qatomic_set(&lost, true);
    qemu_sem_post(&woken);
    return 0;
}

void park_poll_begins(bool blocks)
{
    qatomic_inc(&calls.polls);
    if (blocks) {
        run_once(&park_before_poll);
    }
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts,
          const sigset_t *mask)
{
    int timeout = -1;

    g_assert_null(mask);
    if (ts) {
        timeout = MIN(ts->tv_sec, INT_MAX / 1000 - 1) * 1000 +
                  DIV_ROUND_UP(ts->tv_nsec, SCALE_MS);
    }
    park_poll_begins(timeout);
    return poll(fds, n, sleep_of_main_loop(fds, n, timeout));
}
#endif

/*
 * Threads
 */

void park_wait(QemuSemaphore *sem)
{
    if (qemu_sem_timedwait(sem, PARK_BOUND_MS) < 0) {
        g_error("a thread of the test was not heard of in %d ms",
                PARK_BOUND_MS);
    }
}

static void *worker_run(void *opaque)
{
    void (**func)(void) = opaque;

    (*func)();
    g_free(func);
    return NULL;
}

void park_start_worker(QemuThread *thread, void (*func)(void))
{
    void (**arg)(void) = g_malloc(sizeof(*arg));

    *arg = func;
    qemu_thread_create(thread, "worker", worker_run, arg,
                       QEMU_THREAD_JOINABLE);
}

void park_join_worker(QemuThread *thread)
{
    qemu_thread_join(thread);
}

void park_in_worker(void (*func)(void))
{
    QemuThread thread;

    park_start_worker(&thread, func);
    park_join_worker(&thread);
}

bool park_in_main_loop(void)
{
    return qemu_thread_is_self(&main_loop_thread);
}

void park_woken(void *opaque)
{
    qatomic_set(&was_woken, true);
    qemu_sem_post(&woken);
}

void park_let_go(void)
{
    let_go = true;
    bql_drop();
#ifdef CONFIG_LINUX
    /* What a ring polls for this thread completes when it leaves the kernel */
    sched_yield();
#endif
    qatomic_set(&nobody_left, true);
    qemu_sem_post(&main_loop_go);
    if (qemu_sem_timedwait(&woken, PARK_BOUND_MS) < 0) {
        qatomic_set(&lost, true);
    }
    qatomic_set(&nobody_left, false);

    /* If nobody else could */
    g_main_context_wakeup(NULL);
    bql_take();
}

static void *temporary_waiter(void *opaque)
{
    park_wait(&main_loop_parked);

    bql_take();
    let_go = false;
    poll_func();
    if (!let_go) {
        park_let_go();
    }
    bql_drop();

    /* Let the main loop end */
    qatomic_set(&done, true);
    g_main_context_wakeup(NULL);

    qemu_sem_post(&waiter_done);
#ifdef API_RING
#ifdef CONFIG_LINUX_IO_URING
    /* What a ring polls for this thread would be canceled */
    if (park_ring) {
        qemu_sem_wait(&never);
    }
#endif
#endif
    return NULL;
}

/* One iteration that does not block; true if poll found something, too */
static bool iterate(void)
{
    GMainContext *context = g_main_context_default();
    g_autofree GPollFD *fds = NULL;
    int priority, timeout, n, size = 0;
    bool busy;

    g_assert(g_main_context_acquire(context));
    g_main_context_prepare(context, &priority);
    while ((n = g_main_context_query(context, priority, &timeout, fds,
                                     size)) > size) {
        size = n;
        fds = g_renew(GPollFD, fds, size);
    }
    busy = g_poll(fds, n, 0) > 0;
    if (g_main_context_check(context, priority, fds, n)) {
        g_main_context_dispatch(context);
        busy = true;
    }
    g_main_context_release(context);
    return busy;
}

unsigned park_flush(void)
{
    unsigned n = 0;

    while (n < PARK_SPIN && iterate()) {
        n++;
    }
    return n;
}

unsigned park_poll(void)
{
    unsigned n = 0;

    while (n < PARK_SPIN && aio_poll(park_ctx, false)) {
        n++;
    }
    return n;
}

#ifdef API_RING
#ifdef CONFIG_LINUX_IO_URING
/* Let this thread poll the notifier, whoever did before */
static void own_notifier(void)
{
    unsigned reads = park_calls().reads;

    event_notifier_set(&park_ctx->notifier);
    while (park_calls().reads == reads) {
        g_main_context_iteration(NULL, true);
    }
}
#endif
#endif

void park_run(void (*poll)(void))
{
    QemuThread waiter;

    poll_func = poll;
    qatomic_set(&lost, false);
    qatomic_set(&done, false);
    qatomic_set(&was_woken, false);
    qatomic_set(&nobody_left, false);

    /* Nothing may be pending, or the main loop would not go to sleep */
#ifdef API_RING
#ifdef CONFIG_LINUX_IO_URING
    if (park_ring) {
        own_notifier();
    }
#endif
#endif
    park_flush();
    if (park_before_run) {
        park_before_run();
        park_before_run = NULL;
    }

    park_main_loop = true;
    qemu_thread_create(&waiter, "waiter", temporary_waiter, NULL,
                       QEMU_THREAD_DETACHED);
    while (!qatomic_read(&done)) {
        main_loop_wait(false);
        if (any_iteration && !qatomic_read(&lost)) {
            any_iteration = false;
            park_woken(NULL);
        }
    }
    park_wait(&waiter_done);
    any_iteration = false;

    if (qatomic_read(&lost)) {
        g_test_message("the main loop was not woken up");
        g_test_fail();
    }

    /* What was lost runs now, as the main loop is awake for another reason */
    park_flush();
    while (qemu_sem_timedwait(&woken, 0) == 0) {
        /* Do nothing */
    }
}

void park_run_any(void (*poll)(void))
{
    any_iteration = true;
    park_run(poll);
}

/*
 * File descriptors
 */

void park_watch(EventNotifier *e, EventNotifierHandler *cb)
{
#ifdef API_IS_EXTERNAL
#ifdef API_POLL_READY
    aio_set_event_notifier(park_ctx, e, false, cb, NULL, NULL);
#else
    aio_set_event_notifier(park_ctx, e, false, cb, NULL);
#endif
#else
    aio_set_event_notifier(park_ctx, e, cb, NULL, NULL);
#endif
}

void park_unwatch(EventNotifier *e)
{
    park_watch(e, NULL);
}

/* Without io_poll, so that aio_poll() always calls poll */
static EventNotifier no_io_poll;

static void no_io_poll_cb(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
}

void park_init(int *argc, char ***argv)
{
    qemu_mutex_init(&bql);
    qemu_sem_init(&main_loop_parked, 0);
    qemu_sem_init(&main_loop_go, 0);
    qemu_sem_init(&main_loop_here, 0);
    qemu_sem_init(&woken, 0);
    qemu_sem_init(&waiter_done, 0);
#ifdef API_RING
#ifdef CONFIG_LINUX_IO_URING
    qemu_sem_init(&never, 0);
    park_ring = park_ring || g_getenv("AIO_WAKEUP_RING");
#endif
#endif
    qemu_thread_get_self(&main_loop_thread);

    bql_take();
    qemu_init_main_loop(&error_fatal);
    park_ctx = qemu_get_aio_context();
#ifdef API_RING
#ifdef CONFIG_LINUX_IO_URING
    if (park_ring && !aio_has_io_uring()) {
        puts("1..0 # SKIP io_uring_setup() is refused here: "
             "see kernel.io_uring_disabled, seccomp of the container");
        exit(EXIT_SUCCESS);
    }
#endif
#endif

    event_notifier_init(&no_io_poll, false);
    park_watch(&no_io_poll, no_io_poll_cb);

    g_test_init(argc, argv, NULL);
    g_test_set_nonfatal_assertions();
}

int park_run_tests(void)
{
    int ret = g_test_run();

    park_unwatch(&no_io_poll);
    event_notifier_cleanup(&no_io_poll);
    bql_drop();
    return ret;
}
