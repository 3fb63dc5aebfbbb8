/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * aio-wakeup-diagnose: has this hung QEMU lost a wakeup of its main loop?
 *
 * Exit status: 0 NOT THIS, or LOST WAKEUP and --wake has freed it; 1 LOST
 * WAKEUP; 2 wrong use; 77 CANNOT TELL.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture.h"
#include "judge.h"
#include "report.h"
#include "wake.h"

#define WITHIN_US 1600000
#define PATIENT_US (60 * G_USEC_PER_SEC)

enum {
    EXIT_NOT_THIS = 0,
    EXIT_FREED = 0,
    EXIT_LOST = 1,
    EXIT_USE = 2,
    EXIT_CANNOT_TELL = 77,
};

static char *opt_core;
static gboolean opt_json;
static gboolean opt_wake;
static char *opt_capture;
static gboolean opt_with_core;
static gboolean opt_debug_info;
static char **opt_rest;

static const GOptionEntry entries[] = {
    { "core", 0, 0, G_OPTION_ARG_FILENAME, &opt_core,
      "look at a core file instead (BINARY: its program, if it has moved)",
      "FILE" },
    { "wake", 0, 0, G_OPTION_ARG_NONE, &opt_wake,
      "wake the main loop, if a wakeup is lost", NULL },
    { "capture", 0, 0, G_OPTION_ARG_FILENAME, &opt_capture,
      "write all that a bug report needs to the tar file FILE, before anything "
      "is woken; no guest memory, no secrets of the command line.  gdb, if it "
      "is there, stops the process for its backtraces", "FILE" },
    { "with-core", 0, 0, G_OPTION_ARG_NONE, &opt_with_core,
      "with a core of gcore in it, which has the guest's memory", NULL },
    { "debug-info", 0, 0, G_OPTION_ARG_NONE, &opt_debug_info,
      "wait until gdb has read debug information, which may take longer than 2 "
      "seconds the first time", NULL },
    { "json", 0, 0, G_OPTION_ARG_NONE, &opt_json, "print JSON", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &opt_rest, NULL,
      "PID | --core FILE [BINARY]" },
    { NULL }
};

static int complain(const char *text)
{
    fprintf(stderr, "diagnose: %s\n", text);
    return EXIT_USE;
}

static int finish(Diagnosis *d, const char *what)
{
    static const int status[] = {
        [ANSWER_NOT_THIS] = EXIT_NOT_THIS,
        [ANSWER_LOST_WAKEUP] = EXIT_LOST,
        [ANSWER_CANNOT_TELL] = EXIT_CANNOT_TELL,
    };
    int ret = d->freed ? EXIT_FREED : status[d->answer];

    if (opt_json) {
        report_json(d, what);
    } else {
        report_text(d, what);
    }
    diagnosis_free(d);
    return ret;
}

static int look_at_core(void)
{
    g_autoptr(GError) error = NULL;
    Diagnosis *d;

    if (opt_wake || opt_capture) {
        return complain("a core file cannot be woken or captured");
    }
    if (opt_rest && opt_rest[1]) {
        return complain("one core file and one binary at a time");
    }
    d = diagnose_core(opt_core, opt_rest ? opt_rest[0] : NULL, &error);
    return d ? finish(d, opt_core) : complain(error->message);
}

static int look_at_process(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *what = NULL;
    char *end;
    long pid;
    Diagnosis *d;

    if (!opt_rest || opt_rest[1]) {
        return complain("name one process by its PID; see --help");
    }
    errno = 0;
    pid = strtol(opt_rest[0], &end, 10);
    if (errno || *end || pid <= 0 || pid > G_MAXINT) {
        g_autofree char *text = g_strdup_printf("'%s' is no PID",
                                                opt_rest[0]);

        return complain(text);
    }
    d = diagnose_process(pid, opt_debug_info ? PATIENT_US : WITHIN_US,
                         &error);
    if (!d) {
        return complain(error->message);
    }
    if (opt_capture) {
        d->captured = capture(d, opt_capture, opt_with_core, WITHIN_US,
                              &error);
        if (!d->captured) {
            diagnosis_free(d);
            return complain(error->message);
        }
    }
    if (opt_wake && d->answer == ANSWER_LOST_WAKEUP) {
        wake(d);
    }
    what = g_strdup_printf("PID %ld", pid);
    return finish(d, what);
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_summary(context,
        "Has this QEMU lost a wakeup of its main loop?  Says LOST WAKEUP, NOT\n"
        "THIS or CANNOT TELL (exit status 1, 0, 77; 2: wrong use).  Looks,\n"
        "without stopping the process; changes nothing unless told --wake.\n"
        "That writes, and only if the answer is LOST WAKEUP, 8 bytes to the\n"
        "eventfd that the main loop waits for; if the pending work is still\n"
        "there, 8 bytes to the io-handler's eventfd; if it is still there,\n"
        "SIGALRM, where that can do no harm.  Exit status 0: it is done.");
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        return complain(error->message);
    }
    if (opt_with_core && !opt_capture) {
        return complain("--with-core is for --capture");
    }
    return opt_core ? look_at_core() : look_at_process();
}
