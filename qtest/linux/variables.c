/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes UEFI variables while a disk read is in flight.
 *
 * On a machine whose variables are kept in pflash, the kernel calls the
 * firmware's SetVariable(), which programs the flash: some 200 synchronous
 * block writes, for each of which the vCPU thread polls QEMU's main context.
 *
 * Runs as PID 1 of a small initrd (arguments in the environment: what the
 * kernel does not understand of its command line), or as a program in
 * libguestfs's appliance:
 *
 *   variables DISK ROUNDS WAIT     aio_disk=, aio_rounds=, aio_wait=
 *
 *   DISK    is read with O_DIRECT
 *   WAIT    milliseconds after each write in which the guest does nothing but
 *           wait for a timer; a main loop that sleeps for ever shows here
 *
 * Report lines go to port 0xe9, marks to port 0xea, as those of qtest/guest:
 *   b  a round begins      r  ready        d  the read has been submitted
 *   f  the variable has been written       e  the round is over
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/aio_abi.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define REPORT_PORT 0xe9
#define MARK_PORT   0xea
#define EFIVARFS    "/aio-wakeup-variables"
#define VARIABLE    EFIVARFS "/AioWakeup-6c1ab3ae-5d6f-4d7a-9b1e-0a9d6b6f3c55"
#define PAGE        4096
#define PAGES_READ  200

/* What efivarfs takes: attributes (kept, at boot and at run time), then data */
typedef struct __attribute__((packed)) Variable {
    uint32_t attributes;
    char data[64];
} Variable;

static char page[PAGE] __attribute__((aligned(PAGE)));

static void mark(char c)
{
    outb(c, MARK_PORT);
}

static void __attribute__((format(printf, 1, 2))) report(const char *fmt, ...)
{
    char line[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    for (const char *p = line; *p; p++) {
        outb(*p, REPORT_PORT);
    }
}

static void leave(int status)
{
    if (getpid() == 1) {
        sync();
        reboot(RB_POWER_OFF);
    }
    exit(status);
}

static void fail(const char *what)
{
    report("error %s: %s\n", what, strerror(errno));
    leave(1);
}

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static const char *setting(int argc, char **argv, int i, const char *name,
                           const char *otherwise)
{
    const char *value = argc > i && getpid() != 1 ? argv[i] : getenv(name);

    return value ? value : otherwise;
}

/* The modules of the initrd, in the order of the file /modules */
static void load_modules(void)
{
    FILE *list = fopen("/modules", "re");
    char path[256];

    while (list && fgets(path, sizeof(path), list)) {
        int fd;

        path[strcspn(path, "\n")] = '\0';
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0) {
            fail(path);
        }
        close(fd);
    }
}

static void set_up_as_init(void)
{
    mkdir("/dev", 0755);
    mkdir("/sys", 0755);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    mount("sys", "/sys", "sysfs", 0, NULL);
    load_modules();
}

/* The kernel may still be looking for it */
static int open_disk(const char *path)
{
    for (int i = 0; i < 200; i++) {
        int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);

        if (fd >= 0) {
            return fd;
        }
        usleep(10000);
    }
    fail(path);
    return -1;
}

static void submit_read(aio_context_t aio, int disk, int round)
{
    struct iocb request = {
        .aio_lio_opcode = IOCB_CMD_PREAD,
        .aio_fildes = disk,
        .aio_buf = (uintptr_t)page,
        .aio_nbytes = PAGE,
        .aio_offset = round % PAGES_READ * PAGE,
    };
    struct iocb *requests[] = { &request };

    if (syscall(SYS_io_submit, aio, 1, requests) != 1) {
        fail("io_submit");
    }
}

static void wait_for_read(aio_context_t aio)
{
    struct io_event event;

    if (syscall(SYS_io_getevents, aio, 1, 1, &event, NULL) != 1 ||
        (int64_t)event.res != PAGE) {
        fail("reading the disk");
    }
}

/* First until the next tick of the kernel is due, then with no work to do */
static void wait_for_timer(int ms)
{
    int64_t begin = now_us();

    while (now_us() - begin < ms * 1000LL / 3) {
        continue;
    }
    usleep(ms * 1000 * 2 / 3);
}

int main(int argc, char **argv)
{
    const char *disk_path = setting(argc, argv, 1, "aio_disk", "/dev/vda");
    int rounds = atoi(setting(argc, argv, 2, "aio_rounds", "20"));
    int wait_ms = atoi(setting(argc, argv, 3, "aio_wait", "30"));
    Variable variable = { .attributes = 7 };
    aio_context_t aio = 0;
    int64_t begin;
    int disk, fd;

    if (iopl(3) < 0) {
        return 1;
    }
    report("aio-wakeup guest 1 variables\n");
    if (getpid() == 1) {
        set_up_as_init();
    }
    mkdir(EFIVARFS, 0755);
    if (mount("variables", EFIVARFS, "efivarfs", 0, NULL) < 0) {
        fail("no UEFI variables");
    }
    disk = open_disk(disk_path);
    if (syscall(SYS_io_setup, 1, &aio) < 0) {
        fail("io_setup");
    }
    fd = open(VARIABLE, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        fail("making a variable");
    }
    report("ready\n");
    begin = now_us();
    for (int round = 1; round <= rounds; round++) {
        int64_t round_begin = now_us();

        memset(variable.data, round, sizeof(variable.data));
        mark('b');
        mark('r');
        submit_read(aio, disk, round);
        mark('d');
        if (write(fd, &variable, sizeof(variable)) < 0) {
            fail("writing a variable");
        }
        mark('f');
        if (wait_ms) {
            wait_for_timer(wait_ms);
        }
        wait_for_read(aio);
        mark('e');
        report("round %d kept us %lld\n", round,
               (long long)(now_us() - round_begin));
    }
    report("end rounds %d lost 0 us %lld\n", rounds,
           (long long)(now_us() - begin));
    umount(EFIVARFS);
    leave(0);
}
