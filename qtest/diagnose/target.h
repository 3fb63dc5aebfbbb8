/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is looked at: a process, which goes on running, or a core file.
 */
#ifndef AIO_WAKEUP_TARGET_H
#define AIO_WAKEUP_TARGET_H

#include <stdbool.h>
#include <sys/types.h>

#include <glib.h>

#include "image.h"

#define TARGET_ERROR (g_quark_from_static_string("aio-wakeup-target"))

typedef enum TargetError {
    TARGET_ERROR_USE,           /* what the user named is wrong */
    TARGET_ERROR_IMPOSSIBLE,    /* cannot be told, and what is missing */
    TARGET_ERROR_GONE,          /* it has ended: nothing is lost in it */
} TargetError;

typedef struct Mapping {
    guint64 start;
    guint64 end;
    guint64 offset;             /* in the file */
    char *path;                 /* "" when it has none */
} Mapping;

#define THREAD_RUNNING (-1)
#define THREAD_UNKNOWN (-2)

typedef struct Thread {
    int tid;
    int own_tid;                /* the same, in the process's PID namespace */
    char comm[20];
    char state;                 /* as in /proc/PID/stat; '?' in a core */
    long nr;                    /* of the system call it is in, or above */
    guint64 args[6];
    guint64 sp;                 /* stack pointer; 0: not known */
    char wchan[24];             /* where in the kernel it waits, or "" */
    bool returned;              /* from it, in a core: not interrupted in it */
    guint64 run_ns;             /* processor time */
    guint64 switches;           /* voluntary and other */
} Thread;

typedef struct Target Target;

struct Target {
    int pid;                    /* 0: a core file */
    int pidfd;                  /* -1: a core file */
    char *name;                 /* of the program, for people */
    char *command;              /* its command line, or NULL */
    int tracer;                 /* PID of a debugger, or 0 */
    gint64 clock_offset_ns;     /* its CLOCK_MONOTONIC less ours */
    gint64 start_ns;            /* when it started, by its CLOCK_MONOTONIC */
    GArray *maps;               /* Mapping */
    /*
     * Mapping: where malloc()ed memory is.  Never the guest's: the one who
     * reads a page that userfaultfd has to bring waits for it, too.
     */
    GArray *areas;
    Image *image;
    bool (*read)(Target *t, guint64 address, void *buf, gsize size);
    GArray *(*threads)(Target *t);
    void (*close)(Target *t);   /* or NULL */
    struct Core *core;
};

/*
 * target_open_process: prepare to look at process @pid, without stopping it.
 *
 * Returns: the target, to be freed with target_free(); NULL with @error set to
 * one line: no such process, no QEMU, no right to look, it has ended.
 */
Target *target_open_process(int pid, GError **error);

/*
 * target_open_core: the same for a core file.
 * @binary: the program, or NULL for the path that the core names
 */
Target *target_open_core(const char *core, const char *binary, GError **error);
void target_free(Target *t);

/* Reads memory; false when some of it cannot be read. */
bool target_read(Target *t, guint64 address, void *buf, gsize size);
guint64 target_read_u64(Target *t, guint64 address);    /* 0: unreadable */
guint32 target_read_u32(Target *t, guint64 address);

/* A string of at most 80 printable characters, to be freed, or NULL */
char *target_read_string(Target *t, guint64 address);

/* Has the process ended?  It may be a zombie. */
bool target_has_ended(const Target *t);

/* All threads, the main thread first: an array of Thread, to be unref'd */
GArray *target_threads(Target *t);

/* Of its file descriptors; NULL, -1: none such, or a core file */
char *target_fd_link(const Target *t, int fd);
gint64 target_eventfd_count(const Target *t, int fd);

/* The link, and of a socket whom it is connected to, for people; or NULL */
char *target_describe_fd(const Target *t, int fd);

/* Our own duplicate of its file descriptor @fd, or -1 */
int target_take_fd(const Target *t, int fd);

/*
 * Does @thread seem to be in @function?  A return address into it is on its
 * stack; that may be one that is left of an earlier call.
 */
bool target_thread_in(Target *t, const Thread *thread, const char *function);

/* The mapping that holds @address, or NULL */
const Mapping *target_mapping(const Target *t, guint64 address);

/* For the implementations */
Target *target_new(void);

#endif
