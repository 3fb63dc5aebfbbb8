/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "judge.h"
#include "reason.h"
#include "shim.h"

/* Between two looks; longer than a busy host keeps a thread waiting, mostly */
#define LOOK_US 250000

/* How long to wait for one that is ready to run, and does not */
#define MAX_STARVED_MS 5000

/* How long the search for block nodes may take */
#define NODES_US 200000

/* Could the answer be LOST WAKEUP?  Anything else needs no patience. */
static bool looks_lost(const Judge *j)
{
    if (judge_has_run(j, &g_array_index(j->last.threads, Thread, 0))) {
        return false;
    }
    for (guint i = 0; i < j->last.work->len; i++) {
        if (look_has_work(&j->first,
                          g_array_index(j->last.work, Work, i).key)) {
            return true;
        }
    }
    return false;
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
            !judge_has_run(j, thread)) {
            return thread;
        }
    }
    return NULL;
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
    d->requests = g_ptr_array_new_with_free_func(g_free);
    d->keys = g_ptr_array_new_with_free_func(g_free);
    d->key_texts = g_ptr_array_new_with_free_func(g_free);
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

static void look(Judge *j, Look *look)
{
    if (!j->nodes) {
        Context *main = finder_read_main(j->finder);

        j->nodes = nodes_new(j->t, main->address, NODES_US);
        j->d->nodes = nodes_list(j->nodes);
        context_free(main);
    }
    look_once(look, j->t, j->finder, j->nodes);
}

/* The diagnosis keeps what is needed to look at the pending work again. */
static Diagnosis *take_diagnosis(Judge *j)
{
    look_clear(&j->first);
    look_clear(&j->last);
    nodes_free(j->nodes);
    j->d->target = j->t;
    j->d->finder = j->finder;
    return j->d;
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
    if (j.t && target_has_ended(j.t)) {
        g_clear_error(&why);
        g_set_error(&why, TARGET_ERROR, TARGET_ERROR_GONE,
                    "process %d has ended just now", pid);
        g_clear_pointer(&j.finder, finder_free);
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
    look(&j, &j.first);
    while (true) {
        const Thread *starved;

        g_usleep(LOOK_US);
        look_clear(&j.last);
        look(&j, &j.last);
        j.ms = (g_get_monotonic_time() - begin) / 1000;
        if (!j.last.threads->len || target_has_ended(j.t)) {
            judge_answer(&j, ANSWER_NOT_THIS, "process %d has ended "
                         "just now", pid);
            break;
        }
        starved = looks_lost(&j) ? find_starved(&j) : NULL;
        if (!starved && !j.d->how && add_how(&j, job, deadline - 3 * LOOK_US)) {
            /* debug information knew better */
            look_clear(&j.first);
            look(&j, &j.first);
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
                judge_answer(&j, ANSWER_CANNOT_TELL, "work is pending, but "
                             "thread %d is ready to run and got no processor "
                             "for %d ms: it may be on its way to wake the main "
                             "loop; ask again", starved->tid, j.ms);
            }
            break;
        }
    }
    if (!j.d->how) {
        add_how(&j, job, 0);
    }
    return take_diagnosis(&j);
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
    if (j->d->answer == ANSWER_LOST_WAKEUP && j->last.main->notify_me >= 2 &&
        j->last.sleeper == SLEEPER_MAIN_LOOP) {
        judge_answer(j, ANSWER_CANNOT_TELL, "work is pending, but a thread "
                     "was in aio_poll when the core was made: take another "
                     "one");
    } else if (j->d->answer == ANSWER_LOST_WAKEUP && returned) {
        judge_answer(j, ANSWER_CANNOT_TELL, "work is pending, but thread %d "
                     "was at work when the core was made: take another one",
                     returned->tid);
    } else if (j->d->answer == ANSWER_LOST_WAKEUP) {
        judge_answer(j, ANSWER_LOST_WAKEUP, "the main loop slept with work "
                     "pending; a core shows one moment: make sure that it "
                     "hung before");
    } else if (j->d->answer == ANSWER_NOT_THIS &&
               j->last.sleeper == SLEEPER_MAIN_LOOP &&
               !finder_guest_stopped(j->finder)) {
        judge_answer(j, ANSWER_CANNOT_TELL, "no bottom half is pending; "
                     "whether a timer is overdue or a file descriptor is "
                     "ready is not in a core file");
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
    look(&j, &j.first);
    look(&j, &j.last);
    judge_core(&j);
    return take_diagnosis(&j);
}

void diagnosis_drop_done(Diagnosis *d)
{
    Look now;

    look_once(&now, d->target, d->finder, NULL);
    for (guint i = d->keys->len; i > 0; i--) {
        if (!look_has_work(&now, d->keys->pdata[i - 1])) {
            g_ptr_array_remove_index(d->keys, i - 1);
            g_ptr_array_remove_index(d->key_texts, i - 1);
        }
    }
    look_clear(&now);
}

void diagnosis_free(Diagnosis *d)
{
    if (!d) {
        return;
    }
    g_ptr_array_unref(d->pending);
    g_ptr_array_unref(d->threads);
    g_ptr_array_unref(d->requests);
    g_ptr_array_unref(d->keys);
    g_ptr_array_unref(d->key_texts);
    if (d->nodes) {
        g_ptr_array_unref(d->nodes);
    }
    if (d->finder) {
        finder_free(d->finder);
    }
    target_free(d->target);
    g_free(d->program);
    g_free(d->version);
    g_free(d->reason);
    g_free(d->main_loop);
    g_free(d->notifier);
    g_free(d->timers);
    g_free(d->how);
    g_free(d->shim);
    g_free(d->woken);
    g_free(d->captured);
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
