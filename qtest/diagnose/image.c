/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <string.h>
#include <sys/mman.h>

#include "image.h"
#include "target.h"

typedef struct SymbolTable {
    const Elf64_Sym *syms;
    gsize n;
    const char *strings;
    gsize strings_size;
} SymbolTable;

struct Image {
    GMappedFile *file;
    const guint8 *data;
    gsize size;
    guint64 bias;
    const Elf64_Phdr *phdrs;
    int n_phdrs;
    SymbolTable tables[2];      /* .symtab if there, .dynsym */
    int n_tables;
    bool debug_info;
    char *version;
    char *build_id;
};

static bool inside(const Image *image, guint64 offset, guint64 size)
{
    return offset <= image->size && size <= image->size - offset;
}

static void take_table(Image *image, const Elf64_Shdr *sections, int n,
                       const Elf64_Shdr *s)
{
    const Elf64_Shdr *strings;
    SymbolTable *table = &image->tables[image->n_tables];

    if (s->sh_link >= (unsigned)n || image->n_tables == 2 ||
        !inside(image, s->sh_offset, s->sh_size)) {
        return;
    }
    strings = &sections[s->sh_link];
    if (!inside(image, strings->sh_offset, strings->sh_size) ||
        !strings->sh_size ||
        image->data[strings->sh_offset + strings->sh_size - 1]) {
        return;
    }
    table->syms = (const Elf64_Sym *)(image->data + s->sh_offset);
    table->n = s->sh_size / sizeof(Elf64_Sym);
    table->strings = (const char *)image->data + strings->sh_offset;
    table->strings_size = strings->sh_size;
    image->n_tables++;
}

static void read_sections(Image *image)
{
    const Elf64_Ehdr *eh = (const Elf64_Ehdr *)image->data;
    const Elf64_Shdr *s = (const Elf64_Shdr *)(image->data + eh->e_shoff);
    const Elf64_Shdr *names;

    if (!eh->e_shoff || eh->e_shentsize != sizeof(*s) ||
        !inside(image, eh->e_shoff, eh->e_shnum * sizeof(*s)) ||
        eh->e_shstrndx >= eh->e_shnum) {
        return;
    }
    names = &s[eh->e_shstrndx];
    if (!inside(image, names->sh_offset, names->sh_size)) {
        return;
    }
    for (int i = 0; i < eh->e_shnum; i++) {
        if (s[i].sh_type == SHT_SYMTAB) {
            take_table(image, s, eh->e_shnum, &s[i]);
        }
        if (s[i].sh_name + sizeof(".debug_info") <= names->sh_size &&
            !strcmp((const char *)image->data + names->sh_offset +
                    s[i].sh_name, ".debug_info")) {
            image->debug_info = true;
        }
    }
    for (int i = 0; i < eh->e_shnum; i++) {
        if (s[i].sh_type == SHT_DYNSYM) {
            take_table(image, s, eh->e_shnum, &s[i]);
        }
    }
}

static void read_build_id(Image *image, const Elf64_Phdr *ph)
{
    guint64 at = ph->p_offset;

    while (inside(image, at, sizeof(Elf64_Nhdr)) &&
           at < ph->p_offset + ph->p_filesz) {
        const Elf64_Nhdr *note = (const Elf64_Nhdr *)(image->data + at);
        guint64 name = at + sizeof(*note);
        guint64 desc = name + ((note->n_namesz + 3) & ~3u);

        if (!inside(image, desc, note->n_descsz)) {
            return;
        }
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
            !memcmp(image->data + name, "GNU", 4) && !image->build_id) {
            GString *hex = g_string_new(NULL);

            for (unsigned i = 0; i < note->n_descsz; i++) {
                g_string_append_printf(hex, "%02x", image->data[desc + i]);
            }
            image->build_id = g_string_free(hex, false);
        }
        at = desc + ((note->n_descsz + 3) & ~3u);
    }
}

/* The literal that --version prints */
static void read_version(Image *image)
{
    static const char intro[] = "QEMU emulator version ";
    const char *at = memmem(image->data, image->size, intro, strlen(intro));
    const char *end;

    if (!at) {
        return;
    }
    at += strlen(intro);
    end = memchr(at, '\n', (const char *)image->data + image->size - at);
    if (!end || end - at > 200) {
        return;
    }
    image->version = g_strndup(at, end - at);
    /* QEMU 2.3 has a format there */
    if (strchr(image->version, '%')) {
        g_free(image->version);
        image->version = g_strdup("");
    } else {
        image->version[strcspn(image->version, ",")] = '\0';
    }
}

Image *image_open(const char *path, guint64 start, GError **error)
{
    GMappedFile *file = g_mapped_file_new(path, false, error);
    const Elf64_Ehdr *eh;
    Image *image;
    bool first = true;

    if (!file) {
        return NULL;
    }
    image = g_new0(Image, 1);
    image->file = file;
    image->data = (const guint8 *)g_mapped_file_get_contents(file);
    image->size = g_mapped_file_get_length(file);
    eh = (const Elf64_Ehdr *)image->data;
    if (image->size < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) ||
        eh->e_ident[EI_CLASS] != ELFCLASS64 ||
        eh->e_phentsize != sizeof(Elf64_Phdr) ||
        !inside(image, eh->e_phoff, eh->e_phnum * sizeof(Elf64_Phdr))) {
        g_set_error(error, TARGET_ERROR, TARGET_ERROR_IMPOSSIBLE,
                    "%s is no 64-bit ELF program", path);
        image_free(image);
        return NULL;
    }
    image->phdrs = (const Elf64_Phdr *)(image->data + eh->e_phoff);
    image->n_phdrs = eh->e_phnum;
    for (int i = 0; i < image->n_phdrs; i++) {
        const Elf64_Phdr *ph = &image->phdrs[i];

        if (ph->p_type == PT_LOAD && first) {
            image->bias = start - (ph->p_vaddr - ph->p_offset);
            first = false;
        } else if (ph->p_type == PT_NOTE) {
            read_build_id(image, ph);
        }
    }
    read_sections(image);
    read_version(image);
    return image;
}

void image_free(Image *image)
{
    if (image) {
        g_mapped_file_unref(image->file);
        g_free(image->version);
        g_free(image->build_id);
        g_free(image);
    }
}

void image_rest(const Image *image)
{
    madvise((void *)image->data, image->size, MADV_DONTNEED);
}

const char *image_version(const Image *image)
{
    return image->version;
}

const char *image_build_id(const Image *image)
{
    return image->build_id;
}

bool image_has_debug_info(const Image *image)
{
    g_autofree char *path = NULL;

    if (image->debug_info || !image->build_id ||
        strlen(image->build_id) < 3) {
        return image->debug_info;
    }
    path = g_strdup_printf("/usr/lib/debug/.build-id/%.2s/%s.debug",
                           image->build_id, image->build_id + 2);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

guint64 image_symbol(const Image *image, const char *name, guint64 *size)
{
    for (int t = 0; t < image->n_tables; t++) {
        const SymbolTable *table = &image->tables[t];

        for (gsize i = 0; i < table->n; i++) {
            const Elf64_Sym *sym = &table->syms[i];

            if (sym->st_shndx != SHN_UNDEF && sym->st_value &&
                sym->st_name < table->strings_size &&
                !strcmp(table->strings + sym->st_name, name)) {
                if (size) {
                    *size = sym->st_size;
                }
                return image->bias + sym->st_value;
            }
        }
    }
    return 0;
}

const char *image_function_at(const Image *image, guint64 address)
{
    for (int t = 0; t < image->n_tables; t++) {
        const SymbolTable *table = &image->tables[t];

        for (gsize i = 0; i < table->n; i++) {
            const Elf64_Sym *sym = &table->syms[i];

            if (ELF64_ST_TYPE(sym->st_info) == STT_FUNC && sym->st_value &&
                image->bias + sym->st_value == address &&
                sym->st_name < table->strings_size) {
                return table->strings + sym->st_name;
            }
        }
    }
    return NULL;
}

guint64 image_variable_of(const Image *image, const char *getter)
{
#ifdef __x86_64__
    static const guint8 endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
    guint64 at = image_symbol(image, getter, NULL);
    guint8 code[16];
    gint32 displacement;
    unsigned i = 0;

    if (!at || !image_read(image, at, code, sizeof(code))) {
        return 0;
    }
    if (!memcmp(code, endbr64, sizeof(endbr64))) {
        i += sizeof(endbr64);
    }
    if (code[i] == 0x48) {              /* 64 bit wide */
        i++;
    }
    if (code[i] != 0x8b || code[i + 1] != 0x05) {   /* mov x(%rip), %eax */
        return 0;
    }
    memcpy(&displacement, code + i + 2, sizeof(displacement));
    return at + i + 6 + displacement;
#else
    (void)image;
    (void)getter;
    return 0;
#endif
}

static const Elf64_Phdr *load_of(const Image *image, guint64 address)
{
    for (int i = 0; i < image->n_phdrs; i++) {
        const Elf64_Phdr *ph = &image->phdrs[i];

        if (ph->p_type == PT_LOAD && address >= image->bias + ph->p_vaddr &&
            address < image->bias + ph->p_vaddr + ph->p_memsz) {
            return ph;
        }
    }
    return NULL;
}

bool image_is_code(const Image *image, guint64 address)
{
    const Elf64_Phdr *ph = load_of(image, address);

    return ph && (ph->p_flags & PF_X);
}

bool image_is_data(const Image *image, guint64 address)
{
    const Elf64_Phdr *ph = load_of(image, address);

    return ph && !(ph->p_flags & PF_X);
}

void image_data_range(const Image *image, guint64 *start, guint64 *end)
{
    *start = *end = 0;
    for (int i = 0; i < image->n_phdrs; i++) {
        const Elf64_Phdr *ph = &image->phdrs[i];

        if (ph->p_type == PT_LOAD && (ph->p_flags & PF_W)) {
            *start = image->bias + ph->p_vaddr;
            *end = *start + ph->p_memsz;
        }
    }
}

bool image_read(const Image *image, guint64 address, void *buf, gsize size)
{
    const Elf64_Phdr *ph = load_of(image, address);
    guint64 in;

    if (!ph || (ph->p_flags & PF_W)) {
        return false;
    }
    in = address - image->bias - ph->p_vaddr;
    if (in + size > ph->p_filesz || !inside(image, ph->p_offset + in, size)) {
        return false;
    }
    memcpy(buf, image->data + ph->p_offset + in, size);
    return true;
}
