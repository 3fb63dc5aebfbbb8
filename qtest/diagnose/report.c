/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "../json.h"
#include "report.h"

static void print_line(const char *key, const char *value)
{
    if (value) {
        printf("  %-10s %s\n", key, value);
    }
}

void report_text(const Diagnosis *d, const char *what)
{
    printf("%s: %s%s%s%s%s\n", answer_name(d->answer), what,
           d->program ? ", " : "", d->program ? d->program : "",
           d->version ? " " : "", d->version ? d->version : "");
    print_line("because", d->reason);
    for (guint i = 0; i < d->pending->len; i++) {
        print_line(i ? "" : "pending", d->pending->pdata[i]);
    }
    for (guint i = 0; i < d->requests->len; i++) {
        print_line(i ? "" : "in flight", d->requests->pdata[i]);
    }
    if (d->still_ms >= 0) {
        printf("  %-10s %s, has not run for %" G_GINT64_FORMAT " ms\n",
               "main loop", d->main_loop, d->still_ms);
    } else {
        print_line("main loop", d->main_loop);
    }
    print_line("notifier", d->notifier);
    print_line("timers", d->timers);
    for (guint i = 0; i < d->threads->len; i++) {
        print_line(i ? "" : "threads", d->threads->pdata[i]);
    }
    print_line("shim", d->shim);
    print_line("known by", d->how);
    print_line("woken", d->woken);
    print_line("captured", d->captured);
}

static void add_list(JsonBuilder *b, const char *name, const GPtrArray *list)
{
    json_builder_set_member_name(b, name);
    json_builder_begin_array(b);
    for (guint i = 0; i < list->len; i++) {
        json_builder_add_string_value(b, list->pdata[i]);
    }
    json_builder_end_array(b);
}

char *report_to_json(const Diagnosis *d, const char *what)
{
    g_autoptr(JsonNode) root = NULL;
    g_autoptr(JsonBuilder) b = json_builder_new();

    json_builder_begin_object(b);
    add_string(b, "verdict", answer_name(d->answer));
    add_string(b, "of", what);
    add_number(b, "pid", d->pid);
    add_string(b, "program", d->program);
    add_string(b, "version", d->version);
    add_string(b, "because", d->reason);
    add_list(b, "pending", d->pending);
    add_list(b, "in-flight", d->requests);
    add_string(b, "main-loop", d->main_loop);
    add_bool(b, "asleep-in-poll", d->asleep);
    add_number(b, "timeout-ms", d->timeout_ms);
    add_number(b, "has-not-run-ms", d->still_ms);
    add_string(b, "notifier", d->notifier);
    add_number(b, "notify-me", d->notify_me);
    add_number(b, "notified", d->notified);
    add_number(b, "eventfd-count", d->notifier_count);
    add_bool(b, "io-uring", d->ring);
    add_string(b, "timers", d->timers);
    add_list(b, "threads", d->threads);
    add_string(b, "shim", d->shim);
    add_string(b, "known-by", d->how);
    add_string(b, "woken", d->woken);
    add_bool(b, "freed", d->freed);
    add_string(b, "captured", d->captured);
    json_builder_end_object(b);
    root = json_builder_get_root(b);
    return json_to_string(root, true);
}

void report_json(const Diagnosis *d, const char *what)
{
    g_autofree char *text = report_to_json(d, what);

    puts(text);
}
