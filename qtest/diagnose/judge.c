/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "judge.h"
#include "shim.h"
#include "threads.h"

/* Between two looks; longer than a busy host keeps a thread waiting, mostly */
#define LOOK_US 250000

/* So long one that is ready to run, and does not, is waited for. */
#define MAX_STARVED_MS 5000

/* A timer may be this late before it counts: the main loop is on its way. */
#define LATE_NS 20000000

#define NS_PER_MS 1000000.0

/* What the main loop ought to do; @key says whether two are the same. */
typedef struct Work {
    char *key;
    char *text;
} Work;

/* One look */
typedef struct Look {
    GArray *threads;            /* Thread */
    Context *main;
    Context *iohandler;         /* or NULL */
    GArray *work;               /* Work */
    char *timers;
} Look;

typedef struct Judge {
    Target *t;
    Finder *finder;
    Diagnosis *d;
    Look first;
    Look last;
    int ms;                     /* between the two */
} Judge;

static void work_clear(gpointer data)
{
    g_free(((Work *)data)->key);
    g_free(((Work *)data)->text);
}

static void add_work(Look *look, char *key, char *text)
{
    Work work = { key, text };

    g_array_append_val(look->work, work);
}

static void look_at_bhs(Look *look, const Context *context, const char *where)
{
    for (guint i = 0; context && i < context->bhs->len; i++) {
        const BottomHalf *bh = &g_array_index(context->bhs, BottomHalf, i);

        add_work(look, g_strdup_printf("bh %" G_GINT64_MODIFIER "x",
                                       bh->address),
                 g_strdup_printf("bottom half %s%s is scheduled", bh->name,
                                 where));
    }
}

static void look_at_timers(Judge *j, Look *look)
{
    static const char *const clocks[] = { "host uptime", "guest clock",
                                          "time of day", "guest clock" };
    g_autoptr(GArray) timers = finder_read_timers(j->finder);
    GString *text = g_string_new(NULL);
    gint64 next = G_MAXINT64;
    int unknown = 0;

    for (guint i = 0; i < timers->len; i++) {
        const Timer *timer = &g_array_index(timers, Timer, i);
        gint64 now, late;

        if (!finder_clock_now(j->finder, timer->clock, &now)) {
            unknown++;
            continue;
        }
        late = now - timer->expire_ns;
        if (late > LATE_NS) {
            add_work(look, g_strdup_printf("timer %" G_GINT64_MODIFIER "x %"
                                           G_GINT64_FORMAT, timer->address,
                                           timer->expire_ns),
                     g_strdup_printf("timer %s (%s) is %.0f ms overdue",
                                     timer->name, clocks[timer->clock],
                                     late / NS_PER_MS));
        }
        next = MIN(next, -late);
    }
    if (next != G_MAXINT64 && next >= 0) {
        g_string_append_printf(text, "next one in %.0f ms", next / NS_PER_MS);
    } else if (next != G_MAXINT64) {
        g_string_append_printf(text, "first one %.0f ms overdue",
                               -next / NS_PER_MS);
    } else {
        g_string_append(text, "none that a clock is known for");
    }
    if (unknown) {
        g_string_append_printf(text, "; %d on clocks that stand still or "
                               "cannot be read", unknown);
    }
    look->timers = g_string_free(text, false);
}

/*
 * A file descriptor that is ready, and has a handler, would have woken a poll
 * that watches it.  Handlers of a temporary waiter's critical section may be
 * disabled, so this counts only when nobody is in aio_poll.
 */
static void look_at_fds(Judge *j, Look *look, const Context *context)
{
    for (guint i = 0; context && i < context->handlers->len; i++) {
        const Handler *h = &g_array_index(context->handlers, Handler, i);
        g_autofree char *link = target_fd_link(j->t, h->fd);
        struct pollfd pfd;

        /* its own notifier is only the messenger; signals would be ours */
        if (h->fd == context->notifier_fd || h->fd == context->source_fd ||
            !(h->events & (POLLIN | POLLOUT)) || !link ||
            strstr(link, "[signalfd]")) {
            continue;
        }
        pfd.fd = target_take_fd(j->t, h->fd);
        pfd.events = h->events & (POLLIN | POLLOUT);
        if (pfd.fd < 0) {
            continue;
        }
        if (poll(&pfd, 1, 0) == 1 && pfd.revents & pfd.events) {
            add_work(look, g_strdup_printf("fd %d", h->fd),
                     g_strdup_printf("fd %d (%s) is ready and has a handler",
                                     h->fd, link));
        }
        close(pfd.fd);
    }
}

static void look_once(Judge *j, Look *look)
{
    g_autofree char *requests = finder_read_requests(j->finder);

    look->work = g_array_new(false, true, sizeof(Work));
    g_array_set_clear_func(look->work, work_clear);
    look->threads = target_threads(j->t);
    look->main = finder_read_main(j->finder);
    look->iohandler = finder_read_iohandler(j->finder);
    look_at_bhs(look, look->main, "");
    look_at_bhs(look, look->iohandler, " (io-handler)");
    look_at_timers(j, look);
    if (requests) {
        add_work(look, g_strdup_printf("request %s", requests),
                 g_strdup_printf("request of the guest or a user: %s",
                                 requests));
    }
    if (j->t->pid && look->main->notify_me < 2) {
        look_at_fds(j, look, look->main);
        look_at_fds(j, look, look->iohandler);
    }
}

static void look_clear(Look *look)
{
    if (look->work) {
        g_array_unref(look->work);
        g_array_unref(look->threads);
        context_free(look->main);
        context_free(look->iohandler);
        g_free(look->timers);
        memset(look, 0, sizeof(*look));
    }
}

static const Thread *find_thread(const GArray *threads, int tid)
{
    for (guint i = 0; i < threads->len; i++) {
        const Thread *thread = &g_array_index(threads, Thread, i);

        if (thread->tid == tid) {
            return thread;
        }
    }
    return NULL;
}

/* Has the thread been on a processor in between? */
static bool has_run(const Judge *j, const Thread *now)
{
    const Thread *then = find_thread(j->first.threads, now->tid);

    return !then || then->run_ns != now->run_ns ||
           then->switches != now->switches;
}

/* The same words stand once, with how often. */
static void add_counted(GPtrArray *list, const char *text, unsigned n)
{
    g_ptr_array_add(list, n < 2 ? g_strdup(text) :
                    g_strdup_printf("%s (%u times)", text, n));
}

static void merge_equal(GPtrArray *list)
{
    g_autoptr(GPtrArray) old = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < list->len; i++) {
        g_ptr_array_add(old, g_strdup(list->pdata[i]));
    }
    g_ptr_array_set_size(list, 0);
    for (guint i = 0; i < old->len; i++) {
        unsigned n = 0;
        bool seen = false;

        for (guint k = 0; k < old->len; k++) {
            bool same = !strcmp(old->pdata[i], old->pdata[k]);

            n += same;
            seen |= same && k < i;
        }
        if (!seen) {
            add_counted(list, old->pdata[i], n);
        }
    }
}

static bool was_there(const Judge *j, const Work *w)
{
    for (guint i = 0; i < j->first.work->len; i++) {
        if (!strcmp(w->key, g_array_index(j->first.work, Work, i).key)) {
            return true;
        }
    }
    return false;
}

/* What was there in both looks */
static void keep_lasting_work(Judge *j)
{
    for (guint i = 0; i < j->last.work->len; i++) {
        const Work *w = &g_array_index(j->last.work, Work, i);

        if (was_there(j, w)) {
            g_ptr_array_add(j->d->pending, g_strdup(w->text));
        }
    }
    merge_equal(j->d->pending);
}

/* Could the answer be LOST WAKEUP?  Anything else needs no patience. */
static bool looks_lost(const Judge *j)
{
    if (has_run(j, &g_array_index(j->last.threads, Thread, 0))) {
        return false;
    }
    for (guint i = 0; i < j->last.work->len; i++) {
        if (was_there(j, &g_array_index(j->last.work, Work, i))) {
            return true;
        }
    }
    return false;
}

static void G_GNUC_PRINTF(3, 4) answer(Judge *j, Answer a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    j->d->answer = a;
    g_free(j->d->reason);
    j->d->reason = g_strdup_vprintf(fmt, ap);
    va_end(ap);
}

/*
 * The first thread that is ready to run, but got no processor since the first
 * look: it may be on the way to wake the main loop.  NULL: none
 */
static const Thread *find_starved(const Judge *j)
{
    const GArray *threads = j->last.threads;

    for (guint i = 1; i < threads->len; i++) {
        const Thread *thread = &g_array_index(threads, Thread, i);

        if ((thread->state == 'R' || (thread->state == 'D' &&
                                      thread->nr == THREAD_UNKNOWN)) &&
            !has_run(j, thread)) {
            return thread;
        }
    }
    return NULL;
}

/* Does the main loop's poll watch @fd?  And an io_uring? */
static bool watches(Judge *j, const Activity *main, int fd, bool *ring)
{
    bool found = false;

    *ring = false;
    for (unsigned i = 0; i < main->n_fds && i < 4096; i++) {
        struct pollfd pfd;

        if (target_read(j->t, main->fds + i * sizeof(pfd), &pfd,
                        sizeof(pfd))) {
            g_autofree char *link = target_fd_link(j->t, pfd.fd);

            found |= pfd.fd == fd;
            *ring |= link && strstr(link, "[io_uring]");
        }
    }
    return found;
}

static void describe_notifier(Judge *j, const Activity *main)
{
    Diagnosis *d = j->d;
    const Context *c = j->last.main;
    GString *text = g_string_new(NULL);
    bool direct = watches(j, main, c->notifier_fd, &d->ring);

    d->notify_me = c->notify_me;
    d->notified = c->notified;
    d->notifier_count = c->notifier_count;
    d->wake_fd = c->source_fd >= 0 ? c->source_fd : c->notifier_fd;
    if (j->last.iohandler) {
        d->iohandler_fd = j->last.iohandler->source_fd >= 0 ?
            j->last.iohandler->source_fd : j->last.iohandler->notifier_fd;
    }
    g_string_append_printf(text, "fd %d", c->notifier_fd);
    if (c->notifier_count >= 0) {
        g_string_append_printf(text, ", eventfd-count %" G_GINT64_FORMAT,
                               c->notifier_count);
    }
    if (c->source_fd >= 0) {
        g_string_append_printf(text, "; main loop's own: fd %d, eventfd-count "
                               "%" G_GINT64_FORMAT, c->source_fd,
                               c->source_count);
    }
    if (c->notified >= 0) {
        g_string_append_printf(text, "; notified %d", c->notified);
    }
    if (c->notify_me >= 0) {
        g_string_append_printf(text, "; notify_me %" G_GINT64_FORMAT ": %s, "
                               "%s", c->notify_me, c->notify_me & 1 ?
                               "the main loop is armed" :
                               "the main loop is not armed",
                               c->notify_me >= 2 ? "a thread is in aio_poll" :
                               "nobody is in aio_poll");
    }
    if (d->ring && !direct) {
        g_string_append(text, "; the main loop watches it through io_uring");
    }
    d->notifier = g_string_free(text, false);
}

static void describe_threads(Judge *j)
{
    const GArray *threads = j->last.threads;

    for (guint i = 1; i < threads->len; i++) {
        const Thread *thread = &g_array_index(threads, Thread, i);
        Activity a;

        activity_read(j->t, thread, threads, &a);
        g_ptr_array_add(j->d->threads,
                        g_strdup_printf("%d %s%s%s%s", thread->tid,
                                        thread->comm, *thread->comm ? ": " : "",
                                        a.text, a.doing == DOING_RUN ||
                                        !j->t->pid || has_run(j, thread) ?
                                        "" : ", has not run"));
        activity_clear(&a);
    }
}

/* Some other thread that does @doing in the last look; text to be freed */
static char *find_doing(Judge *j, Doing doing)
{
    const GArray *threads = j->last.threads;

    for (guint i = 1; i < threads->len; i++) {
        const Thread *thread = &g_array_index(threads, Thread, i);
        g_autofree char *text = NULL;
        Activity a;

        activity_read(j->t, thread, threads, &a);
        if (a.doing == doing) {
            text = g_strdup_printf("thread %d %s", thread->tid, a.text);
        }
        activity_clear(&a);
        if (text) {
            return g_steal_pointer(&text);
        }
    }
    return NULL;
}

/* The main thread waits for a lock. */
static void judge_lock(Judge *j, const Activity *main)
{
    const GArray *threads = j->last.threads;
    const Thread *owner = find_thread(threads, main->owner);
    const char *what = image_is_data(j->t->image, main->mutex) ?
        "the BQL" : "a mutex";
    g_autofree char *io = find_doing(j, DOING_IO);
    Activity a;

    activity_read(j->t, owner, threads, &a);
    if (a.doing == DOING_RUN || (j->t->pid && has_run(j, owner))) {
        answer(j, ANSWER_NOT_THIS, "the main loop waits for %s, which thread "
               "%d holds; that one %s", what, owner->tid, a.text);
    } else if (a.doing == DOING_POLL && j->last.main->notify_me >= 2) {
        answer(j, ANSWER_NOT_THIS, "%s%s; thread %d is in aio_poll and waits "
               "for I/O, and the main loop waits for %s, which that one holds",
               io ? "I/O is pending in the kernel: " : "I/O or a job has not "
               "completed", io ? io : "", owner->tid, what);
    } else {
        answer(j, ANSWER_NOT_THIS, "deadlock: the main loop waits for %s, "
               "which thread %d holds; that one %s", what, owner->tid, a.text);
    }
    activity_clear(&a);
}

/* Asleep in poll, and nothing to do */
static void judge_idle(Judge *j)
{
    g_autofree char *io = find_doing(j, DOING_IO);
    g_autofree char *lock = find_doing(j, DOING_LOCK);
    g_autofree char *run = find_doing(j, DOING_RUN);
    const Context *c = j->last.main;

    if (io) {
        answer(j, ANSWER_NOT_THIS, "I/O is pending in the kernel: %s", io);
    } else if (lock) {
        answer(j, ANSWER_NOT_THIS, "nothing is pending in the main loop; %s",
               lock);
    } else if (c->notify_me >= 2) {
        answer(j, ANSWER_NOT_THIS, "a thread is in aio_poll and waits for I/O "
               "or a job that has not completed: nothing is scheduled");
    } else if (finder_guest_stopped(j->finder)) {
        answer(j, ANSWER_NOT_THIS, "the guest is stopped (paused, started "
               "with -S, waiting for migration, or after an I/O error): QEMU "
               "waits for its monitor");
    } else if (run) {
        answer(j, ANSWER_NOT_THIS, "nothing is pending in the main loop; the "
               "guest runs");
    } else {
        answer(j, ANSWER_NOT_THIS, "the guest is idle, or waits for somebody "
               "outside: nothing is pending");
    }
}

static void judge_lost(Judge *j, const Activity *main)
{
    const Context *c = j->last.main;
    g_autofree char *sleep = main->timeout_ms < 0 ?
        g_strdup("without a timeout") :
        g_strdup_printf("for up to %" G_GINT64_FORMAT " ms", main->timeout_ms);

    if (j->d->ring && c->notifier_count > 0) {
        answer(j, ANSWER_LOST_WAKEUP, "the main loop sleeps %s with work "
               "pending; the notifier is set, but the io_uring's poll on it "
               "is not armed", sleep);
    } else {
        answer(j, ANSWER_LOST_WAKEUP, "the main loop sleeps %s with work "
               "pending, and nobody will wake it", sleep);
    }
}

static void judge(Judge *j)
{
    const Thread *thread = &g_array_index(j->last.threads, Thread, 0);
    Activity main;

    activity_read(j->t, thread, j->last.threads, &main);
    describe_notifier(j, &main);
    describe_threads(j);
    keep_lasting_work(j);
    j->d->asleep = main.doing == DOING_POLL;
    j->d->timeout_ms = main.timeout_ms;
    j->d->timers = g_strdup(j->last.timers);
    j->d->main_loop = g_strdup(main.text);
    j->d->still_ms = !j->t->pid || has_run(j, thread) ? -1 : j->ms;
    if (main.doing == DOING_STOPPED) {
        if (thread->state == 't' || j->t->tracer) {
            answer(j, ANSWER_NOT_THIS, "stopped by a debugger, process %d",
                   j->t->tracer);
        } else {
            answer(j, ANSWER_NOT_THIS, "stopped by a signal (SIGSTOP or the "
                   "like); kill -CONT %d lets it go on", j->t->pid);
        }
    } else if (j->t->pid && has_run(j, thread)) {
        g_ptr_array_set_size(j->d->pending, 0);
        answer(j, ANSWER_NOT_THIS, "the main loop runs: its thread has %s "
               "within %d ms", main.doing == DOING_RUN ? "worked" :
               "woken up", j->ms);
    } else if (main.doing == DOING_LOCK) {
        judge_lock(j, &main);
    } else if (main.doing == DOING_IO) {
        answer(j, ANSWER_NOT_THIS, "I/O is pending in the kernel: the main "
               "thread itself is %s", main.text);
    } else if (main.doing == DOING_UNKNOWN) {
        answer(j, ANSWER_CANNOT_TELL, "what the main thread does cannot be "
               "seen: /proc/%d/syscall is not readable (kernel without "
               "CONFIG_HAVE_ARCH_TRACEHOOK, or no right to ptrace)",
               j->t->pid);
    } else if (main.doing != DOING_POLL) {
        answer(j, ANSWER_NOT_THIS, "the main loop does not sleep in poll: its "
               "thread %s", main.text);
    } else if (!j->d->pending->len) {
        judge_idle(j);
    } else {
        judge_lost(j, &main);
    }
    activity_clear(&main);
}

/* Returns whether what was seen so far was seen at the wrong places. */
static bool add_how(Judge *j, DebugInfo *job, gint64 deadline_us)
{
    Layout *layout = finder_layout(j->finder);
    bool changed;
    g_autofree char *text = debug_info_finish(job, layout, deadline_us,
                                              &changed);

    j->d->how = g_strdup_printf("%s; %s%s", finder_how(j->finder), text,
                                layout->name);
    return changed;
}

static Diagnosis *diagnosis_new(void)
{
    Diagnosis *d = g_new0(Diagnosis, 1);

    d->pending = g_ptr_array_new_with_free_func(g_free);
    d->threads = g_ptr_array_new_with_free_func(g_free);
    d->timeout_ms = d->still_ms = -1;
    d->wake_fd = d->iohandler_fd = -1;
    d->notify_me = d->notified = d->notifier_count = -1;
    return d;
}

/* What stands in the way is an answer, too; wrong use is not. */
static Diagnosis *take_error(Diagnosis *d, GError **error)
{
    if (error && (*error)->domain == TARGET_ERROR &&
        (*error)->code != TARGET_ERROR_USE) {
        d->answer = (*error)->code == TARGET_ERROR_GONE ? ANSWER_NOT_THIS :
                    ANSWER_CANNOT_TELL;
        d->reason = g_strdup((*error)->message);
        g_clear_error(error);
        return d;
    }
    diagnosis_free(d);
    return NULL;
}

static void name_target(Judge *j)
{
    j->d->program = g_strdup(j->t->name);
    j->d->version = g_strdup(image_version(j->t->image));
    j->d->shim = shim_text(j->t);
}

Diagnosis *diagnose_process(int pid, gint64 within_us, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + within_us;
    Judge j = { .d = diagnosis_new() };
    g_autoptr(GError) why = NULL;
    g_autofree char *exe = g_strdup_printf("/proc/%d/exe", pid);
    DebugInfo *job;
    gint64 begin;
    bool confirmed = false;

    j.d->pid = pid;
    j.t = target_open_process(pid, &why);
    if (j.t) {
        name_target(&j);
        j.finder = finder_new(j.t, &why);
    }
    if (!j.finder) {
        target_free(j.t);
        j.d = take_error(j.d, &why);
        if (!j.d) {
            g_propagate_error(error, g_steal_pointer(&why));
        }
        return j.d;
    }
    job = debug_info_start(exe, j.t->image);
    begin = g_get_monotonic_time();
    look_once(&j, &j.first);
    while (true) {
        const Thread *starved;

        g_usleep(LOOK_US);
        look_clear(&j.last);
        look_once(&j, &j.last);
        j.ms = (g_get_monotonic_time() - begin) / 1000;
        if (!j.last.threads->len) {
            answer(&j, ANSWER_NOT_THIS, "process %d has ended just now", pid);
            break;
        }
        starved = looks_lost(&j) ? find_starved(&j) : NULL;
        if (!starved && !j.d->how && add_how(&j, job, deadline - 3 * LOOK_US)) {
            /* debug information knew better */
            look_clear(&j.first);
            look_once(&j, &j.first);
            confirmed = false;
            continue;
        }
        if (!starved && looks_lost(&j) && !confirmed) {
            /*
             * A vCPU at work may have run that bottom half, and have another
             * one at the same address: look a third time.
             */
            confirmed = true;
            look_clear(&j.first);
            j.first = j.last;
            memset(&j.last, 0, sizeof(j.last));
            continue;
        }
        if (!starved) {
            judge(&j);
            break;
        }
        if (j.ms > MAX_STARVED_MS ||
            g_get_monotonic_time() + 2 * LOOK_US > deadline) {
            judge(&j);
            if (j.d->answer == ANSWER_LOST_WAKEUP) {
                answer(&j, ANSWER_CANNOT_TELL, "work is pending, but thread %d"
                       " is ready to run and got no processor for %d ms: it "
                       "may be on its way to wake the main loop; ask again",
                       starved->tid, j.ms);
            }
            break;
        }
    }
    if (!j.d->how) {
        add_how(&j, job, 0);
    }
    look_clear(&j.first);
    look_clear(&j.last);
    finder_free(j.finder);
    target_free(j.t);
    return j.d;
}

/*
 * A core shows one moment, and not even that: gcore stops one thread after the
 * other.  A thread that is in aio_poll, or that has just returned from a system
 * call, says that QEMU was at work.
 */
static void judge_core(Judge *j)
{
    const GArray *threads = j->last.threads;
    const Thread *returned = NULL;

    judge(j);
    for (guint i = 0; i < threads->len && !returned; i++) {
        const Thread *thread = &g_array_index(threads, Thread, i);

        returned = thread->returned ? thread : NULL;
    }
    if (j->d->answer == ANSWER_LOST_WAKEUP && j->last.main->notify_me >= 2) {
        answer(j, ANSWER_CANNOT_TELL, "work is pending, but a thread was in "
               "aio_poll when the core was made: take another one");
    } else if (j->d->answer == ANSWER_LOST_WAKEUP && returned) {
        answer(j, ANSWER_CANNOT_TELL, "work is pending, but thread %d was at "
               "work when the core was made: take another one", returned->tid);
    } else if (j->d->answer == ANSWER_LOST_WAKEUP) {
        answer(j, ANSWER_LOST_WAKEUP, "the main loop slept with work pending; "
               "a core shows one moment: make sure that it hung before");
    } else if (j->d->answer == ANSWER_NOT_THIS && j->d->asleep &&
               !finder_guest_stopped(j->finder)) {
        answer(j, ANSWER_CANNOT_TELL, "no bottom half is pending; whether a "
               "timer is overdue or a file descriptor is ready is not in a "
               "core file");
    }
}

Diagnosis *diagnose_core(const char *core, const char *binary, GError **error)
{
    Judge j = { .d = diagnosis_new() };
    g_autoptr(GError) why = NULL;

    j.t = target_open_core(core, binary, &why);
    if (j.t) {
        name_target(&j);
        j.finder = finder_new(j.t, &why);
    }
    if (!j.finder) {
        target_free(j.t);
        j.d = take_error(j.d, &why);
        if (!j.d) {
            g_propagate_error(error, g_steal_pointer(&why));
        }
        return j.d;
    }
    add_how(&j, NULL, 0);
    look_once(&j, &j.first);
    look_once(&j, &j.last);
    judge_core(&j);
    look_clear(&j.first);
    look_clear(&j.last);
    finder_free(j.finder);
    target_free(j.t);
    return j.d;
}

void diagnosis_free(Diagnosis *d)
{
    if (!d) {
        return;
    }
    g_ptr_array_unref(d->pending);
    g_ptr_array_unref(d->threads);
    g_free(d->program);
    g_free(d->version);
    g_free(d->reason);
    g_free(d->main_loop);
    g_free(d->notifier);
    g_free(d->timers);
    g_free(d->how);
    g_free(d->shim);
    g_free(d->woken);
    g_free(d);
}

const char *answer_name(Answer a)
{
    static const char *const names[] = {
        [ANSWER_NOT_THIS] = "NOT THIS",
        [ANSWER_LOST_WAKEUP] = "LOST WAKEUP",
        [ANSWER_CANNOT_TELL] = "CANNOT TELL",
    };

    return names[a];
}
