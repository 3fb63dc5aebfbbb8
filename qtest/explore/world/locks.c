/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BQL and QEMU's mutexes, under the names of all trees from 5.2 on.  The types
 * are not QEMU's, whose headers differ: the first int of a mutex is its owner.
 */
#include <string.h>

#include "../explore.h"

#define PC __builtin_return_address(0)

/* sizeof(QemuMutex), of which only the beginning counts */
enum { MUTEX_SIZE = 40 };

static int bql;
static __thread bool bql_is_mine;

static void lock_bql(void *pc)
{
    explore_lock(&bql, pc);
    bql_is_mine = true;
}

static void unlock_bql(void *pc)
{
    bql_is_mine = false;
    explore_unlock(&bql, pc);
}

/* The set-up is in the place of the main thread. */
static bool bql_held(void)
{
    return explore_self() < 0 || bql_is_mine;
}

void explore_bql_lock(void)
{
    lock_bql(PC);
}

void explore_bql_unlock(void)
{
    unlock_bql(PC);
}

void explore_bql_give_to(int thread)
{
    explore_own(&bql, thread);
    explore_name(&bql, sizeof(bql), "the BQL");
}

void explore_bql_is_mine(void)
{
    bql_is_mine = true;
}

/* ---- up to 8.2 ------------------------------------------------------------- */

bool qemu_mutex_iothread_locked(void);
bool qemu_mutex_iothread_locked(void)
{
    return bql_held();
}

void qemu_mutex_lock_iothread_impl(const char *file, int line);
void qemu_mutex_lock_iothread_impl(const char *file, int line)
{
    lock_bql(PC);
}

void qemu_mutex_unlock_iothread(void);
void qemu_mutex_unlock_iothread(void)
{
    unlock_bql(PC);
}

/* ---- from 9.0 on ------------------------------------------------------------ */

bool bql_locked(void);
bool bql_locked(void)
{
    return bql_held();
}

void bql_lock_impl(const char *file, int line);
void bql_lock_impl(const char *file, int line)
{
    lock_bql(PC);
}

void bql_unlock(void);
void bql_unlock(void)
{
    unlock_bql(PC);
}

/* ---- mutexes ------------------------------------------------------------------- */

void qemu_mutex_init(void *mutex);
void qemu_mutex_init(void *mutex)
{
    memset(mutex, 0, MUTEX_SIZE);
}

void qemu_mutex_destroy(void *mutex);
void qemu_mutex_destroy(void *mutex)
{
}

void qemu_mutex_lock_impl(void *mutex, const char *file, int line);
void qemu_mutex_lock_impl(void *mutex, const char *file, int line)
{
    explore_lock(mutex, PC);
}

int qemu_mutex_trylock_impl(void *mutex, const char *file, int line);
int qemu_mutex_trylock_impl(void *mutex, const char *file, int line)
{
    return explore_trylock(mutex, PC) ? 0 : -1;
}

void qemu_mutex_unlock_impl(void *mutex, const char *file, int line);
void qemu_mutex_unlock_impl(void *mutex, const char *file, int line)
{
    explore_unlock(mutex, PC);
}

/* Contexts have one, nobody here takes it. */
void qemu_rec_mutex_init(void *mutex);
void qemu_rec_mutex_init(void *mutex)
{
}

void qemu_rec_mutex_destroy(void *mutex);
void qemu_rec_mutex_destroy(void *mutex)
{
}

void (*qemu_mutex_lock_func)(void *, const char *, int) = qemu_mutex_lock_impl;
int (*qemu_mutex_trylock_func)(void *, const char *, int) =
    qemu_mutex_trylock_impl;
