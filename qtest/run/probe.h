/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is this file a QEMU that the guest can be run on under a schedule? */
#ifndef AIO_WAKEUP_PROBE_H
#define AIO_WAKEUP_PROBE_H

#include <stdbool.h>

#include <glib.h>

/*
 * probe_binary: look at the file, ask it for its version, machines, devices.
 * @path: as the user named it; found in PATH when it has no slash
 * @resolved: set to the file's path; free it
 * @version: set to what comes after "QEMU emulator version"; free it
 *
 * Returns: true; or false with @error set to one line that says what is wrong
 * and what to do: RUN_ERROR_USE (no QEMU at all) or RUN_ERROR_IMPOSSIBLE (a
 * QEMU that cannot be judged here).
 */
bool probe_binary(const char *path, char **resolved, char **version,
                  GError **error);

#endif
