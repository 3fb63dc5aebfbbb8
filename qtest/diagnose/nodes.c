/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <time.h>

#include "masked.h"
#include "nodes.h"

/* struct BlockDriverState, the same since 2.9 */
#define BS_DRV          16
#define BS_AIO_CONTEXT  32
#define BS_FILENAME     49
#define FILENAME_SIZE   4096
/* backing_file, auto_backing_file, backing_format, full_open_options */
#define BS_EXACT_NAME   (BS_FILENAME + 3 * FILENAME_SIZE + 16 + 7 + 8)
#define BS_LIMITS       (BS_EXACT_NAME + FILENAME_SIZE)
#define BS_SIZE         (BS_LIMITS + 4096)
#define NODE_NAME_SIZE  32
#define NODE_NAME_RANGE 400

/* struct _GSource */
#define GSOURCE_FUNCS   16

/* struct BdrvTrackedRequest */
#define REQUEST_BS      0
#define REQUEST_OFFSET  8
#define REQUEST_BYTES   16
#define REQUEST_TYPE    24
#define REQUEST_SIZE    96
#define REQUEST_LIST    40      /* or up to 16 further */

#define MAX_NODES       512
#define MAX_REQUESTS    256
#define MAX_AREA        (64 * 1024 * 1024)
#define CHUNK           (256 * 1024)

typedef struct Node {
    guint64 address;
    char *name;
    char *driver;
} Node;

struct Nodes {
    Target *t;
    guint64 context;
    guint64 source_funcs;       /* of every AioContext */
    guint64 data_start, data_end;   /* of the program: its drivers */
    GArray *nodes;              /* Node */
};

static void node_clear(gpointer data)
{
    g_free(((Node *)data)->name);
    g_free(((Node *)data)->driver);
}

static void request_clear(gpointer data)
{
    g_free(((Request *)data)->key);
    g_free(((Request *)data)->text);
    g_free(((Request *)data)->driver);
}

static guint64 word(const guint8 *at)
{
    guint64 value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static bool is_driver_name(const char *name)
{
    gsize n = name ? strlen(name) : 0;

    return n > 1 && n < 24 && g_ascii_islower(name[0]) &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_+") == n;
}

/* QEMU's rule for an id, or the name that it makes up: "#block123" */
static bool is_node_name(const guint8 *at)
{
    gsize n = strnlen((const char *)at, NODE_NAME_SIZE);

    if (n < 2 || n == NODE_NAME_SIZE ||
        (!g_ascii_isalpha(at[0]) && at[0] != '#')) {
        return false;
    }
    for (gsize i = 1; i < n; i++) {
        if (!g_ascii_isalnum(at[i]) && !strchr("-._", at[i])) {
            return false;
        }
    }
    for (gsize i = n; i < NODE_NAME_SIZE; i++) {
        if (at[i]) {
            return false;
        }
    }
    return true;
}

/* A string in a fixed field, or NULL */
static char *take_string(const guint8 *at, gsize size)
{
    gsize n = strnlen((const char *)at, size);

    for (gsize i = 0; i < n; i++) {
        if (at[i] < ' ' || at[i] == 127) {
            return NULL;
        }
    }
    return n && n < size ? mask_secrets((const char *)at) : NULL;
}

static char *name_node(const guint8 *bs, const char *driver)
{
    g_autofree char *file = take_string(bs + BS_FILENAME, FILENAME_SIZE);
    const guint8 *name = NULL;

    for (int at = BS_LIMITS - 8; at < BS_LIMITS + NODE_NAME_RANGE && !name;
         at++) {
        name = is_node_name(bs + at) ? bs + at : NULL;
    }
    return g_strdup_printf("node %s (%s%s%s)", name ? (const char *)name :
                           "without a name", driver, file ? ", " : "",
                           file ? file : "");
}

/* Of the program, a module, or the heap: what is read must not be the guest's memory. */
static bool is_known_memory(const Nodes *n, guint64 address)
{
    const Mapping *m = target_mapping(n->t, address);

    if (image_is_data(n->t->image, address) ||
        (m && (strstr(m->path, ".so") || !strcmp(m->path, "[heap]")))) {
        return true;
    }
    for (guint i = 0; i < n->t->areas->len; i++) {
        const Mapping *area = &g_array_index(n->t->areas, Mapping, i);

        if (address >= area->start && address < area->end) {
            return true;
        }
    }
    return false;
}

static void try_node(Nodes *n, guint64 address, const guint8 *words)
{
    guint64 driver = word(words + BS_DRV);
    guint64 context = word(words + BS_AIO_CONTEXT);
    g_autofree char *name = NULL;
    g_autofree guint8 *bs = NULL;
    Node node;

    if (driver < 4096 || driver & 7 || context < 4096 || context & 7 ||
        context >> 47 || driver >> 47) {
        return;
    }
    if (!is_known_memory(n, driver) ||
        (context != n->context &&
         (!is_known_memory(n, context) ||
          target_read_u64(n->t, context + GSOURCE_FUNCS) !=
          n->source_funcs))) {
        return;
    }
    name = target_read_string(n->t, target_read_u64(n->t, driver));
    if (!is_driver_name(name)) {
        return;
    }
    bs = g_malloc(BS_SIZE);
    if (!target_read(n->t, address, bs, BS_SIZE)) {
        return;
    }
    node.address = address;
    node.driver = g_steal_pointer(&name);
    node.name = name_node(bs, node.driver);
    g_array_append_val(n->nodes, node);
}

/* A busy host must not end the search: our own processor time counts. */
static gint64 own_time_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (gint64)ts.tv_sec * G_USEC_PER_SEC + ts.tv_nsec / 1000;
}

static void search_area(Nodes *n, const Mapping *area, gint64 deadline)
{
    g_autofree guint8 *data = g_malloc(CHUNK + BS_AIO_CONTEXT + 8);

    for (guint64 at = area->start; at < area->end; at += CHUNK) {
        gsize size = MIN(area->end - at, CHUNK + BS_AIO_CONTEXT + 8);

        if (own_time_us() > deadline) {
            return;
        }
        if (!target_read(n->t, at, data, size)) {
            continue;
        }
        for (gsize i = 0; i + BS_AIO_CONTEXT + 8 <= size && i < CHUNK;
             i += 8) {
            guint64 context = word(data + i + BS_AIO_CONTEXT);

            if (context == n->context ||
                word(data + i + BS_DRV) - n->data_start <
                n->data_end - n->data_start) {
                try_node(n, at + i, data + i);
            }
            if (n->nodes->len >= MAX_NODES) {
                return;
            }
        }
    }
}

Nodes *nodes_new(Target *t, guint64 context, gint64 within_us)
{
    Nodes *n = g_new0(Nodes, 1);
    gint64 deadline = own_time_us() + within_us;

    n->t = t;
    n->context = context;
    n->source_funcs = target_read_u64(t, context + GSOURCE_FUNCS);
    image_data_range(t->image, &n->data_start, &n->data_end);
    n->nodes = g_array_new(false, true, sizeof(Node));
    g_array_set_clear_func(n->nodes, node_clear);
    for (guint i = 0; i < t->areas->len; i++) {
        const Mapping *area = &g_array_index(t->areas, Mapping, i);

        /* in a core, what is larger is the guest's memory */
        if (!strcmp(area->path, "[heap]") ||
            area->end - area->start <= MAX_AREA) {
            search_area(n, area, deadline);
        }
    }
    return n;
}

void nodes_free(Nodes *n)
{
    if (n) {
        g_array_unref(n->nodes);
        g_free(n);
    }
}

GPtrArray *nodes_list(const Nodes *n)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < n->nodes->len; i++) {
        g_ptr_array_add(list, g_strdup(g_array_index(n->nodes, Node,
                                                     i).name));
    }
    return list;
}

/* Is it a request of @bs?  @list: offset of the list entry that links it */
static bool read_request(Nodes *n, guint64 at, guint64 bs, guint64 prev,
                         guint8 *request, int *list)
{
    if (at < 4096 || at & 7 || at >> 47 ||
        !target_read(n->t, at, request, REQUEST_SIZE) ||
        word(request + REQUEST_BS) != bs) {
        return false;
    }
    for (*list = REQUEST_LIST; *list <= REQUEST_LIST + 16; *list += 8) {
        if (word(request + *list + 8) == prev) {
            return true;
        }
    }
    return false;
}

/* Two of one coroutine: the inner one has the lower address on its stack. */
static bool is_outer(const GArray *requests, const GArray *coroutines,
                     guint64 coroutine, guint64 address, guint *same)
{
    for (*same = 0; *same < requests->len; ++*same) {
        if (coroutine && g_array_index(coroutines, guint64, *same) ==
            coroutine) {
            return g_array_index(requests, Request, *same).address < address;
        }
    }
    return false;
}

static void add_request(GArray *requests, GArray *coroutines, const Node *node,
                        guint64 address, const guint8 *data, int list)
{
    static const char *const types[] = { "read", "write", "discard",
                                         "truncate" };
    guint64 coroutine = word(data + list + 16);
    guint32 type = (guint32)word(data + REQUEST_TYPE);
    guint same;
    Request found;

    if (is_outer(requests, coroutines, coroutine, address, &same)) {
        return;
    }
    found.address = address;
    found.driver = g_strdup(node->driver);
    found.key = g_strdup_printf("%" G_GINT64_MODIFIER "x %" G_GINT64_MODIFIER
                                "x %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                                node->address, address,
                                word(data + REQUEST_OFFSET),
                                word(data + REQUEST_BYTES));
    found.text = g_strdup_printf("%s of %" G_GUINT64_FORMAT " bytes at %"
                                 G_GUINT64_FORMAT " of %s",
                                 type < G_N_ELEMENTS(types) ? types[type] :
                                 "request", word(data + REQUEST_BYTES),
                                 word(data + REQUEST_OFFSET), node->name);
    if (same < requests->len) {
        request_clear(&g_array_index(requests, Request, same));
        g_array_index(requests, Request, same) = found;
    } else {
        g_array_append_val(requests, found);
        g_array_append_val(coroutines, coroutine);
    }
}

GArray *nodes_read_requests(Nodes *n)
{
    GArray *requests = g_array_new(false, true, sizeof(Request));
    g_autoptr(GArray) coroutines = g_array_new(false, true, sizeof(guint64));
    g_autofree guint8 *bs = g_malloc(BS_SIZE);

    g_array_set_clear_func(requests, request_clear);
    for (guint i = 0; i < n->nodes->len; i++) {
        const Node *node = &g_array_index(n->nodes, Node, i);
        int head, list;
        guint8 data[REQUEST_SIZE];

        if (!target_read(n->t, node->address, bs, BS_SIZE)) {
            continue;
        }
        for (head = (BS_LIMITS + 7) & ~7; head + 8 <= BS_SIZE; head += 8) {
            guint64 prev = node->address + head;
            guint64 at = word(bs + head);

            while (requests->len < MAX_REQUESTS &&
                   read_request(n, at, node->address, prev, data, &list)) {
                add_request(requests, coroutines, node, at, data, list);
                prev = at + list;
                at = word(data + list);
            }
        }
    }
    return requests;
}
