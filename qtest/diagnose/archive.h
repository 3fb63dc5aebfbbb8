/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tar file that is there as a whole, or not at all */
#ifndef AIO_WAKEUP_ARCHIVE_H
#define AIO_WAKEUP_ARCHIVE_H

#include <stdbool.h>

#include <glib.h>

typedef struct Archive Archive;

/*
 * archive_new: begin to write @path, which must not exist.
 * @folder: in which its members seem to be
 *
 * Returns: an archive, for archive_finish(); NULL with @error set.
 */
Archive *archive_new(const char *path, const char *folder, GError **error);

/* Errors are kept for archive_finish(). */
void archive_add(Archive *archive, const char *name, const char *text);
void archive_add_file(Archive *archive, const char *name, const char *path);

/*
 * archive_finish: make the file appear; frees @archive.
 *
 * Returns: its size in bytes; -1 with @error set: nothing is left of it.
 */
gint64 archive_finish(Archive *archive, GError **error);

#endif
