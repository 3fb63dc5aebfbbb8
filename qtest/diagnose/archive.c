/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "archive.h"
#include "target.h"

#define BLOCK 512

struct Archive {
    char *path;
    char *folder;
    char *temporary;        /* what is written, until it is whole */
    int fd;
    int error;              /* errno of the first failure, or 0 */
    gint64 size;
};

Archive *archive_new(const char *path, const char *folder, GError **error)
{
    g_autofree char *temporary = g_strdup_printf("%s.XXXXXX", path);
    Archive *a;
    int fd;

    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_set_error(error, TARGET_ERROR, TARGET_ERROR_USE,
                    "%s exists; name another file", path);
        return NULL;
    }
    fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) {
        g_set_error(error, TARGET_ERROR, TARGET_ERROR_USE,
                    "%s cannot be written: %s", path, g_strerror(errno));
        return NULL;
    }
    a = g_new0(Archive, 1);
    a->path = g_strdup(path);
    a->folder = g_strdup(folder);
    a->temporary = g_steal_pointer(&temporary);
    a->fd = fd;
    return a;
}

static void put(Archive *a, const void *data, gsize size)
{
    while (size && !a->error) {
        ssize_t n = write(a->fd, data, size);

        if (n < 0 && errno != EINTR) {
            a->error = errno;
        } else if (n > 0) {
            data = (const char *)data + n;
            size -= n;
            a->size += n;
        }
    }
}

static void pad(Archive *a, gint64 size)
{
    static const char zeros[BLOCK];

    put(a, zeros, (BLOCK - size % BLOCK) % BLOCK);
}

/* A ustar header; a size of 8 GiB or more is in GNU's binary form. */
static void put_header(Archive *a, const char *name, gint64 size)
{
    char header[BLOCK] = "";
    unsigned sum = 0;

    snprintf(header, 100, "%s/%s", a->folder, name);
    snprintf(header + 100, 8, "%07o", 0600);
    snprintf(header + 108, 8, "%07o", 0);
    snprintf(header + 116, 8, "%07o", 0);
    if (size < (gint64)1 << 33) {
        snprintf(header + 124, 12, "%011llo", (long long)size);
    } else {
        header[124] = (char)0x80;
        for (int i = 0; i < 8; i++) {
            header[135 - i] = (char)(size >> (8 * i));
        }
    }
    snprintf(header + 136, 12, "%011llo", (long long)time(NULL));
    memset(header + 148, ' ', 8);
    header[156] = '0';
    memcpy(header + 257, "ustar\00000", 8);
    for (int i = 0; i < BLOCK; i++) {
        sum += (unsigned char)header[i];
    }
    snprintf(header + 148, 7, "%06o", sum);
    put(a, header, sizeof(header));
}

void archive_add(Archive *a, const char *name, const char *text)
{
    gsize size = strlen(text);

    put_header(a, name, size);
    put(a, text, size);
    pad(a, size);
}

void archive_add_file(Archive *a, const char *name, const char *path)
{
    g_autofree char *buf = g_malloc(1 << 20);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    gint64 left;

    if (fd < 0 || fstat(fd, &st) < 0) {
        a->error = a->error ? a->error : errno;
        return;
    }
    put_header(a, name, st.st_size);
    for (left = st.st_size; left > 0 && !a->error;) {
        ssize_t n = read(fd, buf, MIN(left, 1 << 20));

        if (n <= 0) {
            a->error = n < 0 ? errno : EIO;
        } else {
            put(a, buf, n);
            left -= n;
        }
    }
    pad(a, st.st_size);
    close(fd);
}

gint64 archive_finish(Archive *a, GError **error)
{
    static const char end[2 * BLOCK];
    gint64 size;

    put(a, end, sizeof(end));
    if (!a->error && fsync(a->fd) < 0 && errno != EINVAL) {
        a->error = errno;
    }
    if (close(a->fd) < 0 && !a->error) {
        a->error = errno;
    }
    /* a file that has come in the meantime stays */
    if (!a->error && link(a->temporary, a->path) < 0 &&
        (errno == EEXIST || rename(a->temporary, a->path) < 0)) {
        a->error = errno;
    }
    unlink(a->temporary);
    size = a->error ? -1 : a->size;
    if (a->error) {
        g_set_error(error, TARGET_ERROR, TARGET_ERROR_USE,
                    "%s is not written: %s; nothing of it is left", a->path,
                    g_strerror(a->error));
    }
    g_free(a->temporary);
    g_free(a->folder);
    g_free(a->path);
    g_free(a);
    return size;
}
