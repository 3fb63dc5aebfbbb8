/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From two looks to an answer and its reason.
 *
 * Each exit asks first: whose sleep is it, and is the pending work his?
 */
#ifndef AIO_WAKEUP_REASON_H
#define AIO_WAKEUP_REASON_H

#include "judge.h"
#include "look.h"

typedef struct Judge {
    Target *t;
    Finder *finder;
    Nodes *nodes;               /* or NULL, as long as nobody needs them */
    Diagnosis *d;
    Look first;
    Look last;
    int ms;                     /* between the two */
} Judge;

/* Fills in the diagnosis. */
void judge(Judge *j);

void G_GNUC_PRINTF(3, 4) judge_answer(Judge *j, Answer a, const char *fmt,
                                      ...);

/* Has the thread been on a processor in between? */
bool judge_has_run(const Judge *j, const Thread *now);

#endif
