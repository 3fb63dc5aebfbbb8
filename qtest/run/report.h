/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints what was found, for people and for programs. */
#ifndef AIO_WAKEUP_REPORT_H
#define AIO_WAKEUP_REPORT_H

#include <glib.h>

#include "scenario.h"

typedef struct Report {
    const char *binary;
    const char *version;
    const char *preload;    /* judged together with it, or NULL */
    Verdict verdict;
    const char *reason;     /* of "cannot tell" for all of it, or NULL */
    GPtrArray *results;     /* ScenarioResult */
} Report;

void report_text(const Report *report, bool show_columns);
void report_json(const Report *report);

#endif
