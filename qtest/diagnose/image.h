/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program file of a process: where it is loaded, its symbols, its
 * constants.  Addresses are those of the process.
 */
#ifndef AIO_WAKEUP_IMAGE_H
#define AIO_WAKEUP_IMAGE_H

#include <stdbool.h>

#include <glib.h>

typedef struct Image Image;

/*
 * image_open: map the file @path, a 64-bit ELF program.
 * @start: where the process has the beginning of the file
 *
 * Returns: the image, to be freed with image_free(), or NULL with @error set.
 */
Image *image_open(const char *path, guint64 start, GError **error);
void image_free(Image *image);

/* Gives back the memory that looking things up has used, until next time */
void image_rest(const Image *image);

/* What follows "QEMU emulator version ", or NULL: no system emulator */
const char *image_version(const Image *image);

/* Of the GNU note, in hexadecimal, or NULL */
const char *image_build_id(const Image *image);

/* Debug information is in the file or where gdb looks for it by build-id. */
bool image_has_debug_info(const Image *image);

/* Address of the symbol @name and, unless NULL, its @size; 0: none such */
guint64 image_symbol(const Image *image, const char *name, guint64 *size);

/* The function that begins at @address, or NULL */
const char *image_function_at(const Image *image, guint64 address);

/*
 * Address of the variable that the function @getter returns, as its machine
 * code says; 0: no such function, or code that is not understood (only that of
 * x86-64 is).
 */
guint64 image_variable_of(const Image *image, const char *getter);

bool image_is_code(const Image *image, guint64 address);
bool image_is_data(const Image *image, guint64 address);

/* The writable part, zero-initialized variables included */
void image_data_range(const Image *image, guint64 *start, guint64 *end);

/* Reads constants and code from the file. */
bool image_read(const Image *image, guint64 address, void *buf, gsize size);

#endif
