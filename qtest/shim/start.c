/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at the program that the shim was loaded into, once, before it runs.
 * Only a QEMU system emulator is helped; in anything else every call goes
 * straight to the library behind it.
 *
 * AIO_WAKEUP_SHIM, words with commas between them:
 *   off           do nothing
 *   on            this program is a QEMU, whatever its name is
 *   verbose       say on stderr what is found, and at the end what was done
 *   no-io_uring   tell QEMU that there is no io_uring
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "glib-calls.h"
#include "loop.h"
#include "note.h"
#include "real.h"
#include "ring.h"

static bool wants(const char *word)
{
    const char *list = getenv("AIO_WAKEUP_SHIM");
    size_t len = strlen(word);

    while (list && *list) {
        if (!strncmp(list, word, len) && (!list[len] || list[len] == ',')) {
            return true;
        }
        list = strchr(list, ',');
        list += list != NULL;
    }
    return false;
}

static bool is_emulators_name(const char *path)
{
    const char *name = strrchr(path, '/');

    name = name ? name + 1 : path;
    return strstr(name, "qemu-system-") || !strcmp(name, "qemu-kvm") ||
           !strcmp(name, "kvm");
}

/* By the file, or by argv[0]: the loader may have been called by its name. */
static bool is_emulator(void)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    exe[n > 0 ? n : 0] = '\0';
    return is_emulators_name(exe) ||
           is_emulators_name(program_invocation_name);
}

/* Takes us off LD_PRELOAD: QEMU's children are none of our business. */
static void leave_environment(void)
{
    const char *old = getenv("LD_PRELOAD");
    const char *part;
    Dl_info us;
    char *new;
    char *end;

    if (!old || !dladdr((void *)leave_environment, &us)) {
        return;
    }
    new = end = malloc(strlen(old) + 1);
    for (part = old; new && *part; ) {
        size_t len = strcspn(part, ": ");

        if (len && (len != strlen(us.dli_fname) ||
                    memcmp(part, us.dli_fname, len))) {
            if (end != new) {
                *end++ = ':';
            }
            memcpy(end, part, len);
            end += len;
        }
        part += len + (part[len] != '\0');
    }
    if (!new) {
        return;
    }
    *end = '\0';
    if (end == new) {
        unsetenv("LD_PRELOAD");
    } else {
        setenv("LD_PRELOAD", new, 1);
    }
    free(new);
}

static void __attribute__((constructor)) start(void)
{
    if (wants("off") || !(wants("on") || is_emulator())) {
        return;
    }
    if (wants("verbose")) {
        note_be_verbose();
    }
    leave_environment();
    if (!REAL(g_main_context_wakeup)) {
        note_say("no shared glib in this program: it cannot be helped");
        return;
    }
    if (wants("no-io_uring")) {
        ring_refuse();
    }
    note_open();
    note_say("loaded");
    shim_active = true;
}

static void __attribute__((destructor)) stop(void)
{
    char text[160];

    if (shim_active) {
        snprintf(text, sizeof(text), "%llu iterations; taken %llu, off the "
                 "ring %llu, nested %llu; given back %llu, of use %llu",
                 (unsigned long long)note->iterations,
                 (unsigned long long)note->taken,
                 (unsigned long long)note->ring,
                 (unsigned long long)note->nested,
                 (unsigned long long)note->wakeups,
                 (unsigned long long)(note->work + note->earlier));
        note_say(text);
    }
}
