/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "../json.h"
#include "report.h"

static void print_result(const ScenarioResult *r)
{
    printf("  %-18s %-13s  ", r->scenario->name, verdict_name(r->verdict));
    switch (r->verdict) {
    case VERDICT_AFFECTED:
        printf("%s\n", r->evidence ? r->evidence : r->scenario->loses);
        break;
    case VERDICT_NOT_AFFECTED:
        printf("%u rounds survived, %u with the threads met as scheduled\n",
               r->rounds, r->met);
        break;
    case VERDICT_CANNOT_TELL:
    case VERDICT_NOT_REACHABLE:
        printf("%s\n", r->reason ? r->reason : "");
        break;
    }
}

void report_text(const Report *report, bool show_columns)
{
    printf("%s: %s", report->binary, verdict_name(report->verdict));
    if (report->version) {
        printf(" (version %s)", report->version);
    }
    if (report->preload) {
        printf(" with %s", report->preload);
    }
    printf("%s%s\n", report->reason ? ": " : "",
           report->reason ? report->reason : "");
    for (guint i = 0; i < report->results->len; i++) {
        const ScenarioResult *r = report->results->pdata[i];

        print_result(r);
        if (show_columns && r->columns) {
            printf("\n%s\n", r->columns);
        }
    }
}

static void add_result(JsonBuilder *b, const ScenarioResult *r)
{
    json_builder_begin_object(b);
    add_string(b, "name", r->scenario->name);
    add_string(b, "schedule", r->scenario->schedule);
    add_string(b, "verdict", verdict_name(r->verdict));
    add_number(b, "rounds", r->rounds);
    add_number(b, "met", r->met);
    add_number(b, "lost", r->lost);
    add_number(b, "rescued", r->rescued);
    add_number(b, "slow", r->slow);
    add_number(b, "spins", r->spins);
    add_bool(b, "stuck", r->stuck);
    add_number(b, "sleep_ms", r->sleep_ms);
    add_number(b, "elapsed_us", r->elapsed_s * 1e6);
    add_number(b, "notifier_writes", r->writes);
    add_number(b, "notifier_clears", r->clears);
    add_number(b, "polls", r->polls);
    add_string(b, "evidence", r->evidence);
    add_string(b, "reason", r->reason);
    add_string(b, "interleaving", r->columns);
    json_builder_end_object(b);
}

void report_json(const Report *report)
{
    g_autoptr(JsonBuilder) b = json_builder_new();

    json_builder_begin_object(b);
    add_string(b, "binary", report->binary);
    add_string(b, "version", report->version);
    add_string(b, "preload", report->preload);
    add_string(b, "verdict", verdict_name(report->verdict));
    add_string(b, "reason", report->reason);
    json_builder_set_member_name(b, "scenarios");
    json_builder_begin_array(b);
    for (guint i = 0; i < report->results->len; i++) {
        add_result(b, report->results->pdata[i]);
    }
    json_builder_end_array(b);
    end_and_print(b);
}
