/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cheap looks of a watch: one small file in /proc each */
#ifndef AIO_WAKEUP_PROGRESS_H
#define AIO_WAKEUP_PROGRESS_H

#include <stdbool.h>

#include <glib.h>

/* A number that changes when the main thread of @pid runs */
guint64 progress_of(int pid);

/* By its name; whether it is one is seen when it is diagnosed. */
bool progress_may_be_qemu(int pid);

#endif
