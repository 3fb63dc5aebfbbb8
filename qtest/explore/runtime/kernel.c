/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What threads meet in the kernel: eventfds, poll, futexes, the clock; and locks,
 * which stand for mutexes that sleep.  All of them are full barriers.  Nothing
 * here is fair, and nothing fails: no EINTR, no spurious wakeup.
 */
#include <poll.h>
#include <string.h>

#include "runtime.h"

/* ---- locks --------------------------------------------------------------- */

static uint32_t lock_bit(void *lock)
{
    for (int i = 0; i < W->n_locks; i++) {
        if (W->lock[i] == lock) {
            return 1u << i;
        }
    }
    if (W->n_locks == MAX_LOCKS) {
        explore_fail("more than %d locks", MAX_LOCKS);
    }
    W->lock[W->n_locks] = lock;
    return 1u << W->n_locks++;
}

static void take(int *owner, void *pc)
{
    *owner = current + 1;
    W->fiber[current].locks |= lock_bit(owner);
    trace(current, OP_LOCK, (uint64_t)owner, 4, 0, 0, pc, NULL);
}

void explore_lock(int *owner, void *pc)
{
    if (current < 0) {
        return;
    }
    if (*owner == current + 1) {
        explore_fail("takes a lock that it holds");
    }
    synchronise(OP_LOCK, (uint64_t)owner, 4, 0, pc);
    take(owner, pc);
}

bool explore_trylock(int *owner, void *pc)
{
    if (current < 0) {
        return true;
    }
    synchronise(OP_RMW, (uint64_t)owner, 4, 0, pc);
    if (*owner) {
        return false;
    }
    take(owner, pc);
    return true;
}

void explore_unlock(int *owner, void *pc)
{
    if (current < 0) {
        return;
    }
    if (*owner != current + 1) {
        explore_fail("releases a lock that it does not hold");
    }
    store_settle();
    if (W->fiber[current].n_stores) {
        synchronise(OP_UNLOCK, (uint64_t)owner, 4, 0, pc);
    }
    *owner = 0;
    W->fiber[current].locks &= ~lock_bit(owner);
    trace(current, OP_UNLOCK, (uint64_t)owner, 4, 0, 0, pc, NULL);
}

void explore_own(int *owner, int thread)
{
    *owner = thread + 1;
    W->fiber[thread].locks |= lock_bit(owner);
}

/* ---- eventfds -------------------------------------------------------------- */

int explore_eventfd(void)
{
    if (W->n_eventfds == MAX_EVENTFDS) {
        explore_fail("more than %d eventfds", MAX_EVENTFDS);
    }
    return FIRST_EVENTFD + W->n_eventfds++;
}

static uint8_t *eventfd_at(int fd)
{
    if (fd < FIRST_EVENTFD || fd >= FIRST_EVENTFD + W->n_eventfds) {
        explore_fail("file descriptor %d is no eventfd of this world", fd);
    }
    return &W->eventfd[fd - FIRST_EVENTFD];
}

void explore_eventfd_write(int fd, void *pc)
{
    uint8_t *set = eventfd_at(fd);

    if (current >= 0) {
        synchronise(OP_EVENTFD_WRITE, fd, 0, 0, pc);
        trace(current, OP_EVENTFD_WRITE, fd, 0, *set, 1, pc, NULL);
        reach_note(REACH_WRITES, current, fd);
    }
    *set = 1;
}

bool explore_eventfd_read(int fd, void *pc)
{
    uint8_t *set = eventfd_at(fd);
    bool was_set;

    if (current >= 0) {
        synchronise(OP_EVENTFD_READ, fd, 0, 0, pc);
        trace(current, OP_EVENTFD_READ, fd, 0, *set, 0, pc, NULL);
        if (*set) {
            reach_note(REACH_CLEARS, current, fd);
        }
    }
    was_set = *set;
    *set = 0;
    return was_set;
}

/* ---- poll ---------------------------------------------------------------------- */

static bool is_ready(const struct pollfd *fd)
{
    return (fd->events & POLLIN) && fd->fd >= FIRST_EVENTFD &&
           W->eventfd[fd->fd - FIRST_EVENTFD];
}

static bool any_ready(const struct pollfd *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (is_ready(&fds[i])) {
            return true;
        }
    }
    return false;
}

int explore_poll(struct pollfd *fds, unsigned n, int64_t timeout_ns, void *pc)
{
    int count = 0;

    if (current >= 0) {
        Fiber *fiber = &W->fiber[current];

        fiber->timeout = timeout_ns;
        fiber->deadline = timeout_ns > 0 ? W->now + timeout_ns : 0;
        trace(current, OP_POLL, (uint64_t)fds, n, 0, timeout_ns, pc, NULL);
        synchronise(OP_POLL, (uint64_t)fds, n, timeout_ns, pc);
        fiber->timeout = fiber->deadline = 0;
    }
    for (unsigned i = 0; i < n; i++) {
        fds[i].revents = is_ready(&fds[i]) ? POLLIN : 0;
        count += fds[i].revents != 0;
    }
    if (current >= 0) {
        trace(current, OP_POLL_RETURNS, 0, 0, 0, count, pc, NULL);
    }
    return count;
}

/* ---- futexes ---------------------------------------------------------------------- */

bool explore_futex_wait(int *word, int value, void *pc)
{
    /* The kernel compares and queues in one step. */
    synchronise(OP_LOAD, (uint64_t)word, 4, 0, pc);
    trace(current, OP_FUTEX_WAIT, (uint64_t)word, 4, *word, value, pc, NULL);
    if (*word != value) {
        return false;
    }
    W->fiber[current].woken = 0;
    synchronise(OP_FUTEX_WAIT, (uint64_t)word, 4, value, pc);
    return true;
}

/* Who of several is woken is not chosen: the thread with the lowest number. */
int explore_futex_wake(int *word, int count, void *pc)
{
    int woken = 0;

    if (current < 0) {
        return 0;
    }
    synchronise(OP_FUTEX_WAKE, (uint64_t)word, 4, count, pc);
    for (int i = 0; i < W->n_fibers && woken < count; i++) {
        Fiber *fiber = &W->fiber[i];

        if (!fiber->ended && fiber->op.kind == OP_FUTEX_WAIT &&
            fiber->op.address == (uint64_t)word && !fiber->woken) {
            fiber->woken = 1;
            woken++;
        }
    }
    trace(current, OP_FUTEX_WAKE, (uint64_t)word, 4, 0, woken, pc, NULL);
    return woken;
}

/* ---- waiting ----------------------------------------------------------------------- */

void explore_wait_for(const int *flag)
{
    synchronise(OP_WAIT_FOR, (uint64_t)flag, 4, 0, __builtin_return_address(0));
}

bool fiber_can_run(int thread)
{
    const Fiber *fiber = &W->fiber[thread];
    const Op *op = &fiber->op;

    if (fiber->ended) {
        return false;
    }
    switch (op->kind) {
    case OP_LOCK:
        return *(int *)op->address == 0;
    case OP_POLL:
        if (fiber->timeout == 0 ||
            any_ready((struct pollfd *)op->address, op->size) ||
            (fiber->deadline && fiber->deadline <= W->now)) {
            return true;
        }
        reach_note(REACH_SLEEPS, thread, 0);
        return false;
    case OP_FUTEX_WAIT:
        return fiber->woken;
    case OP_WAIT_FOR:
        return *(int *)op->address != 0;
    default:
        return true;
    }
}

/* ---- the clock ------------------------------------------------------------------------ */

int64_t explore_now(void)
{
    return W->now;
}

bool clock_advance(void)
{
    int64_t next = 0;

    for (int i = 0; i < W->n_fibers; i++) {
        const Fiber *fiber = &W->fiber[i];

        if (!fiber->ended && fiber->op.kind == OP_POLL && fiber->deadline &&
            (!next || fiber->deadline < next)) {
            next = fiber->deadline;
        }
    }
    if (!next) {
        return false;
    }
    W->now = next;
    trace(-1, OP_TIME, 0, 0, 0, next, NULL, NULL);
    return true;
}
