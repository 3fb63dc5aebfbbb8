/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom a socket of the process is connected to, as its /proc says */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "target.h"

/* The line of /proc/PID/net/NAME whose field @field is @inode, or NULL */
static char *find_line(int pid, const char *name, int field, const char *inode)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/net/%s", pid, name);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return NULL;
    }
    lines = g_strsplit(text, "\n", -1);
    for (int i = 1; lines[i]; i++) {
        const char *at = lines[i] + strspn(lines[i], " ");

        for (int k = 0; k < field && *at; k++) {
            at += strcspn(at, " ");
            at += strspn(at, " ");
        }
        if (!strncmp(at, inode, strlen(inode)) &&
            strchr(" \n", at[strlen(inode)])) {
            return g_strdup(lines[i]);
        }
    }
    return NULL;
}

static char *tcp_peer(const char *line)
{
    unsigned int words[4], port;
    char name[INET6_ADDRSTRLEN];

    if (sscanf(line, " %*d: %*8x:%*x %8x:%x", &words[0], &port) == 2) {
        inet_ntop(AF_INET, words, name, sizeof(name));
        return g_strdup_printf("%s:%u", name, port);
    }
    return NULL;
}

static char *tcp6_peer(const char *line)
{
    unsigned int words[4], port;
    char name[INET6_ADDRSTRLEN];

    if (sscanf(line, " %*d: %*32[0-9A-Fa-f]:%*x %8x%8x%8x%8x:%x", &words[0],
               &words[1], &words[2], &words[3], &port) == 5) {
        inet_ntop(AF_INET6, words, name, sizeof(name));
        return g_strdup_printf("[%s]:%u", name, port);
    }
    return NULL;
}

char *target_describe_fd(const Target *t, int fd)
{
    char *link = target_fd_link(t, fd);
    g_autofree char *line = NULL;
    g_autofree char *inode = NULL;
    g_autofree char *peer = NULL;

    if (!link || !g_str_has_prefix(link, "socket:[")) {
        return link;
    }
    inode = g_strndup(link + 8, strcspn(link + 8, "]"));
    if ((line = find_line(t->pid, "tcp", 9, inode))) {
        peer = tcp_peer(line);
    } else if ((line = find_line(t->pid, "tcp6", 9, inode))) {
        peer = tcp6_peer(line);
    } else if ((line = find_line(t->pid, "unix", 6, inode))) {
        peer = g_strdup("a Unix socket's other end");
    }
    if (!peer) {
        return link;
    }
    g_free(link);
    return g_strdup_printf("socket to %s", peer);
}
