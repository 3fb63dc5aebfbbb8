/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request that only an empty bottom half carries must end the main loop's
 * sleep, though the main thread's own nested aio_poll() eats that bottom half.
 *
 *     main thread                                   iothread
 *     main_loop_should_exit: reset, -no-reboot
 *     vm_stop -> flush -> aio_poll: sleeps          flush takes its time
 *     SIGTERM: request, empty BH, notifier
 *     aio_poll: clears it, runs the BH, polls on
 *                                                   flush is done
 *     main_loop_wait: sleeps
 *     *** QEMU does not go away ***
 *
 * usage: test-request BINARY ROUNDS lost|kept
 *
 * "lost": ends with the first round that is lost; if none is, the test has
 * failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib.h>

#define BOUND_US (30 * G_USEC_PER_SEC)
#define FIRMWARE_SIZE 65536
#define FLUSH "300000000"
/* a request that came during the flush has been seen so long after its end */
#define LONG_ENOUGH_MS 2000

typedef struct Qemu {
    GPid pid;
    int pidfd;
    int in;
    int out;
    GString *said;
} Qemu;

static void die_with_parent(gpointer unused)
{
    (void)unused;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void start(Qemu *q, const char *binary, const char *firmware)
{
    const char *argv[] = {
        binary, "-machine", "pc,accel=tcg", "-m", "16", "-nodefaults",
        "-no-user-config", "-vga", "none", "-display", "none", "-S",
        "-no-reboot", "-no-shutdown", "-bios", firmware, "-rtc", "clock=vm",
        "-object", "iothread,id=t", "-blockdev",
        "null-co,node-name=d,size=1048576,latency-ns=" FLUSH,
        "-qmp", "stdio", NULL,
    };
    GError *error = NULL;

    if (!g_spawn_async_with_pipes(NULL, (char **)argv, NULL,
                                  G_SPAWN_DO_NOT_REAP_CHILD |
                                  G_SPAWN_SEARCH_PATH,
                                  die_with_parent, NULL, &q->pid, &q->in,
                                  &q->out, NULL, &error)) {
        g_error("%s", error->message);
    }
    q->pidfd = syscall(SYS_pidfd_open, q->pid, 0);
    g_assert_cmpint(q->pidfd, >=, 0);
    q->said = g_string_new(NULL);
}

static bool goes_away(Qemu *q, int ms)
{
    struct pollfd fd = { .fd = q->pidfd, .events = POLLIN };

    return poll(&fd, 1, ms) == 1;
}

static void stop(Qemu *q)
{
    kill(q->pid, SIGKILL);
    waitpid(q->pid, NULL, 0);
    close(q->pidfd);
    close(q->in);
    close(q->out);
    g_string_free(q->said, true);
}

/* Reads until QEMU has said @what, and forgets what it has said until then */
static void expect(Qemu *q, const char *what)
{
    gint64 end = g_get_monotonic_time() + BOUND_US;
    char *found;

    while (!(found = strstr(q->said->str, what))) {
        struct pollfd fd = { .fd = q->out, .events = POLLIN };
        char buf[4096];
        ssize_t n;

        if (poll(&fd, 1, MAX((end - g_get_monotonic_time()) / 1000, 0)) != 1) {
            g_error("QEMU does not say %s, only: %s", what, q->said->str);
        }
        n = read(q->out, buf, sizeof(buf));
        if (n <= 0) {
            g_error("QEMU has gone without saying %s", what);
        }
        g_string_append_len(q->said, buf, n);
    }
    g_string_erase(q->said, 0, found - q->said->str + strlen(what));
}

static void say(Qemu *q, const char *line)
{
    ssize_t n = write(q->in, line, strlen(line));

    g_assert_cmpint(n, ==, (ssize_t)strlen(line));
}

static bool main_thread_polls(const Qemu *q)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/syscall",
                                            (int)q->pid, (int)q->pid);
    g_autofree char *text = NULL;
    int nr;

    if (!g_file_get_contents(path, &text, NULL, NULL) ||
        sscanf(text, "%d", &nr) != 1) {
        return false;
    }
    return nr == SYS_ppoll || nr == SYS_io_uring_enter;
}

static void until_main_thread_polls(const Qemu *q)
{
    gint64 end = g_get_monotonic_time() + BOUND_US;

    while (!main_thread_polls(q)) {
        if (g_get_monotonic_time() > end) {
            g_error("the main thread does not come to its poll");
        }
        g_usleep(200);
    }
}

/* A firmware that asks the keyboard controller for a reset, at once */
static char *make_firmware(void)
{
    static const char reset[] = "\xb0\xfe\xe6\x64\xf4\xeb\xfd";
    g_autofree char *image = g_malloc0(FIRMWARE_SIZE);
    char *path = NULL;
    int fd = g_file_open_tmp("aio-wakeup-XXXXXX", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    memcpy(image + FIRMWARE_SIZE - 16, reset, sizeof(reset));
    g_assert_cmpint(write(fd, image, FIRMWARE_SIZE), ==, FIRMWARE_SIZE);
    close(fd);
    return path;
}

/* Returns true if the request was lost, and a second one was not. */
static bool round_is_lost(const char *binary, const char *firmware)
{
    Qemu q = { 0 };
    bool lost;

    start(&q, binary, firmware);
    expect(&q, "\"QMP\"");
    say(&q, "{\"execute\":\"qmp_capabilities\"}\n");
    expect(&q, "\"return\"");
    say(&q, "{\"execute\":\"human-monitor-command\",\"arguments\":"
            "{\"command-line\":\"qemu-io d \\\"write 0 512\\\"\"}}\n");
    expect(&q, "\"return\"");
    /* only now: the end of that write moves the node back */
    say(&q, "{\"execute\":\"x-blockdev-set-iothread\",\"arguments\":"
            "{\"node-name\":\"d\",\"iothread\":\"t\"}}\n");
    expect(&q, "\"return\"");
    say(&q, "{\"execute\":\"cont\"}\n");
    expect(&q, "\"SHUTDOWN\"");
    /* in the flush: the main loop itself comes to no poll before its end */
    until_main_thread_polls(&q);
    kill(q.pid, SIGTERM);
    lost = !goes_away(&q, LONG_ENOUGH_MS);
    if (lost) {
        if (!main_thread_polls(&q)) {
            g_error("QEMU stays, but its main thread is in no poll");
        }
        kill(q.pid, SIGTERM);
        if (!goes_away(&q, BOUND_US / 1000)) {
            g_error("QEMU does not go away after a second SIGTERM either");
        }
    }
    stop(&q);
    return lost;
}

int main(int argc, char **argv)
{
    bool want_lost = argc == 4 && !strcmp(argv[3], "lost");
    int rounds = argc == 4 ? atoi(argv[2]) : 0;
    g_autofree char *firmware = NULL;
    int done;
    int lost = 0;
    bool ok;

    if (rounds <= 0 || (!want_lost && strcmp(argv[3], "kept"))) {
        fprintf(stderr, "usage: %s BINARY ROUNDS lost|kept\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    firmware = make_firmware();
    for (done = 0; done < rounds && !(want_lost && lost); done++) {
        lost += round_is_lost(argv[1], firmware);
    }
    unlink(firmware);
    ok = want_lost ? lost > 0 : lost == 0;
    printf("1..1\n%sok 1 - %d of %d requests lost, expected: %s\n",
           ok ? "" : "not ", lost, done, want_lost ? "some" : "none");
    return ok ? 0 : 1;
}
