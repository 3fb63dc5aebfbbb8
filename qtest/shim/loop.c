/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rule: whoever takes the main loop's wakeup gives it back, by
 * g_main_context_wakeup(), whose eventfd no aio_poll() can clear.
 *
 * The main loop is in one of three places, and what it owes differs:
 *
 *   ARMED     from prepare to check.  It has looked at what is pending, and
 *             sleeps, or is about to.  This is when bit 0 of notify_me is
 *             set: what another thread takes now must be given back.
 *   DISPATCH  from a successful check to the end of dispatch.  Whatever is
 *             taken now, it looks at everything again before it sleeps, the
 *             requests in main_loop_should_exit() included: nothing is owed.
 *   BETWEEN   from there to the next prepare.  main_loop_should_exit() may
 *             have looked at the requests already: if anybody polls the main
 *             context now, the main thread itself included, it must go round
 *             once more, for a request whose only carrier was eaten.
 *
 * Without a lock, because in QEMU before 6.1 a waiter may not hold the BQL: the
 * waiter clears the notifier, then reads the place; the main loop stores the
 * place, then looks at what is pending.  If the waiter misses ARMED, the main
 * loop sees what was published before the notifier was written.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "glib-calls.h"
#include "loop.h"
#include "mutant.h"
#include "note.h"
#include "polled.h"
#include "real.h"
#include "ring.h"

#define EARLIER_NS 1000000

typedef enum Place {
    NOT_STARTED,
    ARMED,
    DISPATCH,
    BETWEEN,
} Place;

bool shim_active;

static _Atomic Place place;
static _Atomic uint64_t looks = 1;  /* of the main loop, at what is pending */
static _Atomic bool given;          /* since the last check */
static _Atomic bool in_poll;

static __thread bool is_main;
static __thread uint64_t gave_at;   /* value of looks */

/* of the main thread only */
static int wakeup_fd = -2;          /* glib's eventfd; -1: not known */
static int64_t wakes_up_at;         /* CLOCK_MONOTONIC, ns */
static bool woken_without_work;

bool loop_is_main(void)
{
    return is_main;
}

static void give_back(void)
{
    uint64_t look = atomic_load(&looks);
    int saved = errno;

    if (gave_at == look) {
        return;     /* what we have written then, nobody has taken yet */
    }
    gave_at = look;
    atomic_store_explicit(&given, true, memory_order_relaxed);
    REAL(g_main_context_wakeup)(NULL);
    note_count(&note->wakeups);
    errno = saved;
}

void loop_give_back(uint64_t *number)
{
    Place where;

    atomic_thread_fence(memory_order_seq_cst);
    where = atomic_load(&place);
    if (where == BETWEEN || (where == ARMED && !is_main)) {
        note_count(number);
        if (!MUTANT(ONLY_IN_POLL) || atomic_load(&in_poll)) {
            give_back();
        }
    }
}

/* Which of @fds does g_main_context_wakeup() make ready?  -1: cannot tell */
static int find_wakeup_fd(const struct pollfd *fds, int n)
{
    struct pollfd *before = malloc(2 * n * sizeof(*fds));
    struct pollfd *after = before + n;
    const struct timespec none = { 0 };
    int fd = -1;

    if (!before) {
        return -1;
    }
    memcpy(before, fds, n * sizeof(*fds));
    memcpy(after, fds, n * sizeof(*fds));
    syscall(SYS_ppoll, before, n, &none, NULL, 0);
    REAL(g_main_context_wakeup)(NULL);
    syscall(SYS_ppoll, after, n, &none, NULL, 0);
    for (int i = 0; i < n; i++) {
        if (after[i].revents && !before[i].revents) {
            fd = fd == -1 ? after[i].fd : -3;
        }
    }
    free(before);
    return fd < 0 ? -1 : fd;
}

void loop_prepare(void)
{
    is_main = true;
    atomic_store(&place, ARMED);
    atomic_fetch_add(&looks, 1);
    __atomic_store_n(&note->iterations, note->iterations + 1,
                     __ATOMIC_RELAXED);
}

void loop_queried(const struct pollfd *fds, int n)
{
    polled_set(fds, n);
    if (wakeup_fd == -2) {
        wakeup_fd = find_wakeup_fd(fds, n);
        if (ring_find(fds, n)) {
            note->blind = 1;
            note_say("the main loop polls an io_uring that cannot be followed:"
                     " liburing is linked into this program");
        }
    }
}

/* For the note: was it us alone who woke the main loop, and was that of use? */
static void count_iteration(const struct pollfd *fds, int n, bool ready)
{
    bool woken = false;

    for (int i = 0; i < n; i++) {
        if (fds[i].revents && fds[i].fd != wakeup_fd) {
            return;
        }
        woken |= fds[i].revents != 0;
    }
    if (woken) {
        note_count(&note->alone);
        if (ready) {
            note_count(&note->work);
        } else {
            woken_without_work = true;
        }
    }
}

void loop_checked(const struct pollfd *fds, int n, bool ready)
{
    if (atomic_exchange_explicit(&given, false, memory_order_relaxed)) {
        count_iteration(fds, n, ready);
    }
    atomic_store(&place, ready ? DISPATCH : BETWEEN);
    atomic_fetch_add(&looks, 1);
}

void loop_dispatched(void)
{
    atomic_store(&place, BETWEEN);
}

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

void loop_main_polls(const struct timespec *timeout)
{
    int64_t until = INT64_MAX;

    if (atomic_load_explicit(&place, memory_order_relaxed) != ARMED) {
        if (!MUTANT(NOT_NESTED)) {
            loop_give_back(&note->nested);
        }
        return;
    }
    if (timeout && timeout->tv_sec < INT64_MAX / 1000000000 / 2) {
        until = now_ns() + timeout->tv_sec * 1000000000LL + timeout->tv_nsec;
    }
    if (woken_without_work && until < wakes_up_at - EARLIER_NS) {
        note_count(&note->earlier);
    }
    woken_without_work = false;
    wakes_up_at = until;
    atomic_store_explicit(&in_poll, true, memory_order_relaxed);
}

void loop_main_polled(void)
{
    atomic_store_explicit(&in_poll, false, memory_order_relaxed);
}
