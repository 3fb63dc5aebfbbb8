/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that a bug report about a hung QEMU needs, in one file, before the
 * process is killed.  Nothing of the guest's memory unless a core is asked for,
 * and no secret of the command line.
 */
#ifndef AIO_WAKEUP_CAPTURE_H
#define AIO_WAKEUP_CAPTURE_H

#include "judge.h"

/*
 * capture: write the tar file @path about the process of @d, which has been
 * diagnosed just now; it is diagnosed again for it.
 * @core: a core file in it as well
 *
 * Returns: a line for people about what was written and left out, to be freed;
 * NULL with @error set.
 */
char *capture(const Diagnosis *d, const char *path, bool core, gint64 within_us,
              GError **error);

/* Backtraces of all threads by gdb, or why there are none; to be freed */
char *capture_stacks(int pid);

#endif
