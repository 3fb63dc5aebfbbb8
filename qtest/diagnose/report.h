/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints a diagnosis, for people and for programs. */
#ifndef AIO_WAKEUP_DIAGNOSE_REPORT_H
#define AIO_WAKEUP_DIAGNOSE_REPORT_H

#include "judge.h"

/* @what: "PID 123" or a file name */
void report_text(const Diagnosis *d, const char *what);
void report_json(const Diagnosis *d, const char *what);

/* What that prints, to be freed */
char *report_to_json(const Diagnosis *d, const char *what);

#endif
