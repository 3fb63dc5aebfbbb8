/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where code addresses are in the source: all that a trace needs are asked of one
 * addr2line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime.h"

typedef struct Place {
    void *pc;
    char text[120];
} Place;

static Place *places;
static int n_places, n_known, max_places;

void symbols_want(void *pc)
{
    for (int i = 0; i < n_places; i++) {
        if (places[i].pc == pc) {
            return;
        }
    }
    if (n_places == max_places) {
        max_places = max_places ? max_places * 2 : 256;
        places = realloc(places, max_places * sizeof(Place));
    }
    places[n_places++] = (Place) { .pc = pc };
}

/* addr2line prints a function and a place for each address. */
static void look_up(void)
{
    char exe[512], *command, function[256], line[512];
    ssize_t length = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    size_t size = 1024 + 24 * (size_t)n_places;
    FILE *answers;

    exe[length > 0 ? length : 0] = '\0';
    command = malloc(size);
    length = snprintf(command, size, "addr2line -f -e '%s'", exe);
    for (int i = n_known; i < n_places; i++) {
        /* the call before the address that it returns to */
        length += snprintf(command + length, size - length, " %p",
                           (char *)places[i].pc - 1);
    }
    answers = popen(command, "r");
    for (int i = n_known; answers && i < n_places; i++) {
        char *base;

        if (!fgets(function, sizeof(function), answers) ||
            !fgets(line, sizeof(line), answers)) {
            break;
        }
        function[strcspn(function, "\n")] = '\0';
        line[strcspn(line, " \n")] = '\0';
        base = strrchr(line, '/');
        snprintf(places[i].text, sizeof(places[i].text), "%.60s() %.50s",
                 function, base ? base + 1 : line);
    }
    if (answers) {
        pclose(answers);
    }
    free(command);
    n_known = n_places;
}

const char *symbols_place(void *pc)
{
    if (n_known < n_places) {
        look_up();
    }
    for (int i = 0; i < n_places; i++) {
        if (places[i].pc == pc) {
            return places[i].text;
        }
    }
    return "";
}
