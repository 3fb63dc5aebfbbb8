/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "look.h"

/* A timer may be this late before it counts: the main loop is on its way. */
#define LATE_NS 20000000

#define NS_PER_MS 1000000.0
#define MAX_FDS   4096

static void work_clear(gpointer data)
{
    g_free(((Work *)data)->key);
    g_free(((Work *)data)->text);
}

static void add_work(Look *look, Owner owner, char *key, char *text)
{
    Work work = { key, text, owner };

    g_array_append_val(look->work, work);
}

static void look_at_bhs(Look *look, const Context *context, Owner owner)
{
    for (guint i = 0; context && i < context->bhs->len; i++) {
        const BottomHalf *bh = &g_array_index(context->bhs, BottomHalf, i);

        add_work(look, owner,
                 g_strdup_printf("bh %" G_GINT64_MODIFIER "x", bh->address),
                 g_strdup_printf("bottom half %s%s is scheduled", bh->name,
                                 owner == OWNER_MAIN_LOOP ? " (io-handler)" :
                                 ""));
    }
}

static void look_at_timers(Look *look, Finder *finder)
{
    static const char *const clocks[] = { "host uptime", "guest clock",
                                          "time of day", "guest clock" };
    g_autoptr(GArray) timers = finder_read_timers(finder);
    GString *text = g_string_new(NULL);
    gint64 next = G_MAXINT64;

    look->unjudged = 0;
    for (guint i = 0; i < timers->len; i++) {
        const Timer *timer = &g_array_index(timers, Timer, i);
        gint64 now, late;

        if (!finder_clock_now(finder, timer->clock, &now)) {
            look->unjudged++;
            continue;
        }
        late = now - timer->expire_ns;
        if (late > LATE_NS) {
            g_autofree char *name = finder_name_code(finder, timer->code);

            add_work(look, timer->of_context ? OWNER_CONTEXT : OWNER_MAIN_LOOP,
                     g_strdup_printf("timer %" G_GINT64_MODIFIER "x %"
                                     G_GINT64_FORMAT, timer->address,
                                     timer->expire_ns),
                     g_strdup_printf("timer %s (%s) is %.0f ms overdue",
                                     name, clocks[timer->clock],
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
    if (look->unjudged) {
        g_string_append_printf(text, "; %d on clocks that stand still or "
                               "cannot be read", look->unjudged);
    }
    look->timers = g_string_free(text, false);
}

/*
 * A file descriptor that is ready, and has a handler, would have woken a poll
 * that watches it.
 */
static void look_at_fds(Look *look, Target *t, const Context *context,
                        Owner owner)
{
    for (guint i = 0; context && i < context->handlers->len; i++) {
        const Handler *h = &g_array_index(context->handlers, Handler, i);
        g_autofree char *link = target_fd_link(t, h->fd);
        struct pollfd pfd;

        /* its own notifier is only the messenger; signals would be ours */
        if (h->fd == context->notifier_fd || h->fd == context->source_fd ||
            !(h->events & (POLLIN | POLLOUT)) || !link ||
            strstr(link, "[signalfd]")) {
            continue;
        }
        pfd.fd = target_take_fd(t, h->fd);
        pfd.events = h->events & (POLLIN | POLLOUT);
        if (pfd.fd < 0) {
            continue;
        }
        if (poll(&pfd, 1, 0) == 1 && pfd.revents & pfd.events) {
            add_work(look, owner, g_strdup_printf("fd %d", h->fd),
                     g_strdup_printf("fd %d (%s) is ready and has a handler",
                                     h->fd, link));
        }
        close(pfd.fd);
    }
}

static bool is_handled(const Context *context, int fd)
{
    if (fd == context->notifier_fd) {
        return true;
    }
    for (guint i = 0; i < context->handlers->len; i++) {
        if (g_array_index(context->handlers, Handler, i).fd == fd) {
            return true;
        }
    }
    return false;
}

Sleeper sleeper_of(Target *t, const Context *main, const Activity *activity,
                   bool is_main)
{
    bool armed = is_main && (main->notify_me < 0 || main->notify_me & 1);
    bool aio = main->notify_me < 0 || main->notify_me >= 2;
    unsigned own = 0, n = 0;

    if (activity->doing != DOING_POLL) {
        return SLEEPER_NONE;
    }
    if (activity->nr != SYS_ppoll
#ifdef SYS_poll
        && activity->nr != SYS_poll
#endif
        ) {
        /* epoll or io_uring: glib uses neither */
        return aio ? SLEEPER_AIO_POLL : SLEEPER_ELSEWHERE;
    }
    for (unsigned i = 0; i < MIN(activity->n_fds, MAX_FDS); i++) {
        struct pollfd pfd;

        if (target_read(t, activity->fds + i * sizeof(pfd), &pfd,
                        sizeof(pfd))) {
            n++;
            own += is_handled(main, pfd.fd);
        }
    }
    if (n && own == n) {
        return aio ? SLEEPER_AIO_POLL : SLEEPER_ELSEWHERE;
    }
    return armed ? SLEEPER_MAIN_LOOP : SLEEPER_ELSEWHERE;
}

unsigned sleeper_owes(Sleeper sleeper)
{
    switch (sleeper) {
    case SLEEPER_MAIN_LOOP:
        return OWNER_CONTEXT | OWNER_MAIN_LOOP;
    case SLEEPER_AIO_POLL:
        return OWNER_CONTEXT;
    default:
        return 0;
    }
}

void look_once(Look *look, Target *t, Finder *finder, Nodes *nodes)
{
    g_autofree char *requests = finder_read_requests(finder);
    Activity activity;

    memset(look, 0, sizeof(*look));
    look->work = g_array_new(false, true, sizeof(Work));
    g_array_set_clear_func(look->work, work_clear);
    look->threads = target_threads(t);
    look->main = finder_read_main(finder);
    look->iohandler = finder_read_iohandler(finder);
    if (look->threads->len) {
        activity_read(t, &g_array_index(look->threads, Thread, 0),
                      look->threads, &activity);
        look->sleeper = sleeper_of(t, look->main, &activity, true);
        activity_clear(&activity);
    }
    look_at_bhs(look, look->main, OWNER_CONTEXT);
    look_at_bhs(look, look->iohandler, OWNER_MAIN_LOOP);
    look_at_timers(look, finder);
    if (requests) {
        add_work(look, OWNER_MAIN_LOOP,
                 g_strdup_printf("request %s", requests),
                 g_strdup_printf("request of the guest or a user: %s",
                                 requests));
    }
    /* beside a drained section, the context's handlers may be disabled */
    if (t->pid && look->sleeper == SLEEPER_MAIN_LOOP) {
        if (look->main->notify_me < 2 && !look->main->external_disabled) {
            look_at_fds(look, t, look->main, OWNER_CONTEXT);
        }
        look_at_fds(look, t, look->iohandler, OWNER_MAIN_LOOP);
    }
    if (nodes) {
        look->requests = nodes_read_requests(nodes);
    }
}

void look_clear(Look *look)
{
    if (look->work) {
        g_array_unref(look->work);
        g_array_unref(look->threads);
        context_free(look->main);
        context_free(look->iohandler);
        g_free(look->timers);
        if (look->requests) {
            g_array_unref(look->requests);
        }
        memset(look, 0, sizeof(*look));
    }
}

const Thread *look_find_thread(const Look *look, int tid)
{
    for (guint i = 0; i < look->threads->len; i++) {
        const Thread *thread = &g_array_index(look->threads, Thread, i);

        if (thread->tid == tid) {
            return thread;
        }
    }
    return NULL;
}

bool look_has_work(const Look *look, const char *key)
{
    for (guint i = 0; i < look->work->len; i++) {
        if (!strcmp(key, g_array_index(look->work, Work, i).key)) {
            return true;
        }
    }
    return false;
}

bool look_has_request(const Look *look, const char *key)
{
    for (guint i = 0; look->requests && i < look->requests->len; i++) {
        if (!strcmp(key, g_array_index(look->requests, Request, i).key)) {
            return true;
        }
    }
    return false;
}

bool look_any_work(Target *t, Finder *finder)
{
    Look look = { 0 };
    g_autofree char *requests = finder_read_requests(finder);
    bool any;

    look.work = g_array_new(false, true, sizeof(Work));
    g_array_set_clear_func(look.work, work_clear);
    look.threads = g_array_new(false, true, sizeof(Thread));
    look.main = finder_read_main(finder);
    look.iohandler = finder_read_iohandler(finder);
    look_at_timers(&look, finder);
    look_at_fds(&look, t, look.main, OWNER_CONTEXT);
    look_at_fds(&look, t, look.iohandler, OWNER_MAIN_LOOP);
    any = requests || look.work->len || look.main->bhs->len ||
          (look.iohandler && look.iohandler->bhs->len);
    look_clear(&look);
    return any;
}
