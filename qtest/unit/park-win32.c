/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hooks of park.h on Windows
 *
 * QEMU reaches the event behind an event notifier through three functions of
 * kernel32.  A program calls them through pointers that the linker takes from
 * the import library, unless it finds them here.
 */

#include "qemu/osdep.h"
#include "park.h"

__thread void (*park_before_write)(void);
__thread void (*park_before_read)(void);
__thread void (*park_before_poll)(void);

static ParkCalls calls;

ParkCalls park_calls(void)
{
    return (ParkCalls) {
        .writes = qatomic_read(&calls.writes),
        .reads = qatomic_read(&calls.reads),
        .polls = qatomic_read(&calls.polls),
    };
}

static void run_once(void (**hook)(void))
{
    void (*func)(void) = *hook;

    if (func) {
        *hook = NULL;
        func();
    }
}

/* What is behind the three pointers */
typedef BOOL WINAPI EventFunc(HANDLE event);
typedef DWORD WINAPI WaitFunc(DWORD n, void *const *events, BOOL all,
                              DWORD timeout);

static void *real(const char *name)
{
    void *func = GetProcAddress(GetModuleHandle("kernel32.dll"), name);

    g_assert_nonnull(func);
    return func;
}

static BOOL WINAPI set_event(HANDLE event)
{
    EventFunc *func = real("SetEvent");

    qatomic_inc(&calls.writes);
    run_once(&park_before_write);
    return func(event);
}

static BOOL WINAPI reset_event(HANDLE event)
{
    EventFunc *func = real("ResetEvent");

    qatomic_inc(&calls.reads);
    run_once(&park_before_read);
    return func(event);
}

static DWORD WINAPI wait_for(DWORD n, void *const *events, BOOL all,
                             DWORD timeout)
{
    WaitFunc *func = real("WaitForMultipleObjects");

    qatomic_inc(&calls.polls);
    if (timeout) {
        run_once(&park_before_poll);
    }
    return func(n, events, all, timeout);
}

EventFunc *__imp_SetEvent = set_event;
EventFunc *__imp_ResetEvent = reset_event;
WaitFunc *__imp_WaitForMultipleObjects = wait_for;
