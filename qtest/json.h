/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Members of a JSON object, for the programs that print one */
#ifndef AIO_WAKEUP_JSON_H
#define AIO_WAKEUP_JSON_H

#include <stdbool.h>
#include <stdio.h>

#include <json-glib/json-glib.h>

/* @value may be NULL: null */
static inline void add_string(JsonBuilder *b, const char *name,
                              const char *value)
{
    json_builder_set_member_name(b, name);
    if (value) {
        json_builder_add_string_value(b, value);
    } else {
        json_builder_add_null_value(b);
    }
}

static inline void add_number(JsonBuilder *b, const char *name, gint64 value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_int_value(b, value);
}

static inline void add_bool(JsonBuilder *b, const char *name, bool value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_boolean_value(b, value);
}

/* Ends the object that was begun first, and prints it. */
static inline void end_and_print(JsonBuilder *b)
{
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *text = NULL;

    json_builder_end_object(b);
    root = json_builder_get_root(b);
    text = json_to_string(root, true);
    puts(text);
}

#endif
