/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libfdt wants of a C library
 *
 * Byte by byte: with the MMU off an access must be aligned.
 */
#include <string.h>

void *memchr(const void *area, int byte, size_t size)
{
    const unsigned char *p = area;

    for (size_t i = 0; i < size; i++) {
        if (p[i] == (unsigned char)byte) {
            return (void *)(p + i);
        }
    }
    return NULL;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *p = a;
    const unsigned char *q = b;

    for (size_t i = 0; i < size; i++) {
        if (p[i] != q[i]) {
            return p[i] - q[i];
        }
    }
    return 0;
}

void *memmove(void *to, const void *from, size_t size)
{
    unsigned char *p = to;
    const unsigned char *q = from;

    for (size_t i = 0; i < size; i++) {
        size_t at = p < q ? i : size - 1 - i;

        p[at] = q[at];
    }
    return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
    return memmove(to, from, size);
}

void *memset(void *area, int byte, size_t size)
{
    unsigned char *p = area;

    for (size_t i = 0; i < size; i++) {
        p[i] = byte;
    }
    return area;
}

size_t strnlen(const char *text, size_t most)
{
    size_t size = 0;

    while (size < most && text[size]) {
        size++;
    }
    return size;
}

size_t strlen(const char *text)
{
    return strnlen(text, (size_t)-1);
}

char *strrchr(const char *text, int byte)
{
    const char *found = NULL;

    do {
        if (*text == (char)byte) {
            found = text;
        }
    } while (*text++);
    return (char *)found;
}
