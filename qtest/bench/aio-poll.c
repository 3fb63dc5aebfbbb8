/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an iteration of the event loop costs, in this process alone
 *
 * Built with a QEMU tree's own libraries (scripts/qemu.sh --program), once for
 * each variant of the tree.  Two uses:
 *
 *   aio-poll --seconds S      iterations a second, each kind for S seconds:
 *                             "rate KIND PER_SECOND"
 *   aio-poll --instructions   what one call executes when it has nothing to
 *                             do, by single steps: "count CALL locked N fences
 *                             N syscalls N instructions N"
 *
 * Kinds are WAITER-WORK.  WAITER: "main" is aio_poll() on the main context, as
 * a temporary waiter calls it; "own" is aio_poll() on a context without a
 * GSource, as in an iothread; "loop" is main_loop_wait().  WORK: "nothing"
 * pending; "bh", one that the same thread scheduled; "thread", one that
 * another thread schedules while the waiter sleeps.
 */
#include "qemu/osdep.h"
#if __has_include("qemu/aio.h")
#include "qemu/aio.h"
#else
#include "block/aio.h"
#endif
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/thread.h"
#include "iothread.h"

#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#define WARM_UP 100
#define CLOCK_EVERY 64

typedef enum Waiter { WAITER_MAIN, WAITER_OWN, WAITER_LOOP, WAITERS } Waiter;
typedef enum Work { WORK_NOTHING, WORK_BH, WORK_THREAD, WORKS } Work;

static const char *const waiter_names[] = { "main", "own", "loop" };
static const char *const work_names[] = { "nothing", "bh", "thread" };

static AioContext *context[WAITERS];

/* --- rates --------------------------------------------------------------- */

typedef struct Bench {
    Waiter waiter;
    QEMUBH *bh;
    QemuSemaphore ran;          /* for the other thread: schedule the next */
    bool other_thread;
    bool stop;
    uint64_t bhs;
} Bench;

static void iterate(Waiter waiter, bool blocking)
{
    if (waiter == WAITER_LOOP) {
        main_loop_wait(!blocking);
    } else {
        aio_poll(context[waiter], blocking);
    }
}

static void count_bh(void *opaque)
{
    Bench *b = opaque;

    b->bhs++;
    if (b->other_thread) {
        qemu_sem_post(&b->ran);
    }
}

static void *schedule_bhs(void *opaque)
{
    Bench *b = opaque;

    for (;;) {
        qemu_sem_wait(&b->ran);
        if (qatomic_read(&b->stop)) {
            return NULL;
        }
        qemu_bh_schedule(b->bh);
    }
}

/* One iteration, or as many as a bottom half takes to run */
static void once(Bench *b, Work work)
{
    uint64_t bhs = b->bhs;

    if (work == WORK_NOTHING) {
        iterate(b->waiter, false);
        return;
    }
    if (work == WORK_BH) {
        qemu_bh_schedule(b->bh);
    }
    while (b->bhs == bhs) {
        iterate(b->waiter, true);
    }
}

static double rate(Waiter waiter, Work work, double seconds)
{
    Bench b = { .waiter = waiter, .other_thread = work == WORK_THREAD };
    QemuThread thread;
    int64_t start, now, end;
    uint64_t n = 0;

    b.bh = aio_bh_new(context[waiter], count_bh, &b);
    qemu_sem_init(&b.ran, 0);
    if (b.other_thread) {
        qemu_thread_create(&thread, "scheduler", schedule_bhs, &b,
                           QEMU_THREAD_JOINABLE);
        qemu_sem_post(&b.ran);
    }

    for (int i = 0; i < WARM_UP; i++) {
        once(&b, work);
    }
    start = g_get_monotonic_time();
    end = start + seconds * G_USEC_PER_SEC;
    do {
        for (int i = 0; i < CLOCK_EVERY; i++) {
            once(&b, work);
        }
        n += CLOCK_EVERY;
        now = g_get_monotonic_time();
    } while (now < end);

    if (b.other_thread) {
        qatomic_set(&b.stop, true);
        qemu_sem_post(&b.ran);
        qemu_thread_join(&thread);
    }
    qemu_bh_delete(b.bh);
    iterate(waiter, false);
    qemu_sem_destroy(&b.ran);
    return n / ((now - start) / 1e6);
}

static void print_rates_of(Waiter waiter, double seconds)
{
    for (int work = 0; work < WORKS; work++) {
        printf("rate %s-%s %.0f\n", waiter_names[waiter], work_names[work],
               rate(waiter, work, seconds));
    }
}

typedef struct OwnJob {
    double seconds;
    QemuEvent done;
} OwnJob;

/* Runs in the iothread, as only that one may poll its context. */
static void print_own_rates(void *opaque)
{
    OwnJob *job = opaque;

    print_rates_of(WAITER_OWN, job->seconds);
    qemu_event_set(&job->done);
}

static void print_rates(double seconds)
{
    IOThread *iothread = iothread_new();
    OwnJob job = { .seconds = seconds };

    print_rates_of(WAITER_MAIN, seconds);
    print_rates_of(WAITER_LOOP, seconds);

    context[WAITER_OWN] = iothread_get_aio_context(iothread);
    qemu_event_init(&job.done, false);
    aio_bh_schedule_oneshot(context[WAITER_OWN], print_own_rates, &job);
    qemu_event_wait(&job.done);
    iothread_join(iothread);
}

/* --- instructions -------------------------------------------------------- */

static GSource *source;

static void call_prepare(void)
{
    gint timeout = -1;

    source->source_funcs->prepare(source, &timeout);
}

static void call_check(void)
{
    source->source_funcs->check(source);
}

static void call_dispatch(void)
{
    source->source_funcs->dispatch(source, NULL, NULL);
}

static void call_notify(void)
{
    aio_notify(context[WAITER_MAIN]);
}

static void call_notify_accept(void)
{
    aio_notify_accept(context[WAITER_MAIN]);
}

static void call_poll(void)
{
    aio_poll(context[WAITER_MAIN], false);
}

/* In the order of an idle main loop: check ends what prepare begins. */
static const struct {
    const char *name;
    void (*call)(void);
} calls[] = {
    { "aio_ctx_prepare", call_prepare },
    { "aio_ctx_check", call_check },
    { "aio_ctx_dispatch", call_dispatch },
    { "aio_notify", call_notify },
    { "aio_notify_accept", call_notify_accept },
    { "aio_poll", call_poll },
};

/* The parent sees the child come by here. */
static void __attribute__((noinline)) passing_begin(void)
{
    asm volatile("" : : : "memory");
}

static void __attribute__((noinline)) passing_end(void)
{
    asm volatile("" : : : "memory");
}

static void __attribute__((noreturn)) be_traced(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    for (int i = 0; i < WARM_UP; i++) {
        for (int j = 0; j < ARRAY_SIZE(calls); j++) {
            calls[j].call();
        }
    }
    raise(SIGSTOP);
    for (int j = 0; j < ARRAY_SIZE(calls); j++) {
        passing_begin();
        calls[j].call();
        passing_end();
    }
    _exit(0);
}

typedef struct Counts {
    unsigned locked, fences, syscalls, instructions;
} Counts;

#ifdef __x86_64__
static bool is_prefix(uint8_t byte)
{
    return byte == 0x66 || byte == 0x67 || byte == 0xf2 || byte == 0xf3 ||
           byte == 0x2e || byte == 0x36 || byte == 0x3e || byte == 0x26 ||
           byte == 0x64 || byte == 0x65;
}

/* @ours: the code is in this program, not in the C library or glib */
static void count_instruction(const uint8_t *code, bool ours, Counts *counts)
{
    counts->instructions++;
    while (is_prefix(*code)) {
        code++;
    }
    if (*code == 0xf0) {
        counts->locked += ours;
        return;
    }
    if ((*code & 0xf0) == 0x40) {
        code++;
    }
    if ((code[0] == 0x86 || code[0] == 0x87) && code[1] < 0xc0) {
        counts->locked += ours;         /* xchg with memory */
    } else if (code[0] == 0x0f && code[1] == 0xae && code[2] >= 0xe8) {
        counts->fences += ours;         /* lfence, mfence, sfence */
    } else if (code[0] == 0x0f && code[1] == 0x05) {
        counts->syscalls++;
    }
}

static void peek(pid_t pid, uintptr_t address, uint8_t code[16])
{
    for (int i = 0; i < 16; i += sizeof(long)) {
        long word = ptrace(PTRACE_PEEKTEXT, pid, address + i, NULL);

        memcpy(code + i, &word, sizeof(word));
    }
}

/* The linker's: where the code of this program begins and ends */
extern char __executable_start[], etext[];

static int print_instructions(void)
{
    struct user_regs_struct regs;
    Counts counts = { 0 };
    bool counting = false;
    uint8_t code[16];
    int status, n = 0;
    pid_t pid;

    source = aio_get_g_source(context[WAITER_MAIN]);
    pid = fork();
    if (pid == 0) {
        be_traced();
    }
    waitpid(pid, &status, 0);
    if (!WIFSTOPPED(status)) {
        fprintf(stderr, "aio-poll: no process can be traced here\n");
        return 77;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (WIFSTOPPED(status)) {
        ptrace(PTRACE_GETREGS, pid, NULL, &regs);
        if (regs.rip == (uintptr_t)passing_begin) {
            counts = (Counts) { 0 };
            counting = true;
        } else if (regs.rip == (uintptr_t)passing_end) {
            counting = false;
            printf("count %s locked %u fences %u syscalls %u instructions %u\n",
                   calls[n++].name, counts.locked, counts.fences,
                   counts.syscalls, counts.instructions);
        } else if (counting) {
            peek(pid, regs.rip, code);
            count_instruction(code,
                              regs.rip >= (uintptr_t)__executable_start &&
                              regs.rip < (uintptr_t)etext, &counts);
        }
        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0) {
            break;
        }
        waitpid(pid, &status, 0);
    }
    return n == ARRAY_SIZE(calls) ? 0 : 1;
}
#else
static int print_instructions(void)
{
    fprintf(stderr, "aio-poll: only x86-64 instructions can be counted\n");
    return 77;
}
#endif

int main(int argc, char **argv)
{
    qemu_init_main_loop(&error_fatal);
    context[WAITER_MAIN] = context[WAITER_LOOP] = qemu_get_aio_context();
    if (argc == 3 && !strcmp(argv[1], "--seconds") && atof(argv[2]) > 0) {
        print_rates(atof(argv[2]));
        return 0;
    }
    if (argc == 2 && !strcmp(argv[1], "--instructions")) {
        return print_instructions();
    }
    fprintf(stderr, "usage: aio-poll --seconds S | --instructions\n");
    return 2;
}
