/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A schedule: which thread waits at which point for which other point.
 *
 * A schedule is data (a *.schedule file, see README.md in this folder).  It
 * names roles (who), points (what a thread is about to do or has just done),
 * holds (who waits at which point until what has been reached) and signals
 * (what the process is sent where).  Nothing about a scenario is compiled in.
 */
#ifndef AIO_WAKEUP_SCHEDULE_H
#define AIO_WAKEUP_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A point is a step that a thread reaches through libc.  The first group can
 * be held at; the second group are states that others can wait for.
 */
typedef enum Point {
    POINT_BEFORE_POLL,    /* about to poll, whatever the timeout */
    POINT_BEFORE_SLEEP,   /* about to poll for SCHEDULE_SLEEP_MS or longer */
    POINT_AFTER_POLL,     /* poll has returned */
    POINT_BEFORE_CLEAR,   /* about to read an event notifier */
    POINT_AFTER_CLEAR,    /* has read it */
    POINT_BEFORE_WRITE,   /* about to write an event notifier */
    POINT_AFTER_WRITE,    /* has written it */
    POINT_BEFORE_IO,      /* about to read, write or flush an image */
    POINT_AFTER_IO,       /* has done so */
    POINT_BEFORE_BQL,     /* about to take the BQL */
    POINT_AT_MARK,        /* the guest writes this mark; held at once */
    POINT_MARK,           /* the same; held once the BQL is free */
    POINT_DONE,           /* after I/O: notifier written or else idle */
    POINT_IDLE,           /* waits on a condition variable or semaphore */
    POINT_ASLEEP,         /* the kernel has put it to sleep in a poll */
    POINT__MAX
} Point;

/* A poll that may last this long counts as a sleep, in milliseconds. */
#define SCHEDULE_SLEEP_MS 1000

#define SCHEDULE_MAX_ROLES 16
#define SCHEDULE_MAX_REFS  64
#define SCHEDULE_MAX_RULES 24
#define SCHEDULE_MAX_ALT   4
#define SCHEDULE_NAME      32

typedef enum RoleKind {
    ROLE_MAIN_THREAD,       /* the thread whose tid is the pid */
    ROLE_MARKS,             /* the thread that wrote one of these marks */
    ROLE_READS,             /* a thread that reads an image of this name */
    ROLE_WRITES,            /* a thread that writes an image of this name */
    ROLE_SYNCS,             /* a thread that flushes an image of this name */
    ROLE_NAMED,             /* a thread of this name that polls */
    ROLE_TEMPORARY_WAITER,  /* not the main thread; polls holding the BQL */
} RoleKind;

typedef struct Role {
    char name[SCHEDULE_NAME];
    RoleKind kind;
    char arg[64];           /* marks; pattern of an image or a thread's name */
} Role;

/* "ROLE POINT [after ROLE POINT]"; reached: since the round began */
typedef struct PointRef {
    int role;
    Point point;
    char mark;              /* POINT_MARK and POINT_AT_MARK only */
    int after;              /* index of another PointRef, or -1 */
    bool reached;
} PointRef;

/* "hold REF [or REF] until REF [or REF]"; one line of a schedule file */
typedef struct Rule {
    char text[160];
    int at[SCHEDULE_MAX_ALT];
    int n_at;
    int until[SCHEDULE_MAX_ALT];
    int n_until;
    bool optional;          /* "may hold": a round is met without it as well */
    bool met;               /* in this round: held, and released by "until" */
} Rule;

/* "signal NAME at REF": the process gets it there, once a round */
typedef struct SignalRule {
    int number;
    char name[8];
    int at;
    bool sent;              /* in this round */
} SignalRule;

typedef struct Schedule {
    char name[SCHEDULE_NAME];
    int bound_ms;
    Role roles[SCHEDULE_MAX_ROLES];
    int n_roles;
    PointRef refs[SCHEDULE_MAX_REFS];
    int n_refs;
    Rule rules[SCHEDULE_MAX_RULES];
    int n_rules;
    SignalRule signals[SCHEDULE_MAX_ALT];
    int n_signals;
    int round_begin;        /* index of a PointRef, or -1 */
    int round_end;
    int evidence;           /* take the evidence of a loss here, or -1 */
    int quiet_begin;        /* count the main loop's polls from here, or -1 */
    int quiet_end;
} Schedule;

/*
 * schedule_load: read a schedule file.
 * @path: the file
 * @s: filled in; contents undefined after an error
 * @err, @err_size: one line that says what is wrong, with file and line
 *
 * Returns: true, or false with @err set.
 */
bool schedule_load(const char *path, Schedule *s, char *err, size_t err_size);

const char *schedule_point_name(Point point);

#endif
