/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <libfdt.h>

#include "tree.h"

/*
 * The only address that the machine "virt" documents: RAM starts here, and with
 * firmware in the flash the device tree is at its start.
 */
#define TREE ((const void *)0x40000000)

bool tree_open(void)
{
    return fdt_check_header(TREE) == 0;
}

static bool is(int node, const char *property, const char *value)
{
    int len;
    const char *text = fdt_getprop(TREE, node, property, &len);

    return text && fdt_stringlist_contains(text, len, value);
}

/* Without "status" a device is for both worlds. */
static bool is_usable(int node, bool secure)
{
    bool both = !fdt_getprop(TREE, node, "status", NULL) ||
                is(node, "status", "okay");

    return secure ? !both && is(node, "secure-status", "okay") : both;
}

static uint64_t take_cells(const fdt32_t **cells, int n)
{
    uint64_t value = 0;

    while (n--) {
        value = value << 32 | fdt32_ld((*cells)++);
    }
    return value;
}

/* Finds the part @*n of the node, or takes their number off @*n. */
static bool take_region(int node, unsigned *n, Region *region)
{
    int parent = fdt_parent_offset(TREE, node);
    int address_cells = fdt_address_cells(TREE, parent);
    int size_cells = fdt_size_cells(TREE, parent);
    int len;
    const fdt32_t *cells = fdt_getprop(TREE, node, "reg", &len);
    const fdt32_t *end;

    if (!cells || address_cells < 1 || size_cells < 0) {
        return false;
    }
    end = cells + len / sizeof(*cells);
    while (end - cells >= address_cells + size_cells) {
        region->start = take_cells(&cells, address_cells);
        region->size = take_cells(&cells, size_cells);
        if ((*n)-- == 0) {
            return true;
        }
    }
    return false;
}

bool tree_device(const char *compatible, bool secure, unsigned n,
                 Region *region)
{
    int node = -1;

    while ((node = fdt_node_offset_by_compatible(TREE, node, compatible)) >= 0) {
        if (is_usable(node, secure) && take_region(node, &n, region)) {
            return true;
        }
    }
    return false;
}
