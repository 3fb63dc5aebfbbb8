/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holds threads at the points of a schedule, and logs what really happened.
 *
 * Invariant: a thread is held only while it holds none of QEMU's locks that
 * the thread it waits for may need, because every point is a libc call that
 * QEMU itself may sleep in; a mark is held after the BQL has been dropped.
 * Every hold has a bound.  When it is reached, the log names the hold, the
 * rest of the round runs free, and the round counts as not met.
 *
 * Environment:
 *   AIO_WAKEUP_SCHEDULE    the schedule file; without it nobody is held
 *   AIO_WAKEUP_LOG         the log, see README.md for its lines
 *   AIO_WAKEUP_LOG_ROUNDS  how many rounds are logged step by step (default
 *                          3; rounds that are lost or not met always are)
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine.h"
#include "old-libc.h"
#include "real.h"
#include "schedule.h"

#define MAX_FDS      1024
#define MAX_HELD     16
#define MAX_EVENTS   2048
#define EVENT_TEXT   96
#define ASLEEP_POLL_NS 50000
#define QUIET_STEP_NS  2000000
#define QUIET_STEPS    25

typedef struct Thread {
    pid_t tid;
    unsigned roles;         /* bit mask of schedule roles */
    unsigned worker_roles;  /* those of them that last as long as one I/O */
    bool io_done;           /* I/O has returned, POINT_DONE not reached yet */
    bool name_known;
    int inside;             /* the engine's lock is taken, held or dropped */
    int pending_mark;       /* hold at this mark when the BQL is free, or -1 */
    int notifier_order;     /* oldest event notifier it has cleared, or 0 */
    void *held[MAX_HELD];   /* mutexes taken and not dropped */
    int n_held;
} Thread;

typedef struct Event {
    int64_t us;
    pid_t tid;
    unsigned roles;
    char text[EVENT_TEXT];
} Event;

static Schedule schedule;
static bool have_schedule;
static atomic_bool active;
static int log_fd = -1;
static int log_rounds = 3;
static int64_t start_ns;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond;

/* All below is protected by lock, unless said otherwise. */
static bool in_round;
static bool round_missed;
static bool said_unreachable;   /* in this round */
static bool dump_round;
static unsigned long round_number;
static pid_t role_tid[SCHEDULE_MAX_ROLES];
static Event events[MAX_EVENTS];
static int n_events;
static int n_dumped;
static int64_t main_timeout_ns = ENGINE_FOREVER;
static unsigned long main_polls;
static unsigned long quiet_polls;
static int64_t quiet_us;
static int waiter_notifier = -1;
static int waiter_notifier_order;

static atomic_int n_held_threads;
static atomic_ulong count_writes, count_reads, count_polls;
static atomic_ulong count_waiter_clears, count_waiter_polls;

/* Creation order of each event notifier; 0: not one.  Written rarely. */
static atomic_int eventfd_order[MAX_FDS];
static atomic_int eventfd_last;

/* Written by the main thread before it sleeps, read by all. */
static _Atomic(void *) bql;
static void *main_last_dropped;

static __thread Thread self = { .pending_mark = -1 };

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static pid_t my_tid(void)
{
    if (!self.tid) {
        self.tid = syscall(SYS_gettid);
    }
    return self.tid;
}

static bool is_main_thread(void)
{
    return my_tid() == getpid();
}

bool engine_active(void)
{
    return atomic_load_explicit(&active, memory_order_relaxed) && !self.inside;
}

/*
 * A signal handler of QEMU's may interrupt this thread here, and write a
 * notifier: that is no point of the schedule, and must not take the lock again.
 */
static void take_lock(void)
{
    self.inside++;
    atomic_signal_fence(memory_order_seq_cst);
    real_mutex_lock(&lock);
}

static void drop_lock(void)
{
    real_mutex_unlock(&lock);
    atomic_signal_fence(memory_order_seq_cst);
    self.inside--;
}

/* Roles of this thread now, a bit mask */
static unsigned my_roles(void)
{
    return self.roles | self.worker_roles;
}

/* --- log ----------------------------------------------------------------- */

static void log_write(const char *text, size_t len)
{
    while (len && log_fd >= 0) {
        ssize_t n = syscall(SYS_write, log_fd, text, len);

        if (n < 0) {
            return;
        }
        text += n;
        len -= n;
    }
}

static void __attribute__((format(printf, 1, 2)))
log_line(const char *fmt, ...)
{
    char line[512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
    va_end(ap);
    if (n < 0) {
        return;
    }
    if ((size_t)n > sizeof(line) - 2) {
        n = sizeof(line) - 2;
    }
    line[n] = '\n';
    log_write(line, n + 1);
}

/* The name under which @roles are logged: the first one that fits */
static const char *roles_name(unsigned roles)
{
    for (int i = 0; i < schedule.n_roles; i++) {
        if (roles & (1u << i)) {
            return schedule.roles[i].name;
        }
    }
    return "other";
}

static void dump_events(void)
{
    for (; n_dumped < n_events; n_dumped++) {
        const Event *e = &events[n_dumped];

        log_line("step %lu %lld %d %s %s", round_number, (long long)e->us,
                 (int)e->tid, roles_name(e->roles), e->text);
    }
}

static void __attribute__((format(printf, 1, 2)))
record(const char *fmt, ...)
{
    Event *e;
    va_list ap;

    if (!in_round || n_events == MAX_EVENTS) {
        return;
    }
    e = &events[n_events++];
    e->us = (now_ns() - start_ns) / 1000;
    e->tid = my_tid();
    e->roles = my_roles();
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    if (dump_round) {
        dump_events();
    }
}

static bool read_proc(pid_t tid, const char *name, char *buf, size_t size)
{
    char path[64];
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/self/task/%d/%s", (int)tid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    n = syscall(SYS_read, fd, buf, size - 1);
    syscall(SYS_close, fd);
    if (n <= 0) {
        return false;
    }
    buf[n] = '\0';
    return true;
}

/* --- roles --------------------------------------------------------------- */

static void take_role(int i)
{
    self.roles |= 1u << i;
    role_tid[i] = my_tid();
}

static void update_roles_by_mark(char mark)
{
    for (int i = 0; i < schedule.n_roles; i++) {
        if (schedule.roles[i].kind == ROLE_MARKS &&
            strchr(schedule.roles[i].arg, mark)) {
            take_role(i);
        }
    }
}

static void update_roles_of_thread(RoleKind kind)
{
    for (int i = 0; i < schedule.n_roles; i++) {
        if (schedule.roles[i].kind == kind) {
            take_role(i);
        }
    }
}

/* A thread's name does not change after it has first polled. */
static void update_roles_by_name(void)
{
    char name[32];

    if (self.name_known) {
        return;
    }
    self.name_known = true;
    if (!read_proc(my_tid(), "comm", name, sizeof(name))) {
        return;
    }
    name[strcspn(name, "\n")] = '\0';
    for (int i = 0; i < schedule.n_roles; i++) {
        if (schedule.roles[i].kind == ROLE_NAMED &&
            fnmatch(schedule.roles[i].arg, name, 0) == 0) {
            take_role(i);
        }
    }
}

static void update_roles_by_io(const char *path, EngineIo io)
{
    static const RoleKind kinds[] = {
        [ENGINE_READ] = ROLE_READS,
        [ENGINE_WRITE] = ROLE_WRITES,
        [ENGINE_SYNC] = ROLE_SYNCS,
    };
    const char *base = strrchr(path, '/');

    base = base ? base + 1 : path;
    self.worker_roles = 0;
    for (int i = 0; i < schedule.n_roles; i++) {
        const Role *role = &schedule.roles[i];

        if (role->kind == kinds[io] &&
            fnmatch(role->arg, base, 0) == 0) {
            self.worker_roles |= 1u << i;
            role_tid[i] = my_tid();
        }
    }
}

static bool holds_bql(void)
{
    void *mutex = atomic_load_explicit(&bql, memory_order_relaxed);

    for (int i = 0; mutex && i < self.n_held; i++) {
        if (self.held[i] == mutex) {
            return true;
        }
    }
    return false;
}

/* --- what others look like ----------------------------------------------- */

/*
 * Number of the system call that @tid sleeps in, or -1 when it runs or may
 * run at any moment (the kernel then says "running").
 */
static long sleeping_syscall(pid_t tid)
{
    char buf[256];
    long nr;

    if (!tid || !read_proc(tid, "syscall", buf, sizeof(buf)) ||
        sscanf(buf, "%ld", &nr) != 1) {
        return -1;
    }
    return nr;
}

static bool is_poll_syscall(long nr)
{
    static const long polls[] = {
#ifdef SYS_poll
        SYS_poll,
#endif
#ifdef SYS_epoll_wait
        SYS_epoll_wait,
#endif
#ifdef SYS_io_uring_enter
        SYS_io_uring_enter,
#endif
        SYS_ppoll, SYS_epoll_pwait,
    };

    for (size_t i = 0; i < sizeof(polls) / sizeof(polls[0]); i++) {
        if (nr == polls[i]) {
            return true;
        }
    }
    return false;
}

/* Value of an eventfd's counter, or -1 */
static long long eventfd_count(int fd)
{
    char path[64];
    char buf[512];
    const char *p;
    unsigned long long count;
    ssize_t n;
    int info;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    info = open(path, O_RDONLY | O_CLOEXEC);
    if (info < 0) {
        return -1;
    }
    n = syscall(SYS_read, info, buf, sizeof(buf) - 1);
    syscall(SYS_close, info);
    if (n <= 0) {
        return -1;
    }
    buf[n] = '\0';
    p = strstr(buf, "eventfd-count:");
    return p && sscanf(p, "eventfd-count: %llx", &count) == 1 ? (long long)count
                                                              : -1;
}

/* --- points -------------------------------------------------------------- */

static bool ref_matches(const PointRef *ref, Point point, char mark)
{
    if (ref->point != point ||
        !(my_roles() & (1u << ref->role)) ||
        (mark && ref->mark != mark)) {
        return false;
    }
    return ref->after < 0 || schedule.refs[ref->after].reached;
}

static bool ref_holds_now(const PointRef *ref)
{
    if (ref->point == POINT_ASLEEP) {
        return (ref->after < 0 || schedule.refs[ref->after].reached) &&
               is_poll_syscall(sleeping_syscall(role_tid[ref->role]));
    }
    return ref->reached;
}

static bool rule_is_over(const Rule *rule)
{
    for (int i = 0; i < rule->n_until; i++) {
        if (ref_holds_now(&schedule.refs[rule->until[i]])) {
            return true;
        }
    }
    return false;
}

static bool rule_polls(const Rule *rule)
{
    for (int i = 0; i < rule->n_until; i++) {
        if (schedule.refs[rule->until[i]].point == POINT_ASLEEP) {
            return true;
        }
    }
    return false;
}

static bool is_io_syscall(long nr)
{
    static const long io[] = {
        SYS_pread64, SYS_pwrite64, SYS_preadv, SYS_pwritev, SYS_fdatasync,
        SYS_fsync,
    };

    for (size_t i = 0; i < sizeof(io) / sizeof(io[0]); i++) {
        if (nr == io[i]) {
            return true;
        }
    }
    return false;
}

/*
 * Does every thread but this one sleep, none of them in I/O and none held by
 * us?  Then nothing is on its way that could still wake the main loop.  A
 * thread that could run and has not got a processor yet does not sleep.
 * Without the lock: a thread that waits for it must not look asleep.
 */
static bool all_others_sleep(void)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    bool ret = dir && !atomic_load(&n_held_threads);

    while (ret && (entry = readdir(dir))) {
        pid_t tid = atoi(entry->d_name);
        long nr;

        if (tid <= 0 || tid == my_tid()) {
            continue;
        }
        nr = sleeping_syscall(tid);
        ret = nr >= 0 && !is_io_syscall(nr);
    }
    if (dir) {
        closedir(dir);
    }
    return ret;
}

/* The same, with some time for a thread that is about to go to sleep */
static bool all_others_come_to_sleep(void)
{
    const struct timespec pause = { .tv_nsec = QUIET_STEP_NS };

    for (int i = 0; i < QUIET_STEPS; i++) {
        if (all_others_sleep()) {
            return true;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

static void log_evidence(const char *why, bool others_sleep)
{
    long nr = sleeping_syscall(getpid());
    double sleep_ms = main_timeout_ns == ENGINE_FOREVER ?
                      -1 : main_timeout_ns / 1e6;

    log_line("evidence %lu %s main-syscall=%ld main-polls=%d sleep-ms=%.0f "
             "notifier=%d count=%lld others-sleep=%d", round_number, why, nr,
             is_poll_syscall(nr), sleep_ms, waiter_notifier,
             waiter_notifier < 0 ? -1 : eventfd_count(waiter_notifier),
             others_sleep);
}

static void round_ends(void)
{
    bool met = !round_missed;

    for (int i = 0; i < schedule.n_rules; i++) {
        if (!schedule.rules[i].met && !schedule.rules[i].optional) {
            if (met) {
                log_line("missed %lu never: %s", round_number,
                         schedule.rules[i].text);
            }
            met = false;
        }
    }
    if (!met || round_number <= (unsigned long)log_rounds) {
        dump_events();
    }
    log_line("round %lu %s", round_number, met ? "met" : "not-met");
    in_round = false;
    pthread_cond_broadcast(&cond);
}

static void round_begins(void)
{
    if (in_round) {
        round_ends();
    }
    round_number++;
    in_round = true;
    round_missed = false;
    said_unreachable = false;
    dump_round = false;
    n_events = n_dumped = 0;
    for (int i = 0; i < schedule.n_refs; i++) {
        schedule.refs[i].reached = false;
    }
    for (int i = 0; i < schedule.n_rules; i++) {
        schedule.rules[i].met = false;
    }
    for (int i = 0; i < schedule.n_signals; i++) {
        schedule.signals[i].sent = false;
    }
}

/* With the lock taken */
static void reach(Point point, char mark)
{
    Schedule *s = &schedule;

    for (int i = 0; i < s->n_refs; i++) {
        PointRef *ref = &s->refs[i];

        if (!ref_matches(ref, point, mark)) {
            continue;
        }
        if (i == s->round_begin) {
            round_begins();
        }
    }
    for (int i = 0; in_round && i < s->n_refs; i++) {
        if (!s->refs[i].reached && ref_matches(&s->refs[i], point, mark)) {
            s->refs[i].reached = true;
            pthread_cond_broadcast(&cond);
        }
    }
    /* a mark ends its round after what else it does, see engine_mark() */
    if (in_round && s->round_end >= 0 && point != POINT_MARK &&
        point != POINT_AT_MARK &&
        ref_matches(&s->refs[s->round_end], point, mark)) {
        round_ends();
    }
}

/*
 * Some binaries cannot be brought into some orders: say so once a round,
 * instead of running into the bound in each.
 */
static bool is_reachable(const Rule *rule, Point point)
{
    const char *why = NULL;
    bool others = false;

    for (int i = 0; i < rule->n_until; i++) {
        pid_t tid = role_tid[schedule.refs[rule->until[i]].role];

        others |= tid != my_tid();
    }
    if (!others) {
        why = "one thread plays both roles";
    } else if (point == POINT_BEFORE_WRITE && self.n_held) {
        why = "the notifier writes with a lock in its hands that others need";
    }
    if (why && !said_unreachable) {
        said_unreachable = true;
        log_line("unreachable %s: %s", why, rule->text);
    }
    return !why;
}

/* With the lock taken; waits for one rule */
static void hold(Rule *rule)
{
    unsigned long round = round_number;
    int64_t begin = now_ns();
    int64_t end = begin + schedule.bound_ms * 1000000LL;
    bool polls = rule_polls(rule);
    bool waited = false;

    atomic_fetch_add(&n_held_threads, 1);
    while (in_round && round == round_number && !round_missed) {
        struct timespec ts;
        int64_t deadline = end;
        int64_t now;

        if (rule_is_over(rule)) {
            rule->met = true;
            break;
        }
        if (!waited) {
            record("held: %s", rule->text);
            waited = true;
        }
        now = now_ns();
        if (now >= end) {
            round_missed = true;
            record("bound");
            dump_events();
            log_line("missed %lu after %d ms: %s", round_number,
                     schedule.bound_ms, rule->text);
            log_evidence("bound", false);
            pthread_cond_broadcast(&cond);
            break;
        }
        if (polls && now + ASLEEP_POLL_NS < end) {
            deadline = now + ASLEEP_POLL_NS;
        }
        ts.tv_sec = deadline / 1000000000;
        ts.tv_nsec = deadline % 1000000000;
        real_cond_timedwait(&cond, &lock, &ts);
    }
    atomic_fetch_sub(&n_held_threads, 1);
    if (waited && rule->met) {
        record("goes on");
    }
}

/* With the lock taken; waits for every rule that holds at this point */
static void hold_at(Point point, char mark)
{
    for (int r = 0; in_round && r < schedule.n_rules; r++) {
        Rule *rule = &schedule.rules[r];

        for (int i = 0; i < rule->n_at; i++) {
            if (ref_matches(&schedule.refs[rule->at[i]], point, mark)) {
                if (is_reachable(rule, point)) {
                    hold(rule);
                }
                break;
            }
        }
    }
}

/*
 * With the lock taken, which is dropped meanwhile: the handler may run on this
 * very thread, and is to be seen like all that QEMU does.  A thread that sleeps
 * has been woken by the signal when kill() returns: once it is asleep again,
 * its handler has run.
 */
static void send_signals(void)
{
    for (int i = 0; in_round && i < schedule.n_signals; i++) {
        SignalRule *rule = &schedule.signals[i];

        if (!rule->sent && schedule.refs[rule->at].reached) {
            rule->sent = true;
            record("sends %s", rule->name);
            log_line("signal %lu %s", round_number, rule->name);
            drop_lock();
            kill(getpid(), rule->number);
            take_lock();
        }
    }
}

static void point(Point p)
{
    if (!have_schedule || !engine_active()) {
        return;
    }
    take_lock();
    reach(p, 0);
    send_signals();
    hold_at(p, 0);
    drop_lock();
}

static void __attribute__((format(printf, 2, 3)))
point_logged(Point p, const char *fmt, ...)
{
    char text[EVENT_TEXT];
    va_list ap;

    if (!have_schedule || !engine_active()) {
        return;
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    take_lock();
    record("%s", text);
    reach(p, 0);
    send_signals();
    hold_at(p, 0);
    drop_lock();
}

/* A worker that has done its I/O comes to an end of its notification */
static void worker_done(const char *how)
{
    if (self.io_done) {
        self.io_done = false;
        point_logged(POINT_DONE, "done (%s)", how);
    }
}

/* --- called by interpose.c ----------------------------------------------- */

void engine_before_poll(int64_t timeout_ns)
{
    atomic_fetch_add_explicit(&count_polls, 1, memory_order_relaxed);
    if (!engine_active()) {
        return;
    }
    if (!self.name_known) {
        take_lock();
        update_roles_by_name();
        drop_lock();
    }
    if (is_main_thread()) {
        /* what is dropped before a nested poll is some other mutex */
        if (timeout_ns && main_last_dropped && !holds_bql()) {
            atomic_store(&bql, main_last_dropped);
        }
        take_lock();
        update_roles_of_thread(ROLE_MAIN_THREAD);
        main_timeout_ns = timeout_ns;
        main_polls++;
        drop_lock();
    } else if (holds_bql()) {
        atomic_fetch_add_explicit(&count_waiter_polls, 1,
                                  memory_order_relaxed);
        take_lock();
        update_roles_of_thread(ROLE_TEMPORARY_WAITER);
        drop_lock();
    }
    if (!my_roles()) {
        return;
    }
    if (timeout_ns == ENGINE_FOREVER) {
        point_logged(POINT_BEFORE_POLL, "polls, for ever");
    } else {
        point_logged(POINT_BEFORE_POLL, "polls, for at most %.3f ms",
                     timeout_ns / 1e6);
    }
    if (timeout_ns >= SCHEDULE_SLEEP_MS * 1000000LL) {
        point(POINT_BEFORE_SLEEP);
    }
}

void engine_after_poll(int ret)
{
    if (engine_active() && my_roles()) {
        point_logged(POINT_AFTER_POLL, "poll returns %d", ret);
    }
}

void engine_before_clear(int fd)
{
    int order = fd < MAX_FDS ? atomic_load(&eventfd_order[fd]) : 0;

    atomic_fetch_add_explicit(&count_reads, 1, memory_order_relaxed);
    if (!engine_active()) {
        return;
    }
    if (!is_main_thread() && holds_bql()) {
        atomic_fetch_add_explicit(&count_waiter_clears, 1,
                                  memory_order_relaxed);
        take_lock();
        update_roles_of_thread(ROLE_TEMPORARY_WAITER);
        if (!waiter_notifier_order || order < waiter_notifier_order) {
            waiter_notifier_order = order;
            waiter_notifier = fd;
        }
        drop_lock();
    }
    /*
     * linux-aio and io_uring have event notifiers as well, but younger ones:
     * the context's own is made before any image is opened.
     */
    if (!self.notifier_order || order < self.notifier_order) {
        self.notifier_order = order;
    }
    if (order == self.notifier_order) {
        point_logged(POINT_BEFORE_CLEAR, "clears notifier %d", fd);
    }
}

void engine_after_clear(int fd)
{
    if (engine_active() && fd < MAX_FDS &&
        atomic_load(&eventfd_order[fd]) == self.notifier_order) {
        point_logged(POINT_AFTER_CLEAR, "notifier %d is clear", fd);
    }
}

void engine_before_write(int fd)
{
    atomic_fetch_add_explicit(&count_writes, 1, memory_order_relaxed);
    point_logged(POINT_BEFORE_WRITE, "writes notifier %d", fd);
}

void engine_after_write(int fd)
{
    point_logged(POINT_AFTER_WRITE, "notifier %d is set", fd);
    worker_done("notifier written");
}

void engine_before_io(const char *path, EngineIo io)
{
    static const char *const does[] = {
        [ENGINE_READ] = "reads",
        [ENGINE_WRITE] = "writes",
        [ENGINE_SYNC] = "flushes",
    };
    const char *base = strrchr(path, '/');

    worker_done("next request");
    if (!have_schedule || !engine_active()) {
        return;
    }
    take_lock();
    update_roles_by_io(path, io);
    drop_lock();
    if (self.worker_roles) {
        point_logged(POINT_BEFORE_IO, "%s %s", does[io],
                     base ? base + 1 : path);
    }
}

void engine_after_io(void)
{
    if (self.worker_roles) {
        point_logged(POINT_AFTER_IO, "I/O is done");
        self.io_done = true;
    }
}

void engine_mark(char mark)
{
    bool others_sleep = false;

    if (!have_schedule || !engine_active()) {
        return;
    }
    if (schedule.evidence >= 0 &&
        schedule.refs[schedule.evidence].mark == mark) {
        others_sleep = all_others_come_to_sleep();
    }
    take_lock();
    update_roles_by_mark(mark);
    reach(POINT_MARK, mark);
    reach(POINT_AT_MARK, mark);
    record("mark %c", mark);
    self.pending_mark = mark;
    if (schedule.evidence >= 0 &&
        ref_matches(&schedule.refs[schedule.evidence], POINT_MARK, mark)) {
        dump_round = true;
        dump_events();
        log_evidence("lost", others_sleep);
    }
    if (schedule.quiet_begin >= 0 &&
        ref_matches(&schedule.refs[schedule.quiet_begin], POINT_MARK, mark)) {
        quiet_polls = main_polls;
        quiet_us = now_ns() / 1000;
    }
    if (schedule.quiet_end >= 0 && quiet_us &&
        ref_matches(&schedule.refs[schedule.quiet_end], POINT_MARK, mark)) {
        log_line("quiet %lu polls=%lu us=%lld", round_number,
                 main_polls - quiet_polls,
                 (long long)(now_ns() / 1000 - quiet_us));
        quiet_us = 0;
    }
    if (in_round && schedule.round_end >= 0 &&
        ref_matches(&schedule.refs[schedule.round_end], POINT_MARK, mark)) {
        round_ends();
    }
    send_signals();
    hold_at(POINT_AT_MARK, mark);
    drop_lock();
}

void engine_eventfd_created(int fd)
{
    if (fd >= 0 && fd < MAX_FDS) {
        atomic_store(&eventfd_order[fd],
                     atomic_fetch_add(&eventfd_last, 1) + 1);
        atomic_store(&active, log_fd >= 0);
    }
}

void engine_fd_closed(int fd)
{
    if (fd >= 0 && fd < MAX_FDS) {
        atomic_store_explicit(&eventfd_order[fd], 0, memory_order_relaxed);
    }
}

bool engine_is_eventfd(int fd)
{
    return fd >= 0 && fd < MAX_FDS &&
           atomic_load_explicit(&eventfd_order[fd], memory_order_relaxed);
}

void engine_mutex_taking(void *mutex)
{
    if (self.roles &&
        mutex == atomic_load_explicit(&bql, memory_order_relaxed)) {
        point(POINT_BEFORE_BQL);
    }
}

void engine_mutex_taken(void *mutex)
{
    if (self.n_held < MAX_HELD) {
        self.held[self.n_held++] = mutex;
    }
}

void engine_mutex_dropping(void *mutex)
{
    for (int i = self.n_held - 1; i >= 0; i--) {
        if (self.held[i] == mutex) {
            self.held[i] = self.held[--self.n_held];
            break;
        }
    }
}

bool engine_wants_mutex_free(void *mutex)
{
    return self.pending_mark >= 0 && have_schedule &&
           mutex == atomic_load_explicit(&bql, memory_order_relaxed);
}

void engine_mutex_dropped(void *mutex)
{
    if (!engine_active()) {
        return;
    }
    if (is_main_thread()) {
        main_last_dropped = mutex;
    }
    if (engine_wants_mutex_free(mutex)) {
        int mark = self.pending_mark;

        self.pending_mark = -1;
        take_lock();
        hold_at(POINT_MARK, mark);
        drop_lock();
    }
}

void engine_before_idle(void *mutex)
{
    (void)mutex;
    worker_done("idle");
    if (engine_active() && self.roles) {
        point_logged(POINT_IDLE, "idle");
    }
}

static void __attribute__((constructor)) engine_start(void)
{
    const char *path = getenv("AIO_WAKEUP_SCHEDULE");
    const char *log = getenv("AIO_WAKEUP_LOG");
    const char *rounds = getenv("AIO_WAKEUP_LOG_ROUNDS");
    pthread_condattr_t attr;
    char err[256];

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&cond, &attr);
    start_ns = now_ns();
    if (rounds) {
        log_rounds = atoi(rounds);
    }
    if (log) {
        log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    }
    if (path) {
        have_schedule = schedule_load(path, &schedule, err, sizeof(err));
        if (!have_schedule) {
            fprintf(stderr, "aio-wakeup: %s\n", err);
            _exit(2);
        }
    }
}

static void __attribute__((destructor)) engine_stop(void)
{
    if (engine_active()) {
        if (in_round) {
            round_ends();       /* a round that ends QEMU ends here */
        }
        log_line("counts writes=%lu clears=%lu polls=%lu rounds=%lu "
                 "waiter-clears=%lu waiter-polls=%lu",
                 atomic_load(&count_writes), atomic_load(&count_reads),
                 atomic_load(&count_polls), round_number,
                 atomic_load(&count_waiter_clears),
                 atomic_load(&count_waiter_polls));
    }
}
