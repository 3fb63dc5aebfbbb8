/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One QEMU that runs the guest firmware in a folder of its own.
 *
 * The process leads its own process group and dies with us; nothing outside
 * the folder is written.
 */
#ifndef AIO_WAKEUP_QEMU_PROCESS_H
#define AIO_WAKEUP_QEMU_PROCESS_H

#include <glib.h>

#define RUN_ERROR (g_quark_from_static_string("aio-wakeup-run"))

typedef enum RunError {
    RUN_ERROR_USE,       /* what the user named is wrong: exit status 2 */
    RUN_ERROR_IMPOSSIBLE /* cannot be judged: exit status 77 */
} RunError;

typedef struct QemuConfig {
    const char *binary;
    const char *firmware;       /* image of the scenario, 64 KiB */
    const char *engine;         /* preloaded library, or NULL for a free run */
    const char *preload;        /* library that QEMU is to run with, or NULL */
    const char *schedule;       /* schedule file, or NULL for a free run */
    const char *const *options; /* more options for QEMU, or NULL */
    const char *aio;            /* aio= of the disk: "threads", ... */
    unsigned rounds;            /* for the guest; 0: until it is stopped */
    unsigned patience_ms;       /* how long the guest waits before "lost" */
    unsigned log_rounds;        /* rounds that the engine logs in full */
} QemuConfig;

typedef struct QemuProcess {
    GPid pid;
    int pidfd;                  /* becomes readable when QEMU is gone */
    int report_fd;              /* lines of the guest */
    GString *pending;           /* the part of a line read so far */
    char *dir;
    char *log_path;             /* of the schedule engine */
    char *stderr_path;
    bool reaped;
    int wait_status;
} QemuProcess;

/*
 * qemu_process_start: start a QEMU as @config says.
 * @parent: an existing folder for the process's own folder
 *
 * Returns: the process, to be freed with qemu_process_free(), or NULL.
 */
QemuProcess *qemu_process_start(const QemuConfig *config, const char *parent,
                                GError **error);

/*
 * qemu_process_next_line: the guest's next line, without its newline.
 * @deadline_us: of g_get_monotonic_time()
 * @line: set to a line to be freed by the caller, or to NULL
 *
 * Returns: true with *@line set; true with *@line NULL when QEMU has gone and
 * everything it wrote was read; false when the deadline has passed.
 */
bool qemu_process_next_line(QemuProcess *q, gint64 deadline_us, char **line);

/*
 * After this call SIGINT, SIGTERM and SIGHUP end no process at once: they make
 * qemu_process_next_line() return false, so that the caller can clean up.
 */
void qemu_process_catch_signals(void);

/* The signal that has come since, or 0 */
int qemu_process_signal(void);

/* Kills QEMU if it still runs, and waits for its end. */
void qemu_process_stop(QemuProcess *q);

/* What QEMU wrote to stderr last, one line; free it. */
char *qemu_process_last_words(QemuProcess *q);

/* Stops QEMU; @keep: leave its folder behind. */
void qemu_process_free(QemuProcess *q, bool keep);

#endif
