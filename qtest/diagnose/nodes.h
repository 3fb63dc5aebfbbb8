/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's block nodes and the requests in flight on them, found by content.
 *
 * A BlockDriverState has a pointer to its driver, whose first field points to
 * the driver's name, and two words further the AioContext it belongs to; a
 * tracked request points back to its node, and its list entry to the list's
 * head in the node.  A flush has no tracked request.
 */
#ifndef AIO_WAKEUP_NODES_H
#define AIO_WAKEUP_NODES_H

#include <glib.h>

#include "target.h"

typedef struct Request {
    guint64 address;
    char *key;              /* says whether two are the same */
    char *text;             /* for people */
    char *driver;           /* of its node: "file", "nbd", "throttle" */
} Request;

typedef struct Nodes Nodes;

/*
 * nodes_new: find the nodes of @t, in at most @within_us of our
 * processor time.
 * @context: the main loop's AioContext
 *
 * Returns: the nodes (there may be none), to be freed with nodes_free().
 */
Nodes *nodes_new(Target *t, guint64 context, gint64 within_us);
void nodes_free(Nodes *nodes);

/* Names of all nodes, for people: strings, to be unref'd */
GPtrArray *nodes_list(const Nodes *nodes);

/*
 * The requests in flight, of each coroutine the innermost one, which is what
 * the others wait for: an array of Request, to be unref'd
 */
GArray *nodes_read_requests(Nodes *nodes);

#endif
