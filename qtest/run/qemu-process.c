/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "qemu-process.h"

#define FLASH_SIZE (64 * 1024)
#define DISK_SIZE  (1024 * 1024)
#define MAX_ARGS   96

/* Offset 0 of the firmware; see qtest/guest */
typedef struct GuestConfig {
    char magic[8];
    uint32_t rounds;
    uint32_t patience_ms;
    uint32_t quiet_us;
    uint32_t flags;
} GuestConfig;

static bool make_firmware(const QemuConfig *config, const char *path,
                          GError **error)
{
    g_autofree char *image = NULL;
    GuestConfig guest;
    gsize size;

    if (!g_file_get_contents(config->firmware, &image, &size, error)) {
        return false;
    }
    if (size < sizeof(guest) || memcmp(image, "AIOWAKE1", 8)) {
        g_set_error(error, RUN_ERROR, RUN_ERROR_USE,
                    "%s is no guest firmware of this project; build it with "
                    "'./build.sh verdict'", config->firmware);
        return false;
    }
    memcpy(&guest, image, sizeof(guest));
    guest.rounds = GUINT32_TO_LE(config->rounds);
    guest.patience_ms = GUINT32_TO_LE(config->patience_ms);
    memcpy(image, &guest, sizeof(guest));
    return g_file_set_contents(path, image, size, error);
}

static bool make_image(const char *path, int fill, size_t size, GError **error)
{
    g_autofree char *data = g_malloc(size);

    memset(data, fill, size);
    return g_file_set_contents(path, data, size, error);
}

static void child_setup(gpointer data)
{
    (void)data;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void add(GPtrArray *args, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

static void add(GPtrArray *args, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_ptr_array_add(args, g_strdup_vprintf(fmt, ap));
    va_end(ap);
}

static GPtrArray *make_args(const QemuConfig *config, const char *dir)
{
    static const char *const fixed[] = {
        "-machine", "pc,accel=tcg", "-m", "16", "-nodefaults",
        "-no-user-config", "-vga", "none", "-display", "none",
        "-serial", "none", "-parallel", "none", "-monitor", "none",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
    };
    GPtrArray *args = g_ptr_array_new_with_free_func(g_free);

    add(args, "%s", config->binary);
    for (size_t i = 0; i < G_N_ELEMENTS(fixed); i++) {
        add(args, "%s", fixed[i]);
    }
    add(args, "-drive");
    add(args, "if=pflash,unit=0,format=raw,readonly=on,file=%s/firmware.bin",
        dir);
    add(args, "-drive");
    /* the schedules hold the worker that writes it */
    add(args, "if=pflash,unit=1,format=raw,file=%s/flash.img,aio=threads", dir);
    add(args, "-drive");
    add(args, "if=none,id=disk,format=raw,file=%s/disk.img,aio=%s%s", dir,
        config->aio, strcmp(config->aio, "native") ? "" : ",cache=none");
    add(args, "-device");
    add(args, "virtio-blk-pci,drive=disk,ioeventfd=off");
    add(args, "-chardev");
    add(args, "file,id=report,path=%s/report", dir);
    add(args, "-device");
    add(args, "isa-debugcon,iobase=0xe9,chardev=report");
    add(args, "-chardev");
    add(args, "file,id=marks,path=%s/marks", dir);
    add(args, "-device");
    add(args, "isa-debugcon,iobase=0xea,chardev=marks");
    for (int i = 0; config->options && config->options[i]; i++) {
        add(args, "%s", config->options[i]);
    }
    g_ptr_array_add(args, NULL);
    return args;
}

/* Each call of QEMU comes to @library first */
static char **put_in_front(char **env, const char *library)
{
    const char *old = g_environ_getenv(env, "LD_PRELOAD");
    g_autofree char *preload =
        old && *old ? g_strdup_printf("%s:%s", library, old)
                    : g_strdup(library);

    return g_environ_setenv(env, "LD_PRELOAD", preload, true);
}

static char **make_env(const QemuConfig *config, const char *log)
{
    char **env = g_get_environ();

    if (config->preload) {
        env = put_in_front(env, config->preload);
    }
    if (config->engine) {
        g_autofree char *rounds = g_strdup_printf("%u", config->log_rounds);

        /* a thread is held before the call that the preloaded library sees */
        env = put_in_front(env, config->engine);
        env = g_environ_setenv(env, "AIO_WAKEUP_LOG", log, true);
        env = g_environ_setenv(env, "AIO_WAKEUP_LOG_ROUNDS", rounds, true);
        if (config->schedule) {
            env = g_environ_setenv(env, "AIO_WAKEUP_SCHEDULE",
                                   config->schedule, true);
        }
    }
    return env;
}

static bool make_dir(const QemuConfig *config, QemuProcess *q, GError **error)
{
    g_autofree char *firmware = g_build_filename(q->dir, "firmware.bin", NULL);
    g_autofree char *flash = g_build_filename(q->dir, "flash.img", NULL);
    g_autofree char *disk = g_build_filename(q->dir, "disk.img", NULL);
    g_autofree char *report = g_build_filename(q->dir, "report", NULL);

    if (!make_firmware(config, firmware, error) ||
        !make_image(flash, 0xff, FLASH_SIZE, error) ||
        !make_image(disk, 0x5a, DISK_SIZE, error)) {
        return false;
    }
    if (mkfifo(report, 0600) < 0) {
        g_set_error(error, RUN_ERROR, RUN_ERROR_USE,
                    "%s: no FIFO can be made here: %s", report,
                    g_strerror(errno));
        return false;
    }
    q->report_fd = open(report, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    q->log_path = g_build_filename(q->dir, "schedule.log", NULL);
    q->stderr_path = g_build_filename(q->dir, "stderr", NULL);
    return true;
}

static bool spawn(const QemuConfig *config, QemuProcess *q, GError **error)
{
    g_autoptr(GPtrArray) args = make_args(config, q->dir);
    g_auto(GStrv) env = make_env(config, q->log_path);
    int err_fd = open(q->stderr_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool ok;

    ok = g_spawn_async_with_pipes_and_fds(NULL,
            (const char *const *)args->pdata, (const char *const *)env,
            G_SPAWN_DO_NOT_REAP_CHILD, child_setup, NULL,
            null_fd, null_fd, err_fd, NULL, NULL, 0, &q->pid,
            NULL, NULL, NULL, error);
    close(err_fd);
    close(null_fd);
    if (!ok) {
        return false;
    }
    q->pidfd = syscall(SYS_pidfd_open, q->pid, 0);
    if (q->pidfd < 0) {
        g_set_error(error, RUN_ERROR, RUN_ERROR_IMPOSSIBLE,
                    "pidfd_open: %s (Linux 5.3 or later is needed)",
                    g_strerror(errno));
        return false;
    }
    return true;
}

QemuProcess *qemu_process_start(const QemuConfig *config, const char *parent,
                                GError **error)
{
    QemuProcess *q = g_new0(QemuProcess, 1);

    q->report_fd = q->pidfd = -1;
    q->pending = g_string_new(NULL);
    q->dir = g_build_filename(parent, "qemu-XXXXXX", NULL);
    if (!g_mkdtemp(q->dir)) {
        g_set_error(error, RUN_ERROR, RUN_ERROR_USE,
                    "no folder can be made in %s: %s", parent,
                    g_strerror(errno));
        g_clear_pointer(&q->dir, g_free);
    } else if (make_dir(config, q, error) && spawn(config, q, error)) {
        return q;
    }
    qemu_process_free(q, false);
    return NULL;
}

static bool take_line(QemuProcess *q, char **line)
{
    char *end = memchr(q->pending->str, '\n', q->pending->len);

    if (!end) {
        return false;
    }
    *line = g_strndup(q->pending->str, end - q->pending->str);
    g_string_erase(q->pending, 0, end - q->pending->str + 1);
    return true;
}

/* Returns false when there is nothing to read at present */
static bool read_report(QemuProcess *q)
{
    char buf[4096];
    ssize_t n = read(q->report_fd, buf, sizeof(buf));

    if (n <= 0) {
        return false;
    }
    g_string_append_len(q->pending, buf, n);
    return true;
}

static volatile sig_atomic_t caught_signal;

static void catch_signal(int sig)
{
    caught_signal = sig;
}

void qemu_process_catch_signals(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction sa = { .sa_handler = catch_signal };

    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
        sigaction(signals[i], &sa, NULL);
    }
}

int qemu_process_signal(void)
{
    return caught_signal;
}

bool qemu_process_next_line(QemuProcess *q, gint64 deadline_us, char **line)
{
    *line = NULL;
    while (!take_line(q, line)) {
        struct pollfd fds[] = {
            { .fd = q->report_fd, .events = POLLIN },
            { .fd = q->pidfd, .events = POLLIN },
        };
        gint64 left = deadline_us - g_get_monotonic_time();
        bool gone;

        if (left <= 0 || caught_signal) {
            return false;
        }
        /* a signal that comes right here is seen after this time at most */
        left = MIN(left, G_USEC_PER_SEC / 4);
        /* A FIFO that nobody has opened yet, or any more, reports no POLLIN */
        if (poll(fds, 2, left / 1000 + 1) < 0 && errno != EINTR) {
            return false;
        }
        gone = fds[1].revents & POLLIN;
        if (!read_report(q)) {
            if (gone) {
                return true;
            }
            if (fds[0].revents & POLLHUP) {
                /* the writer is leaving: wait for its end */
                poll(&fds[1], 1, MAX(left / 1000, 0));
            }
        }
    }
    return true;
}

void qemu_process_stop(QemuProcess *q)
{
    if (q->pid && !q->reaped) {
        int status;

        /* if it has gone by itself, its own exit status is the one to keep */
        if (waitpid(q->pid, &status, WNOHANG) == q->pid) {
            q->wait_status = status;
            q->reaped = true;
            kill(-q->pid, SIGKILL);
            return;
        }
        /* the group: a wrapper script may have children of its own */
        kill(-q->pid, SIGKILL);
        kill(q->pid, SIGKILL);
        while (waitpid(q->pid, &q->wait_status, 0) < 0 && errno == EINTR) {
            continue;
        }
        q->reaped = true;
    }
}

char *qemu_process_last_words(QemuProcess *q)
{
    g_autofree char *text = NULL;
    char *last;

    if (!q->stderr_path ||
        !g_file_get_contents(q->stderr_path, &text, NULL, NULL)) {
        return g_strdup("");
    }
    g_strchomp(text);
    last = strrchr(text, '\n');
    return g_strdup(last ? last + 1 : text);
}

void qemu_process_free(QemuProcess *q, bool keep)
{
    qemu_process_stop(q);
    if (q->pidfd >= 0) {
        close(q->pidfd);
    }
    if (q->report_fd >= 0) {
        close(q->report_fd);
    }
    if (q->dir && !keep) {
        GDir *dir = g_dir_open(q->dir, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
            g_autofree char *path = g_build_filename(q->dir, name, NULL);

            g_unlink(path);
        }
        g_clear_pointer(&dir, g_dir_close);
        g_rmdir(q->dir);
    }
    g_string_free(q->pending, true);
    g_free(q->dir);
    g_free(q->log_path);
    g_free(q->stderr_path);
    g_free(q);
}
