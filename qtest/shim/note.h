/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the shim has done, for people who look at the process from outside: a
 * page that /proc/PID/maps lists as /memfd:aio-wakeup-shim.  Numbers only
 * grow.  The layout does not change; a newer one has another version.
 */
#ifndef AIO_WAKEUP_SHIM_NOTE_H
#define AIO_WAKEUP_SHIM_NOTE_H

#include <stdint.h>

#define NOTE_NAME "aio-wakeup-shim"
#define NOTE_MAGIC "AIOSHIM1"

typedef struct Note {
    char magic[8];
    uint64_t iterations;        /* of the main loop */
    uint64_t taken;             /* by other threads, of an event notifier */
    uint64_t ring;              /* by other threads, of the main loop's ring */
    uint64_t nested;            /* polls of the main thread outside its loop */
    uint64_t wakeups;           /* given back to the main loop */
    uint64_t alone;             /* iterations that nothing else began */
    uint64_t work;              /* of these: something was ready to run */
    uint64_t earlier;           /* of these: the next sleep ends earlier */
    uint64_t blind;             /* 1: a ring that the shim cannot follow */
} Note;

/* Never NULL; a page of our own if there is no memfd. */
extern Note *note;

void note_open(void);

/* One more; by any thread. */
static inline void note_count(uint64_t *number)
{
    __atomic_fetch_add(number, 1, __ATOMIC_RELAXED);
}

/* One line on stderr, if the user has asked for it */
void note_say(const char *text);
void note_be_verbose(void);

#endif
