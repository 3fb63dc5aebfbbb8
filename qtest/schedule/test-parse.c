/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every schedule that is shipped can be read; every kind of mistake in one is
 * answered with one line that names the file, the line and the word.
 */
#include <signal.h>
#include <string.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "schedule.h"

#define HEAD "schedule s\nrole a main-thread\nrole b marks xy\n"
#define ROUND "round b mark x to b mark y\n"

static void check_shipped(gconstpointer path)
{
    Schedule s;
    char err[256];

    if (!schedule_load(path, &s, err, sizeof(err))) {
        g_error("%s", err);
    }
    g_assert_cmpint(s.n_rules + s.n_signals, >, 0);
    /* who has been stopped, or is asked to leave, can give no mark */
    g_assert_true(s.evidence >= 0 || s.n_signals ||
                  !strcmp(s.name, "lost-switchover") ||
                  g_str_has_prefix(s.name, "request-"));
}

static bool load(const char *text, Schedule *s, char *err, size_t size)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("schedule-XXXXXX", &path, NULL);
    bool ok;

    g_assert_cmpint(fd, >=, 0);
    g_close(fd, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    ok = schedule_load(path, s, err, size);
    g_unlink(path);
    return ok;
}

static void check_mistakes(void)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        { "", "needs the lines 'schedule NAME'" },
        { HEAD, "'round REF to REF'" },
        { HEAD "jump\n", ":4: 'jump' is not understood" },
        { HEAD "role a main-thread\n", ":4: role 'a' stands here twice" },
        { HEAD "role c paints x\n", ":4: 'paints' says not who 'c' is" },
        { HEAD "role c reads\n", ":4: 'reads' needs a value" },
        { HEAD "bound 5\n", ":4: a bound reads" },
        { HEAD "bound -5 ms\n", ":4: a bound reads" },
        { HEAD "round b mark x\n", ":4: 'to' is missing" },
        { HEAD ROUND "hold z done until a idle\n", ":5: 'z' is no role" },
        { HEAD ROUND "hold a sits until a idle\n", ":5: 'sits' is no point" },
        { HEAD ROUND "hold b mark xx until a idle\n", ":5: a mark is one" },
        { HEAD ROUND "hold a before-poll\n", ":5: 'until' is missing" },
        { HEAD ROUND "signal SIGSEGV at a idle\n", ":5: a signal is SIGTERM" },
        { HEAD ROUND "signal SIGTERM a idle\n", ":5: 'at' is missing" },
        { HEAD ROUND "hold a done until a idle\n",
          ":5: nobody can be held at 'done'" },
        { HEAD ROUND "hold a before-poll until a idle too\n",
          ":5: 'too' is too much" },
    };
    Schedule s;
    char err[256];

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_false(load(cases[i].text, &s, err, sizeof(err)));
        if (!strstr(err, cases[i].says)) {
            g_error("case %zu: '%s' does not say '%s'", i, err, cases[i].says);
        }
        g_assert_null(strchr(err, '\n'));
    }
}

static void check_meaning(void)
{
    Schedule s;
    char err[256];

    g_assert_true(load(HEAD ROUND "bound 70 ms\n"
                       "hold a before-sleep until b mark y or b asleep\n"
                       "may hold b before-clear after a done until a idle\n"
                       "role f syncs disk*.img\nrole i named IO?x\n"
                       "signal SIGTERM at f before-io after a done\n",
                       &s, err, sizeof(err)));
    g_assert_cmpint(s.bound_ms, ==, 70);
    g_assert_cmpint(s.n_rules, ==, 2);
    g_assert_false(s.rules[0].optional);
    g_assert_cmpint(s.rules[0].n_until, ==, 2);
    g_assert_cmpint(s.refs[s.rules[0].until[0]].mark, ==, 'y');
    g_assert_true(s.rules[1].optional);
    g_assert_cmpint(s.refs[s.refs[s.rules[1].at[0]].after].point, ==,
                    POINT_DONE);
    g_assert_cmpint(s.roles[2].kind, ==, ROLE_SYNCS);
    g_assert_cmpint(s.roles[3].kind, ==, ROLE_NAMED);
    g_assert_cmpint(s.n_signals, ==, 1);
    g_assert_cmpint(s.signals[0].number, ==, SIGTERM);
    g_assert_cmpint(s.refs[s.signals[0].at].point, ==, POINT_BEFORE_IO);
}

static void check_missing_file(void)
{
    Schedule s;
    char err[256];

    g_assert_false(schedule_load("/nonexistent/x.schedule", &s, err,
                                 sizeof(err)));
    g_assert_nonnull(strstr(err, "/nonexistent/x.schedule"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (int i = 1; i < argc; i++) {
        g_autofree char *base = g_path_get_basename(argv[i]);
        g_autofree char *name = g_strconcat("/schedule/shipped/", base, NULL);

        g_test_add_data_func(name, argv[i], check_shipped);
    }
    g_test_add_func("/schedule/mistakes", check_mistakes);
    g_test_add_func("/schedule/meaning", check_meaning);
    g_test_add_func("/schedule/missing-file", check_missing_file);
    return g_test_run();
}
