/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gio/gio.h>

#include "probe.h"
#include "qemu-process.h"

#define ASK_TIMEOUT_S 5

static bool refuse(GError **error, RunError code, const char *fmt, ...)
    G_GNUC_PRINTF(3, 4);

static bool refuse(GError **error, RunError code, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error_literal(error, RUN_ERROR, code, text);
    return false;
}

/*
 * The preloaded library needs a dynamic loader that honours LD_PRELOAD: not a
 * statically linked file, not a setuid one.  A script is taken as it is: what
 * it runs in the end shows itself.
 */
static bool check_elf(const char *path, GError **error)
{
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, false, error);
    const char *data;
    const Elf64_Ehdr *eh;
    gsize size;

    if (!file) {
        return false;
    }
    data = g_mapped_file_get_contents(file);
    size = g_mapped_file_get_length(file);
    if (size >= 2 && !memcmp(data, "#!", 2)) {
        return true;
    }
    eh = (const Elf64_Ehdr *)data;
    if (size < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG)) {
        return refuse(error, RUN_ERROR_USE, "%s is neither a program nor a "
                      "script; name a qemu-system-x86_64", path);
    }
    if (eh->e_ident[EI_CLASS] != ELFCLASS64 ||
        size < eh->e_phoff + (gsize)eh->e_phnum * sizeof(Elf64_Phdr)) {
        return refuse(error, RUN_ERROR_IMPOSSIBLE, "%s is no 64-bit program; "
                      "the schedule engine is built for 64 bit", path);
    }
    for (int i = 0; i < eh->e_phnum; i++) {
        if (((const Elf64_Phdr *)(data + eh->e_phoff))[i].p_type ==
            PT_INTERP) {
            return true;
        }
    }
    return refuse(error, RUN_ERROR_IMPOSSIBLE, "%s is statically linked: no "
                  "library can be preloaded to force a schedule; use a "
                  "dynamically linked build", path);
}

static bool check_file(const char *path, GError **error)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        return refuse(error, RUN_ERROR_USE, "%s: %s; name a "
                      "qemu-system-x86_64", path, g_strerror(errno));
    }
    if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0) {
        return refuse(error, RUN_ERROR_USE, "%s cannot be executed; name a "
                      "qemu-system-x86_64", path);
    }
    if (st.st_mode & (S_ISUID | S_ISGID)) {
        return refuse(error, RUN_ERROR_IMPOSSIBLE, "%s is setuid or setgid: "
                      "the loader ignores LD_PRELOAD for it; use a copy "
                      "without that bit", path);
    }
    return check_elf(path, error);
}

static gboolean time_is_over(gpointer cancellable)
{
    g_cancellable_cancel(cancellable);
    return G_SOURCE_REMOVE;
}

static void answered(GObject *process, GAsyncResult *result, gpointer loop)
{
    g_object_set_data_full(process, "result", g_object_ref(result),
                           g_object_unref);
    g_main_loop_quit(loop);
}

static void lead_a_group(gpointer unused)
{
    (void)unused;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void kill_group(GSubprocess *process)
{
    const char *id = g_subprocess_get_identifier(process);

    if (id) {
        kill(-atoi(id), SIGKILL);
    }
    g_subprocess_force_exit(process);
    g_subprocess_wait(process, NULL, NULL);
}

/* What "@path @word @value" prints; bounded, and nothing is left of it */
static bool ask(const char *path, const char *word, const char *value,
                char **answer, GError **error)
{
    const char *argv[] = { path, word, value, NULL };
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, false);
    g_autoptr(GCancellable) cancel = g_cancellable_new();
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                                  G_SUBPROCESS_FLAGS_STDERR_PIPE);
    g_autoptr(GSubprocess) process = NULL;
    g_autofree char *err = NULL;
    guint timer;
    bool ok;

    *answer = NULL;
    g_subprocess_launcher_set_child_setup(launcher, lead_a_group, NULL, NULL);
    process = g_subprocess_launcher_spawnv(launcher, argv, error);
    if (!process) {
        return false;
    }
    timer = g_timeout_add_seconds(ASK_TIMEOUT_S, time_is_over, cancel);
    g_subprocess_communicate_utf8_async(process, NULL, cancel, answered, loop);
    g_main_loop_run(loop);
    ok = g_subprocess_communicate_utf8_finish(process,
             g_object_get_data(G_OBJECT(process), "result"), answer, &err,
             NULL);
    if (!g_cancellable_is_cancelled(cancel)) {
        g_source_remove(timer);
    }
    if (!ok) {
        kill_group(process);
        return refuse(error, RUN_ERROR_USE, "'%s %s%s%s' gave no answer in %d "
                      "seconds; is this a QEMU?", path, word,
                      value ? " " : "", value ? value : "", ASK_TIMEOUT_S);
    }
    if (!g_subprocess_get_if_exited(process) ||
        g_subprocess_get_exit_status(process)) {
        err[strcspn(err, "\n")] = '\0';
        g_clear_pointer(answer, g_free);
        if (g_subprocess_get_if_signaled(process)) {
            return refuse(error, RUN_ERROR_USE, "'%s %s' is killed by signal "
                          "%d: this binary does not run here", path, word,
                          g_subprocess_get_term_sig(process));
        }
        return refuse(error, RUN_ERROR_USE, "'%s %s' fails%s%s: this binary "
                      "does not run here, or is no QEMU", path, word,
                      *err ? ": " : "", err);
    }
    if (!**answer) {
        /* QEMU 2.3 lists its devices on stderr */
        g_free(*answer);
        *answer = g_steal_pointer(&err);
    }
    return true;
}

static bool get_version(const char *path, char **version, GError **error)
{
    static const char intro[] = "QEMU emulator version ";
    g_autofree char *answer = NULL;

    if (!ask(path, "--version", NULL, &answer, error)) {
        return false;
    }
    if (!g_str_has_prefix(answer, intro)) {
        return refuse(error, RUN_ERROR_USE, "%s is no QEMU system emulator: "
                      "its --version does not say so; name a "
                      "qemu-system-x86_64", path);
    }
    answer[strcspn(answer, "\n")] = '\0';
    *version = g_strdup(answer + strlen(intro));
    (*version)[strcspn(*version, ",")] = '\0';
    return true;
}

static bool check_abilities(const char *path, GError **error)
{
    g_autofree char *machines = NULL;
    g_autofree char *devices = NULL;

    if (!ask(path, "-machine", "help", &machines, error)) {
        return false;
    }
    if (!strstr(machines, "\npc ")) {
        return refuse(error, RUN_ERROR_IMPOSSIBLE, "%s has no x86 'pc' "
                      "machine, which the guest needs; name a "
                      "qemu-system-x86_64", path);
    }
    if (!ask(path, "-device", "help", &devices, error)) {
        return false;
    }
    if (!strstr(devices, "\"virtio-blk-pci\"")) {
        return refuse(error, RUN_ERROR_IMPOSSIBLE, "%s has no virtio-blk-pci, "
                      "which the guest drives; install the package with QEMU's "
                      "modules, or name another build", path);
    }
    return true;
}

bool probe_binary(const char *path, char **resolved, char **version,
                  GError **error)
{
    *version = NULL;
    *resolved = strchr(path, '/') ? g_strdup(path)
                                  : g_find_program_in_path(path);
    if (!*resolved) {
        return refuse(error, RUN_ERROR_USE, "%s is not installed; install the "
                      "package qemu-system-x86, or name a binary", path);
    }
    return check_file(*resolved, error) &&
           get_version(*resolved, version, error) &&
           check_abilities(*resolved, error);
}
