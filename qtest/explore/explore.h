/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What scenarios and the world may ask of the explorer's runtime.
 *
 * A scenario is one C file with one ExploreScenario called explore_scenario.
 * Its threads are fibers: exactly one runs at a time, and another one may go on
 * only at a scheduling point, see README.md.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pollfd;

typedef struct ExploreScenario {
    /* makes the objects and the threads; no other thread runs meanwhile */
    void (*set_up)(void);
    /*
     * Called where every thread has ended or sleeps and no timeout is left:
     * NULL if that is right, or what was lost.  Must not change anything.
     */
    const char *(*check)(void);
} ExploreScenario;

extern const ExploreScenario explore_scenario;

/* ---- threads ----------------------------------------------------------- */

enum { EXPLORE_MAX_THREADS = 6 };

/* Returns the thread's number, from 0.  Only in set_up(). */
int explore_thread(const char *name, void (*entry)(void *), void *opaque);

/* The number of the thread that runs, -1 in set_up() and check(). */
int explore_self(void);

int explore_thread_count(void);

/* For check(). */
bool explore_has_ended(int thread);

/*
 * Blocks until *flag is not 0.  It stands for a reason outside the scenario
 * (a request is issued, a guest comes to it): it orders memory as a lock does.
 */
void explore_wait_for(const int *flag);

/* ---- for people -------------------------------------------------------- */

/* How [address, address + size) is called in traces; the smallest range wins. */
void explore_name(const void *address, size_t size, const char *name);
void explore_name_fd(int fd, const char *name);

/* A line of the trace that says what the thread is about to do. */
void explore_note(const char *text);

/* Ends this path: the scenario's claim does not hold.  Does not return. */
void explore_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

/* ---- what the world is made of ----------------------------------------- */

/* The world's memory is part of the state; it comes zeroed. */
void *explore_alloc(size_t size);
void explore_free(void *memory);
size_t explore_size(const void *memory);

/* The number of a thread plus 1 owns a lock, 0: it is free. */
void explore_lock(int *owner, void *pc);
bool explore_trylock(int *owner, void *pc);
void explore_unlock(int *owner, void *pc);
/* Only in set_up(): the thread starts as the owner. */
void explore_own(int *owner, int thread);

/* Event notifiers: an eventfd's counter as far as poll() tells it. */
int explore_eventfd(void);
void explore_eventfd_write(int fd, void *pc);
/* Returns whether it was set. */
bool explore_eventfd_read(int fd, void *pc);

/* timeout_ns: -1 forever.  Returns how many are ready, with their revents. */
int explore_poll(struct pollfd *fds, unsigned n, int64_t timeout_ns, void *pc);

/* Returns false if *word is not value. */
bool explore_futex_wait(int *word, int value, void *pc);
int explore_futex_wake(int *word, int count, void *pc);

/* ns; it moves only when all threads are blocked. */
int64_t explore_now(void);

/* ---- the BQL, under whatever name the tree has for it ------------------- */

void explore_bql_lock(void);
void explore_bql_unlock(void);
/* Only in set_up(); the thread's entry then calls explore_bql_is_mine(). */
void explore_bql_give_to(int thread);
void explore_bql_is_mine(void);

#endif
