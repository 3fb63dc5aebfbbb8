/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A core file, of the kernel or of gcore: memory that was saved, the threads'
 * registers, and the list of mapped files.  It has no file descriptors, no
 * clock, and one moment only.
 */
#include <elf.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/user.h>

#include "target.h"

typedef struct Core {
    GMappedFile *file;
    const guint8 *data;
    gsize size;
    const Elf64_Phdr *phdrs;
    int n_phdrs;
    GArray *threads;            /* Thread */
    guint64 program_headers;    /* AT_PHDR */
    int pid;
} Core;

static void core_close(Target *t)
{
    Core *core = t->core;

    if (core) {
        g_mapped_file_unref(core->file);
        g_array_unref(core->threads);
        g_free(core);
    }
}

static bool inside(const Core *core, guint64 offset, guint64 size)
{
    return offset <= core->size && size <= core->size - offset;
}

static bool core_read(Target *t, guint64 address, void *buf, gsize size)
{
    const Core *core = t->core;

    for (int i = 0; i < core->n_phdrs; i++) {
        const Elf64_Phdr *ph = &core->phdrs[i];

        if (ph->p_type == PT_LOAD && address >= ph->p_vaddr &&
            address + size <= ph->p_vaddr + ph->p_filesz &&
            inside(core, ph->p_offset + (address - ph->p_vaddr), size)) {
            memcpy(buf, core->data + ph->p_offset + (address - ph->p_vaddr),
                   size);
            return true;
        }
    }
    return false;
}

static GArray *core_threads(Target *t)
{
    return g_array_ref(t->core->threads);
}

/* EINTR, or one of the kernel's own ERESTART codes */
static bool was_interrupted(long result)
{
    return result == -4 || (result >= -516 && result <= -512);
}

static void take_thread(Core *core, const guint8 *desc, gsize size)
{
    struct elf_prstatus status;
    Thread thread = { .state = '?', .nr = THREAD_UNKNOWN };

    if (size < sizeof(status)) {
        return;
    }
    memcpy(&status, desc, sizeof(status));
    thread.tid = thread.own_tid = status.pr_pid;
#ifdef __x86_64__
    {
        struct user_regs_struct regs;

        memcpy(&regs, &status.pr_reg, sizeof(regs));
        /* one that runs has a negative number there */
        thread.nr = (long)regs.orig_rax < 0 ? THREAD_RUNNING
                                            : (long)regs.orig_rax;
        thread.returned = thread.nr >= 0 && !was_interrupted(regs.rax);
        thread.args[0] = regs.rdi;
        thread.args[1] = regs.rsi;
        thread.args[2] = regs.rdx;
        thread.args[3] = regs.r10;
        thread.args[4] = regs.r8;
        thread.args[5] = regs.r9;
        thread.sp = regs.rsp;
    }
#endif
    g_array_append_val(core->threads, thread);
}

static void take_files(Target *t, const guint8 *desc, gsize size)
{
    const guint64 *words = (const guint64 *)desc;
    const char *name, *end = (const char *)desc + size;
    guint64 n;

    if (size < 16 || (n = words[0]) > (size - 16) / 24) {
        return;
    }
    name = (const char *)&words[2 + 3 * n];
    for (guint64 i = 0; i < n && name < end; i++) {
        Mapping m = {
            .start = words[2 + 3 * i],
            .end = words[3 + 3 * i],
            .offset = words[4 + 3 * i] * words[1],
            .path = g_strndup(name, end - name),
        };

        name += strlen(m.path) + 1;
        g_array_append_val(t->maps, m);
    }
}

static void take_notes(Target *t, const Elf64_Phdr *ph)
{
    Core *core = t->core;
    guint64 at = ph->p_offset;

    while (at + sizeof(Elf64_Nhdr) <= ph->p_offset + ph->p_filesz &&
           inside(core, at, sizeof(Elf64_Nhdr))) {
        const Elf64_Nhdr *note = (const Elf64_Nhdr *)(core->data + at);
        guint64 desc = at + sizeof(*note) + ((note->n_namesz + 3) & ~3u);
        const guint8 *data = core->data + desc;

        if (!inside(core, desc, note->n_descsz)) {
            return;
        }
        if (note->n_type == NT_PRSTATUS) {
            take_thread(core, data, note->n_descsz);
        } else if (note->n_type == NT_FILE) {
            take_files(t, data, note->n_descsz);
        } else if (note->n_type == NT_PRPSINFO &&
                   note->n_descsz >= sizeof(struct elf_prpsinfo)) {
            const struct elf_prpsinfo *info = (const void *)data;

            core->pid = info->pr_pid;
            g_free(t->name);
            t->name = g_strndup(info->pr_fname, sizeof(info->pr_fname));
        } else if (note->n_type == NT_AUXV) {
            const Elf64_auxv_t *aux = (const void *)data;

            for (guint i = 0; i < note->n_descsz / sizeof(*aux); i++) {
                if (aux[i].a_type == AT_PHDR) {
                    core->program_headers = aux[i].a_un.a_val;
                }
            }
        }
        at = desc + ((note->n_descsz + 3) & ~3u);
    }
}

static gint main_first(gconstpointer a, gconstpointer b, gpointer pid)
{
    int main_tid = GPOINTER_TO_INT(pid);

    return (((const Thread *)b)->tid == main_tid) -
           (((const Thread *)a)->tid == main_tid);
}

/* Writable memory that is not of a file, as far as the core says so */
static void take_areas(Target *t)
{
    for (int i = 0; i < t->core->n_phdrs; i++) {
        const Elf64_Phdr *ph = &t->core->phdrs[i];
        Mapping area = { .start = ph->p_vaddr,
                         .end = ph->p_vaddr + ph->p_filesz };

        if (ph->p_type == PT_LOAD && ph->p_flags & PF_W && ph->p_filesz &&
            !target_mapping(t, area.start)) {
            area.path = g_strdup("");
            g_array_append_val(t->areas, area);
        }
    }
}

static bool read_core(Target *t, const char *path, GError **error)
{
    GMappedFile *file = g_mapped_file_new(path, false, error);
    const Elf64_Ehdr *eh;
    Core *core;

    if (!file) {
        (*error)->domain = TARGET_ERROR;
        (*error)->code = TARGET_ERROR_USE;
        return false;
    }
    t->core = core = g_new0(Core, 1);
    core->file = file;
    core->data = (const guint8 *)g_mapped_file_get_contents(file);
    core->size = g_mapped_file_get_length(file);
    core->threads = g_array_new(false, true, sizeof(Thread));
    eh = (const Elf64_Ehdr *)core->data;
    if (core->size < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) ||
        eh->e_type != ET_CORE || eh->e_ident[EI_CLASS] != ELFCLASS64 ||
        !inside(core, eh->e_phoff, eh->e_phnum * sizeof(Elf64_Phdr))) {
        g_set_error(error, TARGET_ERROR, TARGET_ERROR_USE,
                    "%s is no core file of a 64-bit program", path);
        return false;
    }
    core->phdrs = (const Elf64_Phdr *)(core->data + eh->e_phoff);
    core->n_phdrs = eh->e_phnum;
    for (int i = 0; i < core->n_phdrs; i++) {
        if (core->phdrs[i].p_type == PT_NOTE) {
            take_notes(t, &core->phdrs[i]);
        }
    }
    if (!core->threads->len || !t->maps->len) {
        g_set_error(error, TARGET_ERROR, TARGET_ERROR_IMPOSSIBLE,
                    "%s has no threads or no list of mapped files; was it cut "
                    "off?", path);
        return false;
    }
    take_areas(t);
    g_array_sort_with_data(core->threads, main_first,
                           GINT_TO_POINTER(core->pid));
    return true;
}

static bool open_image(Target *t, const char *binary, GError **error)
{
    const Mapping *m = target_mapping(t, t->core->program_headers);
    const char *path;
    g_autofree char *recorded = NULL;

    /* a position-independent program has its headers in the first page */
    if (!m || m->offset) {
        g_set_error(error, TARGET_ERROR, TARGET_ERROR_IMPOSSIBLE,
                    "the core file does not say which program it is of");
        return false;
    }
    recorded = g_strdup(m->path);
    path = binary ? binary : recorded;
    t->image = image_open(path, m->start, error);
    if (!t->image) {
        if (*error) {
            g_prefix_error(error, "the program of the core file: ");
            (*error)->domain = TARGET_ERROR;
            (*error)->code = binary ? TARGET_ERROR_USE
                                    : TARGET_ERROR_IMPOSSIBLE;
        }
        return false;
    }
    if (!image_version(t->image)) {
        g_set_error(error, TARGET_ERROR, TARGET_ERROR_USE,
                    "%s is no QEMU system emulator", path);
        return false;
    }
    return true;
}

/* The note of the program that crashed, as far as the core has it */
static bool same_program(Target *t, const char *path, GError **error)
{
    const Mapping *m = target_mapping(t, t->core->program_headers);
    guint64 start = m->start;
    guint8 here[4096];
    g_autofree guint8 *there = NULL;
    gsize size;
    g_autofree char *file = NULL;

    if (!core_read(t, start, here, sizeof(here)) ||
        !g_file_get_contents(path, &file, &size, NULL) ||
        size < sizeof(here) || !memcmp(here, file, sizeof(here))) {
        return true;
    }
    g_set_error(error, TARGET_ERROR, TARGET_ERROR_USE,
                "%s is not the program that the core file is of (another "
                "build); name the right one", path);
    return false;
}

Target *target_open_core(const char *path, const char *binary, GError **error)
{
    Target *t = target_new();
    const Mapping *m;

    t->read = core_read;
    t->threads = core_threads;
    t->close = core_close;
    t->name = g_strdup("?");
    if (read_core(t, path, error) && open_image(t, binary, error)) {
        m = target_mapping(t, t->core->program_headers);
        if (same_program(t, binary ? binary : m->path, error)) {
            return t;
        }
    }
    target_free(t);
    return NULL;
}
