/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>

#include "masked.h"

typedef struct Rule {
    const char *pattern;
    const char *masked;
} Rule;

/*
 * An option's name that says so, with what stands before and after that, and
 * its value up to a comma, in the forms NAME=VALUE and "NAME": "VALUE".  An
 * -object secret has its secret as data=.
 */
#define NAME "[\\w.-]*(?:passw|secret|token|cookie|credential|auth)[\\w.-]*|" \
             "(?:[\\w.-]*[.-])?(?:key|keyid|iv|data|passphrase|user)"

static const Rule rules[] = {
    { "(\"(?:" NAME ")\"\\s*:\\s*)\"(?:[^\"\\\\]|\\\\.)*\"", "\\1\"***\"" },
    { "((?<![\\w.-])(?:" NAME ")=)(?:,,|[^,])+", "\\1***" },
    { "(://[^/@\\s:]*):[^/@\\s]*@", "\\1:***@" },
};

char *mask_secrets(const char *text)
{
    char *masked = g_utf8_make_valid(text, -1);

    for (gsize i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autoptr(GRegex) regex = g_regex_new(rules[i].pattern,
                                              G_REGEX_CASELESS, 0, NULL);
        char *next = g_regex_replace(regex, masked, -1, 0, rules[i].masked, 0,
                                     NULL);

        g_free(masked);
        masked = next ? next : g_strdup("(not shown)");
    }
    return masked;
}
