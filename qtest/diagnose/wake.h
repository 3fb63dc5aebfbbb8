/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AIO_WAKEUP_WAKE_H
#define AIO_WAKEUP_WAKE_H

#include "judge.h"

/*
 * wake: wake the main loop that @d found asleep with work pending; sets
 * @d->woken to what was done and @d->freed to whether it helped.
 */
void wake(Diagnosis *d);

#endif
