/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wakeups of the main loop, seen by a guest
 *
 * Invariant: while a temporary waiter (here a vCPU in a synchronous block
 * operation) polls the main AioContext, no event that the main loop has to
 * bring is forgotten: not the completion of a request, nor a timer, nor a
 * request to power off or to reset.
 *
 * Each case boots a small firmware under TCG that starts such an event and
 * then writes to a flash, which makes its vCPU a temporary waiter.  A schedule,
 * forced by a preloaded library, holds the threads so that the waiter meets the
 * wakeup first:
 *
 *   main loop               temporary waiter (vCPU)      worker
 *   drops the BQL
 *   [held before ppoll]     starts a read
 *                           flash write: aio_poll()
 *                           runs its BHs           ----> read is done, BH
 *                                                        scheduled, notifier
 *                                                        set
 *                           (clears the notifier)  <----
 *                           back in the guest
 *   [go on]           <----
 *   sleeps, or runs the BH
 *
 * Nothing is said over QMP or qtest while a guest runs: that would wake the
 * main loop.  The guest and the library write files, and those are watched.
 *
 * In the cases request/ the main thread itself polls, where it has looked at
 * the requests to the main loop already, and SIGTERM or a vCPU's request comes
 * then.  One I/O error is brought about over qtest, without a guest.
 *
 * Environment:
 *   AIO_WAKEUP_DIR    where guest/ and schedule/ were built; by default
 *                     aio-wakeup/ beside this program
 *   AIO_WAKEUP_KEEP   set: leave the files of each case, and say where
 *   AIO_WAKEUP_ONLY   a pattern: only the cases that it matches
 *
 * Kept since rule: virtio-blk/lost-bh virtio-blk/lost-bh/qcow2
 * Kept since rule: virtio-blk/lost-bh/two-vcpus virtio-blk/clear-before-poll
 * Kept since rule: virtio-blk/lost-timer virtio-blk/lost-timer/aio-native
 * Kept since rule: virtio-blk/lost-timer/aio-io_uring
 * Kept since rule: virtio-blk/lost-shutdown virtio-blk/lost-reset
 * Kept since rule: migration/lost-switchover sd/read
 * Kept since rule: request/io-error
 * Kept since requests: request/vm-stop request/vcpu
 * Kept since rule (no-external): virtio-blk/reset virtio-scsi/reset ide/stop-dma
 * Kept always (external): virtio-blk/reset virtio-scsi/reset ide/stop-dma
 * Kept always: nvme/disable
 * Kept since rule (aarch64): virt/lost-bh virt/lost-bh/qcow2
 * Kept since rule (aarch64): virt/clear-before-poll
 * Kept always: virtio-blk/late-write virtio-blk/free-run
 * Kept always: virtio-blk/free-run/qcow2 virtio-blk/free-run/two-vcpus
 * Kept always: virtio-blk/lost-bh/aio-native virtio-blk/lost-bh/aio-io_uring
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include <sys/syscall.h>
#include "libqtest.h"

#define IMAGE_SIZE (1024 * 1024)
#define FLASH_SIZE (64 * 1024)
#define VIRT_FLASH_SIZE (64 * 1024 * 1024)
#define GUEST_PATIENCE_MS 300
#define LOOK_US 10000
#define BOUND_US (60 * G_USEC_PER_SEC)
#define END_US (5 * G_USEC_PER_SEC)
#define MAX_BOOTS 10

/* The migration: how fast (bytes/s), and the guest's word that it has begun */
#define BANDWIDTH (6 * 1024 * 1024)
#define GO_ADDRESS 0x80000
/* Nothing runs for so long: nobody is left that could wake anybody. */
#define ASLEEP_US (2 * G_USEC_PER_SEC)

/* A main loop that sleeps polls a few times in a quiet time, not so often. */
#define SPIN_POLLS 50
#define SPINS_TO_TELL 2
/* A shorter sleep ends by itself before anybody calls it a hang. */
#define SLEEP_MS 1000

/* At the firmware's offset 0; for aarch64, which begins with code, at 64 */
typedef struct {
    char magic[8];
    uint32_t rounds;
    uint32_t patience_ms;
    uint32_t quiet_us;
    uint32_t flags;
} GuestConfig;

/* A byte that is written to a port; an array ends at port 0. */
typedef struct {
    uint16_t port;
    uint8_t value;
} PortWrite;

typedef struct {
    const char *name;
    bool virt;                  /* for aarch64, machine "virt" */
    const char *guest;          /* firmware */
    const char *schedule;       /* NULL: nothing is forced */
    const char *device;         /* must be in this QEMU */
    const char *options;        /* of QEMU, beside those that all have */
    const char *second;         /* device with the drive "second" */
    const char *format;         /* of the disk; NULL: raw */
    const char *aio;            /* of the disk; NULL: threads */
    unsigned rounds;            /* that must be kept */
    bool ends_qemu;             /* a kept round ends QEMU */
    bool migrates;              /* the migration thread is the waiter */
    bool side;                  /* SIGTERM, with a dirty disk on an iothread */
    bool power_off;             /* the request is the guest's, no signal */
    const PortWrite *asks;      /* no guest: these make the main thread poll */
} WakeupCase;

/* the first disk reads its first sector */
static const PortWrite asks_read[] = {
    { 0x1f6, 0xe0 }, { 0x1f2, 1 }, { 0x1f3, 0 }, { 0x1f4, 0 },
    { 0x1f5, 0 }, { 0x1f7, 0x20 }, { }
};

/* It cannot be read; no geometry is guessed out of its first sector. */
#define BAD_DISK "-blockdev driver=blkdebug,node-name=bad," \
                 "image.driver=null-co,inject-error.0.event=none," \
                 "inject-error.0.iotype=read " \
                 "-device ide-hd,drive=bad,rerror=stop,bus=ide.0,unit=0," \
                 "cyls=2,heads=16,secs=63"

static const WakeupCase cases[] = {
    {
        .name = "virtio-blk/lost-bh",
        .guest = "lost-bh", .schedule = "lost-bh", .rounds = 12,
    }, {
        .name = "virtio-blk/lost-bh/qcow2",
        .guest = "lost-bh", .schedule = "lost-bh", .rounds = 12,
        .format = "qcow2",
    }, {
        .name = "virtio-blk/lost-bh/two-vcpus",
        .guest = "lost-bh", .schedule = "lost-bh", .rounds = 12,
        .options = "-smp 2",
    }, {
        .name = "virtio-blk/clear-before-poll",
        .guest = "lost-bh", .schedule = "clear-before-poll", .rounds = 12,
    }, {
        .name = "virtio-blk/late-write",
        .guest = "lost-bh", .schedule = "late-write", .rounds = 12,
    }, {
        .name = "virtio-blk/lost-timer",
        .guest = "lost-timer", .schedule = "lost-timer", .rounds = 12,
    }, {
        .name = "virtio-blk/lost-shutdown",
        .guest = "lost-shutdown", .schedule = "lost-shutdown", .rounds = 3,
        .ends_qemu = true,
    }, {
        .name = "virtio-blk/lost-reset",
        .guest = "lost-reset", .schedule = "lost-reset", .rounds = 8,
        .options = "-smp 2",
    }, {
        .name = "virtio-blk/free-run",
        .guest = "free-run", .rounds = 5000,
    }, {
        .name = "virtio-blk/free-run/qcow2",
        .guest = "free-run", .rounds = 5000, .format = "qcow2",
    }, {
        .name = "virtio-blk/free-run/two-vcpus",
        .guest = "free-run", .rounds = 5000, .options = "-smp 2",
    }, {
        .name = "virtio-blk/lost-bh/aio-native",
        .guest = "lost-bh", .schedule = "lost-timer", .rounds = 12,
        .aio = "native",
    }, {
        .name = "virtio-blk/lost-bh/aio-io_uring",
        .guest = "lost-bh", .schedule = "lost-timer", .rounds = 12,
        .aio = "io_uring",
    }, {
        .name = "virtio-blk/lost-timer/aio-native",
        .guest = "lost-timer", .schedule = "lost-timer", .rounds = 12,
        .aio = "native",
    }, {
        .name = "virtio-blk/lost-timer/aio-io_uring",
        .guest = "lost-timer", .schedule = "lost-timer", .rounds = 12,
        .aio = "io_uring",
    }, {
        .name = "virtio-blk/reset",
        .guest = "timer-virtio-blk", .schedule = "lost-timer-drain",
        .rounds = 12,
    }, {
        .name = "ide/stop-dma",
        .guest = "timer-ide", .schedule = "lost-timer-drain", .rounds = 12,
        .device = "ide-hd",
        .second = "-device ide-hd,drive=second,bus=ide.0,unit=0",
    }, {
        .name = "sd/read",
        .guest = "timer-sd", .schedule = "lost-timer-drain", .rounds = 12,
        .device = "sdhci-pci",
        .second = "-device sdhci-pci -device sd-card,drive=second",
    }, {
        .name = "virtio-scsi/reset",
        .guest = "timer-virtio-scsi", .schedule = "lost-timer-drain",
        .rounds = 12, .device = "virtio-scsi-pci",
        .second = "-device virtio-scsi-pci,id=scsi,ioeventfd=off "
                  "-device scsi-hd,drive=second,bus=scsi.0,scsi-id=0",
    }, {
        .name = "nvme/disable",
        .guest = "timer-nvme", .schedule = "lost-timer-drain", .rounds = 12,
        .device = "nvme", .second = "-device nvme,drive=second,serial=x",
    }, {
        .name = "migration/lost-switchover",
        .guest = "lost-switchover", .schedule = "lost-switchover",
        .rounds = 1, .ends_qemu = true, .migrates = true,
    }, {
        .name = "request/vm-stop", .guest = "lost-request",
        .schedule = "request-vm-stop", .rounds = 2, .side = true,
        .options = "-no-reboot -no-shutdown",
    }, {
        .name = "request/vcpu", .guest = "lost-request-smp",
        .schedule = "request-vcpu", .rounds = 2, .side = true,
        .device = "ide-hd", .power_off = true,
        .options = "-smp 2 " BAD_DISK,
    }, {
        .name = "request/io-error", .schedule = "request-io-error",
        .rounds = 2, .asks = asks_read, .side = true, .device = "ide-hd",
        .options = BAD_DISK,
    }, {
        .name = "virt/lost-bh", .virt = true,
        .guest = "aarch64/lost-bh", .schedule = "lost-bh", .rounds = 12,
    }, {
        .name = "virt/lost-bh/qcow2", .virt = true, .format = "qcow2",
        .guest = "aarch64/lost-bh", .schedule = "lost-bh", .rounds = 12,
    }, {
        .name = "virt/clear-before-poll", .virt = true,
        .guest = "aarch64/lost-bh", .schedule = "clear-before-poll",
        .rounds = 12,
    },
};

/* One run of a guest */
typedef struct {
    const WakeupCase *c;
    char *dir;
    QTestState *qts;
    bool gone;
    unsigned told;              /* rounds that the guest has told of */
    unsigned guest_lost;
    unsigned met;               /* rounds that went as scheduled */
    unsigned lost;
    unsigned spins;
    char *error;                /* of the guest */
    char *unreachable;          /* why this QEMU cannot be scheduled so */
    char *missed;
    char *evidence;
} Run;

static const char *module_dir(void)
{
    static char *dir;
    const char *env = g_getenv("AIO_WAKEUP_DIR");

    if (!dir) {
        dir = env ? g_strdup(env)
                  : g_test_build_filename(G_TEST_BUILT, "aio-wakeup", NULL);
    }
    return dir;
}

/* --- what this QEMU has -------------------------------------------------- */

/* Output of QEMU with these arguments, stdout and stderr */
static char *ask_qemu(const char *args)
{
    g_autofree char *command = g_strdup_printf("%s %s",
                                   g_getenv("QTEST_QEMU_BINARY"), args);
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;

    if (!g_spawn_command_line_sync(command, &out, &err, NULL, NULL)) {
        return g_strdup("");
    }
    return g_strconcat(out, err, NULL);
}

static bool has_device(const char *name)
{
    static char *devices;
    g_autofree char *quoted = g_strdup_printf("\"%s\"", name);

    if (!devices) {
        devices = ask_qemu("-machine none -device help");
    }
    return strstr(devices, quoted) != NULL;
}

/* Drives are opened before a device is found to be unknown. */
static char *lacks_aio(const char *image, const char *aio)
{
    g_autofree char *args = g_strdup_printf("-machine none -display none"
        " -drive if=none,id=d,format=raw,file=%s,cache=none,aio=%s"
        " -device no-such-device", image, aio);
    g_autofree char *out = ask_qemu(args);

    return strstr(out, "no-such-device") ? NULL : g_strdup(g_strstrip(out));
}

static bool is_virt(void)
{
    return !strcmp(qtest_get_arch(), "aarch64");
}

/* --- files of a run ------------------------------------------------------ */

static char *file_of(const Run *run, const char *name)
{
    return g_build_filename(run->dir, name, NULL);
}

static void make_file(const Run *run, const char *name, int fill, size_t size)
{
    g_autofree char *path = file_of(run, name);
    g_autofree char *data = g_malloc(size);

    memset(data, fill, size);
    g_assert_true(g_file_set_contents(path, data, size, NULL));
}

static void make_firmware(const Run *run)
{
    g_autofree char *name = g_strconcat(run->c->guest, ".bin", NULL);
    g_autofree char *built = g_build_filename(module_dir(), "guest", name,
                                              NULL);
    g_autofree char *path = file_of(run, "firmware.bin");
    g_autofree char *image = NULL;
    g_autoptr(GError) error = NULL;
    size_t at = run->c->virt ? 64 : 0;
    GuestConfig config;
    gsize size;

    g_file_get_contents(built, &image, &size, &error);
    g_assert_no_error(error);
    g_assert_cmpint(size, >, at + sizeof(config));
    memcpy(&config, image + at, sizeof(config));
    g_assert_true(!memcmp(config.magic, "AIOWAKE1", 8));
    config.rounds = 0;
    config.patience_ms = GUINT32_TO_LE(GUEST_PATIENCE_MS);
    memcpy(image + at, &config, sizeof(config));
    g_assert_true(g_file_set_contents(path, image, size, NULL));
    if (run->c->virt) {
        g_assert_cmpint(truncate(path, VIRT_FLASH_SIZE), ==, 0);
    }
}

static bool make_qcow2(const Run *run)
{
    const char *qemu_img = g_getenv("QTEST_QEMU_IMG");
    g_autofree char *raw = file_of(run, "disk.raw");
    g_autofree char *disk = file_of(run, "disk.img");
    g_autofree char *command = NULL;
    int status;

    if (!qemu_img) {
        return false;
    }
    make_file(run, "disk.raw", 0x5a, IMAGE_SIZE);
    command = g_strdup_printf("%s convert -f raw -O qcow2 %s %s", qemu_img,
                              raw, disk);
    return g_spawn_command_line_sync(command, NULL, NULL, &status, NULL) &&
           status == 0;
}

static char *read_file(const Run *run, const char *name)
{
    g_autofree char *path = file_of(run, name);
    char *text = NULL;

    g_file_get_contents(path, &text, NULL, NULL);
    return text ? text : g_strdup("");
}

static void remove_files(const Run *run)
{
    GDir *dir;
    const char *name;

    if (g_getenv("AIO_WAKEUP_KEEP")) {
        g_test_message("files are in %s", run->dir);
        return;
    }
    dir = g_dir_open(run->dir, 0, NULL);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = file_of(run, name);

        g_unlink(path);
    }
    g_dir_close(dir);
    g_rmdir(run->dir);
}

/* --- what the guest and the schedule say --------------------------------- */

static void set_string(char **place, const char *value)
{
    g_free(*place);
    *place = g_strdup(value);
}

/* The main loop sleeps, and nobody is left that could wake it. */
static bool is_loss(const char *line)
{
    int polls, others;
    double sleep_ms;

    return sscanf(line, "evidence %*u lost main-syscall=%*d main-polls=%d "
                  "sleep-ms=%lf notifier=%*d count=%*d others-sleep=%d",
                  &polls, &sleep_ms, &others) == 3 &&
           polls && others && (sleep_ms < 0 || sleep_ms >= SLEEP_MS);
}

static void take_log_line(Run *run, const char *line)
{
    unsigned polls;

    if (g_str_has_prefix(line, "round ")) {
        run->met += g_str_has_suffix(line, " met");
    } else if (g_str_has_prefix(line, "unreachable ")) {
        set_string(&run->unreachable, line);
    } else if (g_str_has_prefix(line, "missed ")) {
        set_string(&run->missed, line);
    } else if (sscanf(line, "quiet %*u polls=%u", &polls) == 1) {
        run->spins += polls >= SPIN_POLLS;
    } else if (is_loss(line)) {
        run->lost++;
        set_string(&run->evidence, line);
    }
}

static void take_report_line(Run *run, const char *line)
{
    unsigned rounds, lost;

    if (sscanf(line, "progress %u lost %u", &rounds, &lost) == 2) {
        run->told = rounds;
        run->guest_lost = lost;
    } else if (g_str_has_prefix(line, "round ")) {
        run->told++;
        run->guest_lost += strstr(line, " lost ") != NULL;
    } else if (g_str_has_prefix(line, "error ")) {
        set_string(&run->error, line);
    }
}

/* Both files are short: they are read from their beginning each time. */
static void look(Run *run)
{
    g_autofree char *report = read_file(run, "report");
    g_autofree char *log = read_file(run, "schedule.log");
    g_auto(GStrv) told = g_strsplit(report, "\n", -1);
    g_auto(GStrv) logged = g_strsplit(log, "\n", -1);
    int i;

    run->told = run->guest_lost = run->met = run->lost = run->spins = 0;
    /* what follows the last newline is not complete yet, or empty */
    for (i = 0; told[i] && told[i + 1]; i++) {
        take_report_line(run, told[i]);
    }
    for (i = 0; logged[i] && logged[i + 1]; i++) {
        take_log_line(run, logged[i]);
    }
    if (!run->c->schedule) {
        run->met = run->told;
        run->lost = run->guest_lost;
    }
}

static bool is_judged(const Run *run)
{
    return run->lost || run->spins >= SPINS_TO_TELL || run->error ||
           run->unreachable || run->met >= run->c->rounds;
}

/* --- QEMU ---------------------------------------------------------------- */

/* What the environment of QEMU says; what was preloaded before stays so. */
static void set_env(const Run *run, const char *preloaded)
{
    g_autofree char *engine = g_build_filename(module_dir(), "schedule",
                                               "aio-wakeup-schedule.so", NULL);
    g_autofree char *name = g_strconcat(run->c->schedule, ".schedule", NULL);
    g_autofree char *schedule = g_build_filename(module_dir(), "schedule",
                                                 name, NULL);
    g_autofree char *log = file_of(run, "schedule.log");
    g_autofree char *preload = g_strjoin(preloaded ? ":" : "", engine,
                                         preloaded ?: "", NULL);

    g_assert_true(g_file_test(engine, G_FILE_TEST_EXISTS));
    g_setenv("LD_PRELOAD", preload, true);
    g_setenv("AIO_WAKEUP_SCHEDULE", schedule, true);
    g_setenv("AIO_WAKEUP_LOG", log, true);
    g_setenv("AIO_WAKEUP_LOG_ROUNDS", g_getenv("AIO_WAKEUP_KEEP") ? "3" : "0",
             true);
}

static void restore_env(const char *preloaded)
{
    if (preloaded) {
        g_setenv("LD_PRELOAD", preloaded, true);
    } else {
        g_unsetenv("LD_PRELOAD");
    }
}

/* The command must have worked. */
static void worked(QDict *response)
{
    g_assert_nonnull(response);
    g_assert_true(qdict_haskey(response, "return"));
    qobject_unref(response);
}

/*
 * No timer of the host's clock: it would wake the main loop.  Threads have
 * their names, by which a schedule knows them.
 */
static char *side_options(const Run *run)
{
    return run->c->side ? g_strdup_printf(
        "-rtc clock=vm -name aio-wakeup,debug-threads=on "
        "-object iothread,id=io "
        "-blockdev driver=file,node-name=side,filename=%s/side.img",
        run->dir) : g_strdup("");
}

/* A disk of an iothread's, with something to flush; no guest sees it. */
static void dirty_side(Run *run)
{
    g_autofree char *said = qtest_hmp(run->qts,
                                      "qemu-io side \"write -q 0 512\"");

    g_assert_cmpstr(said, ==, "");
    worked(qtest_qmp(run->qts,
        "{ 'execute': 'x-blockdev-set-iothread',"
        "  'arguments': { 'node-name': 'side', 'iothread': 'io' } }"));
}

static void start_qemu(Run *run)
{
    const WakeupCase *c = run->c;
    const char *d = run->dir;
    g_autofree char *preloaded = g_strdup(g_getenv("LD_PRELOAD"));
    g_autofree char *side = side_options(run);
    g_autofree char *second = c->second ? g_strdup_printf(
        "-drive if=none,id=second,format=raw,file=%s/disk2.img %s", d,
        c->second) : g_strdup("");

    if (c->schedule) {
        set_env(run, preloaded);
    }
    /* libqtest adds -accel qtest after this: the first one counts. */
    run->qts = qtest_initf(
        "%s -accel tcg -m 16 -nodefaults -no-user-config -S "
        "-drive if=pflash,unit=0,format=raw,readonly=on,file=%s/firmware.bin "
        "-drive if=pflash,unit=1,format=raw,file=%s/flash.img "
        "-drive if=none,id=disk,format=%s,file=%s/disk.img,cache=%s,aio=%s "
        "-chardev file,id=report,path=%s/report "
        "-chardev file,id=marks,path=%s/marks "
        "-pidfile %s/pid %s %s %s %s",
        c->virt ? "-machine virt,secure=on -cpu cortex-a57"
                : "-machine pc -vga none",
        d, d, c->format ?: "raw", d, c->aio ? "none" : "writeback",
        c->aio ?: "threads", d, d, d,
        c->virt ? "-device virtio-blk-device,drive=disk "
                  "-serial chardev:report -serial chardev:marks"
                : "-device virtio-blk-pci,drive=disk,ioeventfd=off "
                  "-device isa-debugcon,iobase=0xe9,chardev=report "
                  "-device isa-debugcon,iobase=0xea,chardev=marks "
                  "-device isa-debug-exit,iobase=0xf4,iosize=4",
        side, second, c->options ?: "");
    restore_env(preloaded);
    if (c->side) {
        dirty_side(run);
    }
    /* A guest that ends QEMU could be quicker than libqtest's handshake. */
    worked(qtest_qmp(run->qts, "{ 'execute': 'cont' }"));
}

static bool wait_gone(Run *run, int64_t bound_us)
{
    int64_t end = g_get_monotonic_time() + bound_us;

    while (!run->gone && g_get_monotonic_time() < end) {
        run->gone = !qtest_probe_child(run->qts);
        if (!run->gone) {
            g_usleep(LOOK_US);
        }
    }
    return run->gone;
}

/* A main loop that has lost a wakeup may not even heed SIGTERM. */
static void end_qemu(Run *run)
{
    g_autofree char *text = read_file(run, "pid");
    pid_t pid = atoi(text);

    if (run->error) {
        qtest_set_expected_status(run->qts, 3);
        wait_gone(run, END_US);
    }
    if (!run->gone && pid > 0) {
        kill(pid, SIGTERM);
        if (!wait_gone(run, END_US)) {
            g_test_message("QEMU did not heed SIGTERM");
            kill(pid, SIGKILL);
            wait_gone(run, END_US);
            return;
        }
    }
    qtest_quit(run->qts);
}

/* --- a case -------------------------------------------------------------- */

/* Neither kept nor lost: fails, and says that this is no loss. */
static void no_verdict(const char *fmt, ...) G_GNUC_PRINTF(1, 2);

static void no_verdict(const char *fmt, ...)
{
    g_autofree char *why = NULL;
    va_list ap;

    va_start(ap, fmt);
    why = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_test_message("no verdict: %s", why);
    g_test_fail();
}

static void judge(const Run *run)
{
    const WakeupCase *c = run->c;

    g_test_message("%u rounds as scheduled, %u lost, %u spins", run->met,
                   run->lost, run->spins);
    if (run->error) {
        no_verdict("the guest says: %s", run->error);
    } else if (run->lost || run->spins >= SPINS_TO_TELL) {
        g_test_message("%s%s", run->lost ? "lost; " : "the main loop spins",
                       run->evidence ?: "");
        g_test_fail();
    } else if (run->unreachable) {
        g_test_skip(run->unreachable);
    } else if (run->met < c->rounds) {
        no_verdict("%u of %u rounds only%s%s", run->met, c->rounds,
                   run->missed ? "; " : "", run->missed ?: "");
    }
}

/* --- a live migration ---------------------------------------------------- */

static bool wait_report(const Run *run, const char *line)
{
    int64_t end = g_get_monotonic_time() + BOUND_US;

    do {
        g_autofree char *report = read_file(run, "report");

        if (strstr(report, line)) {
            return true;
        }
        g_usleep(LOOK_US);
    } while (g_get_monotonic_time() < end);
    return false;
}

/* Ends by itself, and may wake somebody then */
static bool is_io(int nr)
{
    return nr == SYS_pread64 || nr == SYS_pwrite64 || nr == SYS_preadv ||
           nr == SYS_pwritev || nr == SYS_fdatasync || nr == SYS_fsync;
}

/*
 * Does the main thread sleep in a poll, and every other thread in whatever but
 * I/O?
 */
static bool all_asleep(pid_t pid)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task", (int)pid);
    GDir *dir = g_dir_open(tasks, 0, NULL);
    const char *tid;
    bool ret = dir != NULL;

    while (ret && (tid = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(tasks, tid, "syscall", NULL);
        g_autofree char *text = NULL;
        int nr;

        /* the file says "running" otherwise */
        ret = g_file_get_contents(path, &text, NULL, NULL) &&
              sscanf(text, "%d", &nr) == 1 && !is_io(nr) &&
              (atoi(tid) != pid || nr == SYS_ppoll);
    }
    if (dir) {
        g_dir_close(dir);
    }
    return ret;
}

static void start_migration(Run *run)
{
    if (!wait_report(run, "ready\n")) {
        return;
    }
    worked(qtest_qmp(run->qts,
        "{ 'execute': 'migrate-set-capabilities', 'arguments': {"
        "  'capabilities': [ { 'capability': 'pause-before-switchover',"
        "                      'state': true } ] } }"));
    worked(qtest_qmp(run->qts,
        "{ 'execute': 'migrate-set-parameters',"
        "  'arguments': { 'max-bandwidth': %d } }", BANDWIDTH));
    worked(qtest_qmp(run->qts,
        "{ 'execute': 'migrate',"
        "  'arguments': { 'uri': 'exec:cat >/dev/null' } }"));
    qtest_writel(run->qts, GO_ADDRESS, 1);
}

/*
 * The guest has asked QEMU to leave and is stopped.  When nothing runs any
 * more the request is forgotten; it is not when QEMU leaves only after it was
 * spoken to.
 */
static void watch_migration(Run *run)
{
    g_autofree char *text = read_file(run, "pid");
    pid_t pid = atoi(text);
    int64_t end = g_get_monotonic_time() + BOUND_US;
    int64_t awake = g_get_monotonic_time();
    int64_t now;

    do {
        g_usleep(LOOK_US);
        run->gone = !qtest_probe_child(run->qts);
        now = g_get_monotonic_time();
        if (!all_asleep(pid)) {
            awake = now;
        }
    } while (!run->gone && now - awake < ASLEEP_US && now < end);
    look(run);
    if (run->gone || now >= end) {
        return;
    }
    qtest_qmp_send(run->qts, "{ 'execute': 'query-status' }");
    if (wait_gone(run, END_US)) {
        run->lost = 1;
        set_string(&run->evidence, "QEMU slept, and left when spoken to");
    }
}

static void run_migration(Run *run)
{
    start_qemu(run);
    start_migration(run);
    watch_migration(run);
    /* QEMU 5.2 may fail an assertion when it leaves in a migration. */
    if (!run->gone || !run->lost) {
        end_qemu(run);
    }
}

/* --- a request while the main thread polls -------------------------------- */

/* How often the threads of @pid have gone to sleep or been preempted */
static uint64_t count_switches(pid_t pid)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task", (int)pid);
    GDir *dir = g_dir_open(tasks, 0, NULL);
    uint64_t sum = 0;
    const char *tid;

    while (dir && (tid = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(tasks, tid, "status", NULL);
        g_autofree char *text = NULL;
        const char *p;

        if (g_file_get_contents(path, &text, NULL, NULL)) {
            for (p = text; (p = strstr(p, "ctxt_switches:")); p++) {
                sum += g_ascii_strtoull(p + strlen("ctxt_switches:"), NULL, 10);
            }
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
    return sum;
}

/*
 * True when QEMU is @met times as scheduled and still: the main thread sleeps
 * in a poll and all others in whatever, and none of them ran between two looks.
 * False when it is gone, or the bound is reached.
 */
static bool wait_still(Run *run, unsigned met)
{
    g_autofree char *text = read_file(run, "pid");
    pid_t pid = atoi(text);
    int64_t end = g_get_monotonic_time() + BOUND_US;
    uint64_t before = 0;

    do {
        uint64_t now = all_asleep(pid) ? count_switches(pid) : 0;

        look(run);
        if (now && now == before && run->met >= met && all_asleep(pid)) {
            return true;
        }
        before = now;
        g_usleep(LOOK_US);
        run->gone = !qtest_probe_child(run->qts);
    } while (!run->gone && !run->missed && g_get_monotonic_time() < end);
    return false;
}

/* Has QEMU's signal handler run? */
static bool is_handled(pid_t pid, int signum)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid);
    g_autofree char *text = NULL;
    const char *pending;

    return g_file_get_contents(path, &text, NULL, NULL) &&
           (pending = strstr(text, "ShdPnd:")) &&
           !(g_ascii_strtoull(pending + strlen("ShdPnd:"), NULL, 16) &
             (1ull << (signum - 1)));
}

static void start_request(Run *run)
{
    const WakeupCase *c = run->c;
    const char *d = run->dir;
    g_autofree char *preloaded = g_strdup(g_getenv("LD_PRELOAD"));
    g_autofree char *side = side_options(run);

    set_env(run, preloaded);
    run->qts = qtest_initf(
        "-machine pc -vga none -m 16 -nodefaults -no-user-config "
        "-pidfile %s/pid "
        "-drive if=pflash,unit=0,format=raw,readonly=on,file=%s/flash.img "
        "%s %s", d, d, side, c->options ?: "");
    restore_env(preloaded);
    dirty_side(run);
}

/*
 * SIGTERM is lost when QEMU has handled it, is still, and a second one ends it:
 * that one finds the main loop in its poll.  A guest's request is lost when
 * QEMU is still, and leaves when spoken to.
 */
static void ask_for_request(Run *run, unsigned met)
{
    g_autofree char *text = read_file(run, "pid");
    pid_t pid = atoi(text);
    const PortWrite *ask;

    for (ask = run->c->asks; ask && ask->port; ask++) {
        qtest_outb(run->qts, ask->port, ask->value);
    }
    if (!wait_still(run, met + 1)) {
        return;
    }
    if (run->c->power_off) {
        qtest_qmp_send(run->qts, "{ 'execute': 'query-status' }");
        set_string(&run->evidence, "QEMU slept, and left when spoken to");
    } else if (is_handled(pid, SIGTERM)) {
        kill(pid, SIGTERM);
        set_string(&run->evidence,
                   "QEMU slept on SIGTERM, and left at a second one");
    }
    run->lost = wait_gone(run, END_US);
}

static void run_request(Run *run)
{
    unsigned lost = 0;
    unsigned met = 0;
    bool done;

    do {
        run->gone = false;
        if (run->c->asks) {
            start_request(run);
        } else {
            start_qemu(run);
        }
        ask_for_request(run, met);
        done = run->gone;
        end_qemu(run);
        lost += run->lost;
        look(run);
        run->lost = lost;
        met++;
    } while (done && !run->lost && run->met == met && met < run->c->rounds);
    if (!done) {
        run->met = 0;       /* QEMU is still there, for another reason */
    }
}

/* --- a guest ------------------------------------------------------------- */

static void run_guest(Run *run)
{
    int64_t end = g_get_monotonic_time() + BOUND_US;
    unsigned boots = 0;

    /* The log of the schedule goes on from boot to boot. */
    do {
        run->gone = false;
        boots++;
        start_qemu(run);
        do {
            g_usleep(LOOK_US);
            run->gone = !qtest_probe_child(run->qts);
            look(run);
        } while (!run->gone && !is_judged(run) &&
                 g_get_monotonic_time() < end);
        end_qemu(run);
    } while (run->gone && run->c->ends_qemu && !is_judged(run) &&
             boots < MAX_BOOTS && g_get_monotonic_time() < end);
}

static const char *cannot_run(Run *run)
{
    const WakeupCase *c = run->c;
    static char *why;
    g_autofree char *bin = g_strconcat(c->guest ?: "lost-bh", ".bin", NULL);
    g_autofree char *built = g_build_filename(module_dir(), "guest", bin,
                                              NULL);
    const char *disk = c->virt ? "virtio-blk-device" : "virtio-blk-pci";

    g_free(why);
    why = NULL;
    if (!g_file_test(built, G_FILE_TEST_EXISTS)) {
        why = g_strdup_printf("%s is not built, it needs a compiler for its "
                              "architecture (gcc-aarch64-linux-gnu)", built);
    } else if (!has_device(disk) || (c->device && !has_device(c->device))) {
        why = g_strdup_printf("this QEMU has no %s; build it with all devices"
            " (AIO_WAKEUP_DEVICES=all)", c->device ?: disk);
    } else if (c->format && !make_qcow2(run)) {
        why = g_strdup("no qcow2 image: set QTEST_QEMU_IMG to a qemu-img");
    } else if (c->aio) {
        g_autofree char *image = file_of(run, "disk.img");
        g_autofree char *lack = lacks_aio(image, c->aio);

        if (lack) {
            why = g_strdup_printf("no aio=%s here: %s", c->aio, lack);
        }
    }
    return why;
}

static void test_wakeup(const void *opaque)
{
    Run run = { .c = opaque };
    const char *why;

    run.dir = g_dir_make_tmp("aio-wakeup-XXXXXX", NULL);
    g_assert_nonnull(run.dir);
    make_file(&run, "flash.img", 0xff, FLASH_SIZE);
    make_file(&run, "disk.img", 0x5a, IMAGE_SIZE);
    make_file(&run, "disk2.img", 0x5a, IMAGE_SIZE);
    if (run.c->side) {
        make_file(&run, "side.img", 0x5a, IMAGE_SIZE);
    }
    if (run.c->virt) {
        g_autofree char *flash = file_of(&run, "flash.img");

        g_assert_cmpint(truncate(flash, VIRT_FLASH_SIZE), ==, 0);
    }

    why = cannot_run(&run);
    if (why) {
        g_test_skip(why);
    } else {
        if (run.c->guest) {
            make_firmware(&run);
        }
        if (run.c->side) {
            run_request(&run);
        } else if (run.c->migrates) {
            run_migration(&run);
        } else {
            run_guest(&run);
        }
        judge(&run);
    }
    remove_files(&run);
    g_free(run.dir);
    g_free(run.error);
    g_free(run.unreachable);
    g_free(run.missed);
    g_free(run.evidence);
}

int main(int argc, char **argv)
{
    const char *only = g_getenv("AIO_WAKEUP_ONLY") ?: "*";
    size_t i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autofree char *path = g_strdup_printf("aio-wakeup/%s",
                                                cases[i].name);

        if (cases[i].virt == is_virt() &&
            g_pattern_match_simple(only, cases[i].name)) {
            qtest_add_data_func(path, &cases[i], test_wakeup);
        }
    }
    return g_test_run();
}
