/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page is private to the process: a child between fork and exec counts on
 * a copy.  No file descriptor is kept.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "note.h"

static Note without_memfd = { .magic = NOTE_MAGIC };
static bool verbose;

Note *note = &without_memfd;

void note_open(void)
{
    int fd = memfd_create(NOTE_NAME, MFD_CLOEXEC);
    void *page = MAP_FAILED;

    if (fd < 0) {
        return;
    }
    if (ftruncate(fd, sizeof(Note)) == 0) {
        page = mmap(NULL, sizeof(Note), PROT_READ | PROT_WRITE, MAP_PRIVATE,
                    fd, 0);
    }
    syscall(SYS_close, fd);
    if (page != MAP_FAILED) {
        memcpy(page, &without_memfd, sizeof(Note));
        note = page;
    }
}

void note_be_verbose(void)
{
    verbose = true;
}

void note_say(const char *text)
{
    if (verbose) {
        dprintf(STDERR_FILENO, "aio-wakeup-shim[%d]: %s\n", (int)getpid(),
                text);
    }
}
