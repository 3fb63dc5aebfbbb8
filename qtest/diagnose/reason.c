/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <poll.h>
#include <string.h>

#include "reason.h"

/* A thread that used so much of a processor runs the guest, or spins. */
#define BUSY_PERCENT 50

bool judge_has_run(const Judge *j, const Thread *now)
{
    const Thread *then = look_find_thread(&j->first, now->tid);

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

/* What was there in both looks, of what @owners owe */
static void keep_lasting_work(Judge *j, unsigned owners)
{
    for (guint i = 0; i < j->last.work->len; i++) {
        const Work *w = &g_array_index(j->last.work, Work, i);

        if ((w->owner & owners) && look_has_work(&j->first, w->key)) {
            g_ptr_array_add(j->d->pending, g_strdup(w->text));
            g_ptr_array_add(j->d->keys, g_strdup(w->key));
            g_ptr_array_add(j->d->key_texts, g_strdup(w->text));
        }
    }
    merge_equal(j->d->pending);
}

static void keep_lasting_requests(Judge *j)
{
    for (guint i = 0; j->last.requests && i < j->last.requests->len; i++) {
        const Request *r = &g_array_index(j->last.requests, Request, i);

        if (look_has_request(&j->first, r->key)) {
            g_ptr_array_add(j->d->requests, g_strdup(r->text));
            j->d->throttled |= !strcmp(r->driver, "throttle");
        }
    }
    merge_equal(j->d->requests);
}

void judge_answer(Judge *j, Answer a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    j->d->answer = a;
    g_free(j->d->reason);
    j->d->reason = g_strdup_vprintf(fmt, ap);
    va_end(ap);
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
                                        !j->t->pid || judge_has_run(j, thread) ?
                                        "" : ", has not run"));
        activity_clear(&a);
    }
}

/*
 * Some other thread that has done @doing since the first look; text to be
 * freed.  A read that waits on a pipe or an eventfd is a thread's way to be
 * idle: I/O is on a file.
 */
static char *find_doing_on(Judge *j, Doing doing, const char *kind)
{
    const GArray *threads = j->last.threads;

    for (guint i = 1; i < threads->len; i++) {
        const Thread *thread = &g_array_index(threads, Thread, i);
        g_autofree char *text = NULL;
        g_autofree char *link = NULL;
        Activity a;
        bool lasts;

        activity_read(j->t, thread, threads, &a);
        link = a.fd >= 0 ? target_fd_link(j->t, a.fd) : NULL;
        /* one that "has been woken" and does not run is not on its way */
        lasts = doing == DOING_RUN ? thread->state == 'R' ||
                judge_has_run(j, thread) : !j->t->pid ||
                !judge_has_run(j, thread);
        if (a.doing == doing && lasts &&
            (!link || g_str_has_prefix(link, kind))) {
            text = g_strdup_printf("thread %d %s", thread->tid, a.text);
        }
        activity_clear(&a);
        if (text) {
            return g_steal_pointer(&text);
        }
    }
    return NULL;
}

static char *find_doing(Judge *j, Doing doing)
{
    return find_doing_on(j, doing, "/");
}

/* The thread that used most of a processor, if that is much; or NULL */
static char *find_busy(Judge *j)
{
    const GArray *threads = j->last.threads;
    guint64 most = 0;
    int tid = 0;

    for (guint i = 1; i < threads->len; i++) {
        const Thread *now = &g_array_index(threads, Thread, i);
        const Thread *then = look_find_thread(&j->first, now->tid);

        if (then && now->run_ns - then->run_ns > most) {
            most = now->run_ns - then->run_ns;
            tid = now->tid;
        }
    }
    if (!j->ms || most / 10000 / j->ms < BUSY_PERCENT) {
        return NULL;
    }
    return g_strdup_printf("thread %d has used %d %% of a processor", tid,
                           (int)MIN(most / 10000 / j->ms, 100));
}

/* The only node whose storage is on a network; NULL: none, or several */
static const char *find_remote_node(Judge *j)
{
    static const char *const drivers[] = { "(nbd", "(ssh", "(http", "(ftp",
                                           "(iscsi", "(nfs", "(gluster",
                                           "(rbd" };
    const char *found = NULL;
    int n = 0;

    for (guint i = 0; j->d->nodes && i < j->d->nodes->len; i++) {
        for (gsize k = 0; k < G_N_ELEMENTS(drivers); k++) {
            if (strstr(j->d->nodes->pdata[i], drivers[k])) {
                found = j->d->nodes->pdata[i];
                n++;
                break;
            }
        }
    }
    return n == 1 ? found : NULL;
}

/* A socket that has a handler in the context: whose answer is waited for? */
static char *find_socket(Judge *j)
{
    const GArray *handlers = j->last.main->handlers;

    for (guint i = 0; i < handlers->len; i++) {
        int fd = g_array_index(handlers, Handler, i).fd;
        g_autofree char *what = target_describe_fd(j->t, fd);

        if (what && g_str_has_prefix(what, "socket")) {
            const char *node = find_remote_node(j);

            return g_strdup_printf("an answer on fd %d (%s)%s%s", fd, what,
                                   node ? " for " : "", node ? node : "");
        }
    }
    return NULL;
}

/* Is the request on the file that a thread is at work on? */
static bool is_on_file_of(const char *request, const char *io)
{
    const char *name = strrchr(request, '/');
    g_autofree char *file = name ? g_strndup(name, strcspn(name, ")")) : NULL;

    return file && strstr(io, file);
}

/* What does not complete, as exactly as can be told; NULL: nothing known */
static char *find_stuck(Judge *j, bool sockets)
{
    const GPtrArray *requests = j->d->requests;
    g_autofree char *io = NULL;
    g_autofree char *socket = NULL;

    if (requests->len) {
        const char *first = requests->pdata[0];

        g_autofree char *more = requests->len < 2 ? g_strdup("") :
            g_strdup_printf(" (and %u more)", requests->len - 1);

        io = find_doing(j, DOING_IO);
        for (guint i = 0; io && i < requests->len; i++) {
            if (is_on_file_of(requests->pdata[i], io)) {
                first = requests->pdata[i];     /* others wait for its thread */
            }
        }
        return g_strdup_printf("a %s%s %s%s%s%s", first, more, j->d->throttled ?
                               "is held back by that filter" :
                               "does not complete", io ? " (" : "",
                               io ? io : "", io ? ")" : "");
    }
    io = find_doing(j, DOING_IO);
    if (io) {
        return g_strdup_printf("I/O is pending in the kernel: %s", io);
    }
    if (!sockets) {
        return NULL;
    }
    socket = find_socket(j);
    if (socket) {
        return g_strdup_printf("%s does not come", socket);
    }
    io = find_doing_on(j, DOING_IO, "socket:");
    return io ? g_strdup_printf("an answer does not come: %s", io) : NULL;
}

/* The main thread waits for a lock. */
static void judge_lock(Judge *j, const Activity *main)
{
    const GArray *threads = j->last.threads;
    const Thread *owner = look_find_thread(&j->last, main->owner);
    const char *what = image_is_data(j->t->image, main->mutex) ?
        "the BQL" : "a mutex";
    g_autofree char *stuck = NULL;
    Sleeper sleeper;
    Activity a;

    activity_read(j->t, owner, threads, &a);
    sleeper = sleeper_of(j->t, j->last.main, &a, false);
    keep_lasting_work(j, sleeper_owes(sleeper));
    stuck = find_stuck(j, sleeper == SLEEPER_AIO_POLL);
    if (a.doing == DOING_RUN || (j->t->pid && judge_has_run(j, owner))) {
        g_ptr_array_set_size(j->d->pending, 0);
        judge_answer(j, ANSWER_NOT_THIS, "the main loop waits for %s, which "
                     "thread %d holds; that one %s", what, owner->tid,
                     a.doing == DOING_RUN ? a.text : "works");
    } else if (sleeper == SLEEPER_AIO_POLL && j->d->pending->len) {
        judge_answer(j, ANSWER_LOST_WAKEUP, "thread %d sleeps in aio_poll() "
                     "with work of its context pending, and nobody will wake "
                     "it; the main loop waits for %s, which that one holds",
                     owner->tid, what);
    } else if (sleeper == SLEEPER_AIO_POLL) {
        judge_answer(j, ANSWER_NOT_THIS, "%s; thread %d is in aio_poll and "
                     "waits for it, and the main loop waits for %s, which "
                     "that one holds", stuck ? stuck :
                     "I/O or a job has not completed", owner->tid, what);
    } else if (a.doing == DOING_FAULT) {
        judge_answer(j, ANSWER_NOT_THIS, "thread %d %s, which whoever has it "
                     "does not bring (a postcopy migration that is paused?); "
                     "the main loop waits for %s, which that one holds",
                     owner->tid, a.text, what);
    } else if (a.doing == DOING_POLL || a.doing == DOING_IO) {
        judge_answer(j, ANSWER_NOT_THIS, "%s%sthread %d is %s, and the main "
                     "loop waits for %s, which that one holds",
                     stuck ? stuck : "", stuck ? "; " : "", owner->tid, a.text,
                     what);
    } else {
        judge_answer(j, ANSWER_NOT_THIS, "deadlock: the main loop waits for "
                     "%s, which thread %d holds; that one %s", what,
                     owner->tid, a.text);
    }
    activity_clear(&a);
}

/* The main thread waits for a condition: for another thread to do something. */
static void judge_wait(Judge *j, const Activity *main)
{
    const GArray *threads = j->last.threads;
    g_autofree char *fault = find_doing(j, DOING_FAULT);
    g_autofree char *stuck = find_stuck(j, false);
    g_autofree char *busy = find_busy(j);
    const Thread *rcu = NULL;

    /* the main thread first: what does not complete waits for it, then */
    for (guint i = 0; i < threads->len && !rcu; i++) {
        const Thread *thread = &g_array_index(threads, Thread, i);

        rcu = (!i || !stuck) && target_thread_in(j->t, thread,
                                                 "drain_call_rcu") ?
            thread : NULL;
    }
    if (fault) {
        judge_answer(j, ANSWER_NOT_THIS, "%s, which whoever has it does not "
                     "bring (a postcopy migration that is paused?); the main "
                     "thread waits for that one", fault);
    } else if (stuck && !rcu) {
        judge_answer(j, ANSWER_NOT_THIS, "%s; the main thread %s until it does",
                     stuck, main->text);
    } else if (rcu) {
        judge_answer(j, ANSWER_NOT_THIS, "deadlock: thread %d waits in "
                     "drain_call_rcu() for all threads to leave what RCU "
                     "protects, and one does not (docs/diagnose.md: a "
                     "thread waits for a condition)", rcu->tid);
    } else if (busy) {
        judge_answer(j, ANSWER_NOT_THIS, "the main loop does not sleep in "
                     "poll: its thread %s; %s", main->text, busy);
    } else {
        judge_answer(j, ANSWER_NOT_THIS, "the main loop does not sleep in "
                     "poll: its thread %s, that is, for another thread "
                     "(docs/diagnose.md: a thread waits for a condition)",
                     main->text);
    }
}

/* The main thread sleeps in an aio_poll() of its own. */
static void judge_nested(Judge *j)
{
    g_autofree char *stuck = find_stuck(j, true);

    judge_answer(j, ANSWER_NOT_THIS, "%s; the main thread itself waits for it "
                 "in a nested aio_poll(), and serves neither timers nor the "
                 "monitor until it does", stuck ? stuck :
                 "I/O or a job has not completed");
}

static void judge_elsewhere(Judge *j, const Activity *main)
{
    g_autofree char *stuck = find_stuck(j, false);
    GString *fds = g_string_new(NULL);

    for (unsigned i = 0; i < MIN(main->n_fds, 4); i++) {
        struct pollfd pfd;

        if (target_read(j->t, main->fds + i * sizeof(pfd), &pfd,
                        sizeof(pfd))) {
            g_autofree char *what = target_describe_fd(j->t, pfd.fd);

            g_string_append_printf(fds, "%s fd %d (%s)", i ? "," : " on",
                                   pfd.fd, what ? what : "?");
        }
    }
    judge_answer(j, ANSWER_NOT_THIS, "%s%sthe main thread waits%s outside of "
                 "QEMU's event loop: in a library or for a connection",
                 stuck ? stuck : "", stuck ? "; " : "", fds->str);
    g_string_free(fds, true);
}

/* The main loop sleeps, and has nothing to do. */
static void judge_idle(Judge *j)
{
    g_autofree char *stuck = find_stuck(j, false);
    g_autofree char *lock = find_doing(j, DOING_LOCK);
    g_autofree char *fault = find_doing(j, DOING_FAULT);
    g_autofree char *run = find_doing(j, DOING_RUN);
    g_autofree char *busy = find_busy(j);
    const Context *c = j->last.main;

    if (fault) {
        judge_answer(j, ANSWER_NOT_THIS, "%s, which whoever has it does not "
                     "bring (a postcopy migration that is paused?)", fault);
    } else if (stuck) {
        judge_answer(j, ANSWER_NOT_THIS, "%s; nothing is pending in the main "
                     "loop", stuck);
    } else if (lock) {
        judge_answer(j, ANSWER_NOT_THIS, "nothing is pending in the main "
                     "loop; %s", lock);
    } else if (c->notify_me >= 2) {
        judge_answer(j, ANSWER_NOT_THIS, "a thread is in aio_poll and waits "
                     "for I/O or a job that has not completed: nothing is "
                     "scheduled");
    } else if (finder_guest_stopped(j->finder)) {
        judge_answer(j, ANSWER_NOT_THIS, "the guest is stopped (paused, "
                     "started with -S, waiting for migration, or after an I/O "
                     "error): QEMU waits for its monitor");
    } else if (busy || run) {
        judge_answer(j, ANSWER_NOT_THIS, "nothing is pending in the main "
                     "loop; the guest runs: %s; if it does not get on, it "
                     "spins, or KVM does", busy ? busy : run);
    } else if (j->last.unjudged) {
        judge_answer(j, ANSWER_NOT_THIS, "the guest is idle, or waits for "
                     "somebody outside: nothing is pending that can be "
                     "judged; %d timers are on clocks that cannot be read "
                     "(moved by loadvm or a migration, -icount, time of day) "
                     "and are not judged", j->last.unjudged);
    } else {
        judge_answer(j, ANSWER_NOT_THIS, "the guest is idle, or waits for "
                     "somebody outside: nothing is pending");
    }
}

static void judge_lost(Judge *j, const Activity *main)
{
    const Context *c = j->last.main;
    g_autofree char *sleep = main->timeout_ms < 0 ?
        g_strdup("without a timeout") :
        g_strdup_printf("for up to %" G_GINT64_FORMAT " ms", main->timeout_ms);

    if (j->d->ring && c->notifier_count > 0) {
        judge_answer(j, ANSWER_LOST_WAKEUP, "the main loop sleeps %s with "
                     "work pending; the notifier is set, but the io_uring's "
                     "poll on it is not armed", sleep);
    } else if (j->last.sleeper == SLEEPER_AIO_POLL) {
        judge_answer(j, ANSWER_LOST_WAKEUP, "the main thread sleeps %s in a "
                     "nested aio_poll() with work of that context pending, "
                     "and nobody will wake it", sleep);
    } else {
        judge_answer(j, ANSWER_LOST_WAKEUP, "the main loop sleeps %s with "
                     "work pending, and nobody will wake it", sleep);
    }
}

static void judge_running(Judge *j, const Activity *main)
{
    g_ptr_array_set_size(j->d->pending, 0);
    g_ptr_array_set_size(j->d->keys, 0);
    if (j->first.sleeper == SLEEPER_AIO_POLL &&
        j->last.sleeper == SLEEPER_AIO_POLL && j->d->requests->len) {
        judge_nested(j);
        return;
    }
    judge_answer(j, ANSWER_NOT_THIS, "the main loop runs: its thread has %s "
                 "within %d ms", main->doing == DOING_RUN ? "worked" :
                 "woken up", j->ms);
}

void judge(Judge *j)
{
    static const char *const sleeps[] = {
        [SLEEPER_NONE] = "",
        [SLEEPER_MAIN_LOOP] = ", the main loop's own",
        [SLEEPER_AIO_POLL] = ", of a nested aio_poll()",
        [SLEEPER_ELSEWHERE] = ", which is not the main loop's",
    };
    const Thread *thread = &g_array_index(j->last.threads, Thread, 0);
    Activity main;

    activity_read(j->t, thread, j->last.threads, &main);
    describe_notifier(j, &main);
    describe_threads(j);
    keep_lasting_work(j, sleeper_owes(j->last.sleeper));
    keep_lasting_requests(j);
    j->d->asleep = main.doing == DOING_POLL;
    j->d->timeout_ms = main.timeout_ms;
    j->d->timers = g_strdup(j->last.timers);
    j->d->main_loop = g_strconcat(main.text, sleeps[j->last.sleeper], NULL);
    j->d->still_ms = !j->t->pid || judge_has_run(j, thread) ? -1 : j->ms;
    if (main.doing == DOING_STOPPED) {
        if (thread->state == 't' || j->t->tracer) {
            judge_answer(j, ANSWER_NOT_THIS, "stopped by a debugger, process "
                         "%d", j->t->tracer);
        } else {
            judge_answer(j, ANSWER_NOT_THIS, "stopped by a signal (SIGSTOP or "
                         "the like); kill -CONT %d lets it go on", j->t->pid);
        }
    } else if (j->t->pid && judge_has_run(j, thread)) {
        judge_running(j, &main);
    } else if (main.doing == DOING_LOCK) {
        judge_lock(j, &main);
    } else if (main.doing == DOING_IO || main.doing == DOING_FAULT) {
        judge_answer(j, ANSWER_NOT_THIS, "%s: the main thread itself %s%s",
                     main.doing == DOING_IO ? "I/O is pending in the kernel" :
                     "a page of the guest's memory does not come",
                     main.doing == DOING_IO ? "is " : "", main.text);
    } else if (main.doing == DOING_UNKNOWN) {
        judge_answer(j, ANSWER_CANNOT_TELL, "what the main thread does cannot "
                     "be seen: /proc/%d/syscall is not readable (kernel "
                     "without CONFIG_HAVE_ARCH_TRACEHOOK, or no right to "
                     "ptrace)", j->t->pid);
    } else if (main.doing == DOING_WAIT) {
        judge_wait(j, &main);
    } else if (main.doing != DOING_POLL) {
        judge_answer(j, ANSWER_NOT_THIS, "the main loop does not sleep in "
                     "poll: its thread %s%s", main.doing == DOING_RUN ? "" :
                     "is ", main.text);
    } else if (j->d->pending->len) {
        judge_lost(j, &main);
    } else if (j->last.sleeper == SLEEPER_AIO_POLL) {
        judge_nested(j);
    } else if (j->last.sleeper == SLEEPER_ELSEWHERE) {
        judge_elsewhere(j, &main);
    } else {
        judge_idle(j);
    }
    activity_clear(&main);
}
