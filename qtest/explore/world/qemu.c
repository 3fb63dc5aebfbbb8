/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of QEMU around its event loop that a scenario cannot do without:
 * clocks without icount or record/replay, no signals, no epoll, no io_uring.
 * What is not here and is called all the same ends the exploration, see
 * link.sh.
 */
#include <stddef.h>

#include "../explore.h"

/* ---- clocks --------------------------------------------------------------------- */

int use_rt_clock = 1;
int use_icount;
int replay_mode;

int64_t cpu_get_clock(void);
int64_t cpu_get_clock(void)
{
    return explore_now();
}

int64_t cpus_get_virtual_clock(void);
int64_t cpus_get_virtual_clock(void)
{
    return explore_now();
}

void qemu_notify_event(void);

/* softmmu/cpu-timers.c, later system/cpu-timers.c */
void qemu_timer_notify_cb(void *opaque, int type);
void qemu_timer_notify_cb(void *opaque, int type)
{
    qemu_notify_event();
}

void icount_start_warp_timer(void);
void icount_start_warp_timer(void)
{
}

void icount_notify_exit(void);
void icount_notify_exit(void)
{
}

void replay_mutex_lock(void);
void replay_mutex_lock(void)
{
}

void replay_mutex_unlock(void);
void replay_mutex_unlock(void)
{
}

/* Set, reset and not waited for: it says that no timer callback runs. */
void qemu_event_init(void *event, bool init);
void qemu_event_init(void *event, bool init)
{
}

void qemu_event_set(void *event);
void qemu_event_set(void *event)
{
}

void qemu_event_reset(void *event);
void qemu_event_reset(void *event)
{
}

/* ---- the main loop's surroundings ------------------------------------------------- */

int qemu_signalfd(const void *mask);
int qemu_signalfd(const void *mask)
{
    return explore_eventfd();
}

int g_unix_set_fd_nonblocking(int fd, int nonblock, void *error);
int g_unix_set_fd_nonblocking(int fd, int nonblock, void *error)
{
    return 1;
}

int fcntl_setfl(int fd, int flag);
int fcntl_setfl(int fd, int flag)
{
    return 0;
}

int qemu_set_blocking(int fd, bool block, void *errp);
int qemu_set_blocking(int fd, bool block, void *errp)
{
    return 1;
}

void notifier_list_add(void *list, void *notifier);
void notifier_list_add(void *list, void *notifier)
{
}

/* slirp and icount would be told of each iteration */
void notifier_list_notify(void *list, void *data);
void notifier_list_notify(void *list, void *data)
{
}

void register_module_init(void (*init)(void), int type);
void register_module_init(void (*init)(void), int type)
{
}

void register_aiocontext(void *ctx);
void register_aiocontext(void *ctx)
{
}

bool qemu_in_coroutine(void);
bool qemu_in_coroutine(void)
{
    return false;
}

/* pollfds[] of fdmon-poll.c would be freed */
void qemu_thread_atexit_add(void *notifier);
void qemu_thread_atexit_add(void *notifier)
{
}

/* ---- file descriptor monitors other than poll ----------------------------------------- */

void fdmon_epoll_setup(void *ctx);
void fdmon_epoll_setup(void *ctx)
{
}

bool fdmon_epoll_try_upgrade(void *ctx, unsigned int n_fds);
bool fdmon_epoll_try_upgrade(void *ctx, unsigned int n_fds)
{
    return false;
}

void fdmon_epoll_disable(void *ctx);
void fdmon_epoll_disable(void *ctx)
{
}

void fdmon_io_uring_destroy(void *ctx);
void fdmon_io_uring_destroy(void *ctx)
{
}

bool fdmon_io_uring_setup(void *ctx, void *errp);
bool fdmon_io_uring_setup(void *ctx, void *errp)
{
    return false;
}

/* ... and says why not */
void error_free(void *error);
void error_free(void *error)
{
}

/* at the end of a function with ERRP_GUARD() */
void error_propagate(void **to, void *error);
void error_propagate(void **to, void *error)
{
    if (error) {
        explore_fail("fails with an Error");
    }
}

/* ---- variables that are only compared ---------------------------------------------------- */

int qemu_loglevel;
int trace_events_enabled_count;
bool message_with_timestamp;
void *error_abort, *error_fatal, *error_warn;

/* up to 6.2 thread-local, and used in polling mode only, which is off */
__thread char rcu_reader[64];

/* ---- whose context it is: iothread.c, up to 6.0 ------------------------------------------ */

static __thread void *own_context;

void *qemu_get_aio_context(void);

void *qemu_get_current_aio_context(void);
void *qemu_get_current_aio_context(void)
{
    return own_context ? own_context : qemu_get_aio_context();
}

void qemu_set_current_aio_context(void *ctx);
void qemu_set_current_aio_context(void *ctx)
{
    own_context = ctx;
}
