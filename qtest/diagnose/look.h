/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One look at a QEMU: its threads, its contexts, what is pending, and whose
 * sleep its main thread sleeps.
 */
#ifndef AIO_WAKEUP_LOOK_H
#define AIO_WAKEUP_LOOK_H

#include <glib.h>

#include "context.h"
#include "nodes.h"
#include "target.h"
#include "threads.h"

/*
 * Whose sleep is it?  Only the main loop arms bit 0 of notify_me, before its
 * poll, and only it clears the bit, after: with the bit clear the main thread
 * sleeps elsewhere.  The main loop's poll watches descriptors that are not of
 * the context (glib's own wakeup at least); an aio_poll() watches the
 * context's handlers and nothing else.
 */
typedef enum Sleeper {
    SLEEPER_NONE,           /* the thread is not asleep in a poll */
    SLEEPER_MAIN_LOOP,
    SLEEPER_AIO_POLL,       /* of the main loop's context */
    SLEEPER_ELSEWHERE,      /* in a poll of a library or of another context */
} Sleeper;

/* Who does it */
typedef enum Owner {
    OWNER_CONTEXT = 1,      /* whoever polls the context */
    OWNER_MAIN_LOOP = 2,    /* nobody but the main loop */
} Owner;

typedef struct Work {
    char *key;              /* says whether two are the same */
    char *text;             /* for people */
    Owner owner;
} Work;

typedef struct Look {
    GArray *threads;        /* Thread */
    Context *main;
    Context *iohandler;     /* or NULL */
    GArray *work;           /* Work */
    GArray *requests;       /* Request, or NULL: not looked for */
    char *timers;           /* for people */
    int unjudged;           /* timers on clocks that cannot be read */
    Sleeper sleeper;        /* of the main thread */
} Look;

/*
 * look_once: look.
 * @nodes: to look for requests on, or NULL
 */
void look_once(Look *look, Target *t, Finder *finder, Nodes *nodes);
void look_clear(Look *look);

/* Is there any work at all, whoever owes it?  Some 50 system calls */
bool look_any_work(Target *t, Finder *finder);

/* What work may @sleeper be blamed for?  Owners, or'ed */
unsigned sleeper_owes(Sleeper sleeper);

/* Whose sleep does the thread sleep that does @activity? */
Sleeper sleeper_of(Target *t, const Context *main, const Activity *activity,
                   bool is_main);

/* The same thread or work in @look, or NULL */
const Thread *look_find_thread(const Look *look, int tid);
bool look_has_work(const Look *look, const char *key);
bool look_has_request(const Look *look, const char *key);

#endif
