/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets on Windows, which set the notifier of aio_poll() by themselves
 *
 * WSAEventSelect() binds a socket to one event, that of ctx->notifier, and data
 * that arrives sets it without aio_notify().  Two invariants follow:
 *
 * No unread socket is left behind with the main loop asleep, although a
 * temporary waiter clears the event of both:
 *
 *   main loop               temporary waiter            peer
 *   prepare: select()
 *   [parked]        ---->   aio_poll():
 *                             select(): nothing  ---->  sends a byte, which
 *                             poll: notifier is set     sets the notifier
 *                             clears the notifier
 *   [go on]         <----   (does not read the byte)
 *   sleeps, or reads it
 *
 * An event that aio_notify() did not set is cleared all the same, or nobody
 * sleeps any more: see 873df2cec131 ("win32: work around main-loop busy loop on
 * socket/fd event").
 *
 * Kept since rule (win32): lost-socket
 * Kept since rule (win32): lost-socket-iteration
 * Kept always (win32): new-socket no-spin-socket no-spin-quiet-socket
 */

#include "qemu/osdep.h"
#include "qemu/sockets.h"
#include "park.h"

#ifdef _WIN32

static int peer, sock;
static unsigned received;
static bool want_woken;

static void watch_socket(IOHandler *handler)
{
#ifdef API_IS_EXTERNAL
#ifdef API_POLL_READY
    aio_set_fd_handler(park_ctx, sock, false, handler, NULL, NULL, NULL, NULL);
#else
    aio_set_fd_handler(park_ctx, sock, false, handler, NULL, NULL, NULL);
#endif
#else
    aio_set_fd_handler(park_ctx, sock, handler, NULL, NULL, NULL, NULL);
#endif
}

static void read_byte(void *opaque)
{
    char byte;

    g_assert_cmpint(recv(sock, &byte, 1, 0), ==, 1);
    qatomic_inc(&received);
    if (want_woken) {
        park_woken(NULL);
    }
}

/* Until it has arrived and the event is set */
static void send_byte(void)
{
    HANDLE event = event_notifier_get_handle(&park_ctx->notifier);
    unsigned long there = 0;

    g_assert_cmpint(send(peer, "", 1, 0), ==, 1);
    do {
        g_thread_yield();
        g_assert_cmpint(ioctlsocket(sock, FIONREAD, (void *)&there), ==, 0);
    } while (!there);
    g_assert_cmpint(WaitForSingleObject(event, PARK_BOUND_MS), ==,
                    WAIT_OBJECT_0);
}

/* A socket is a file descriptor since 8.0 */
static void close_socket(int fd)
{
#ifdef closesocket
    closesocket(fd);
#else
    close(fd);
#endif
}

static void open_sockets(void)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t len = sizeof(addr);
    int listener = qemu_socket(AF_INET, SOCK_STREAM, 0);

    g_assert_cmpint(bind(listener, (struct sockaddr *)&addr, len), ==, 0);
    g_assert_cmpint(listen(listener, 1), ==, 0);
    g_assert_cmpint(getsockname(listener, (struct sockaddr *)&addr, &len),
                    ==, 0);
    peer = qemu_socket(AF_INET, SOCK_STREAM, 0);
    g_assert_cmpint(connect(peer, (struct sockaddr *)&addr, len), ==, 0);
    sock = qemu_accept(listener, NULL, NULL);
    g_assert_cmpint(sock, >=, 0);
    close_socket(listener);
    received = 0;
}

static void close_sockets(void)
{
    watch_socket(NULL);
    close_socket(sock);
    close_socket(peer);
    park_flush();
}

/* With a socket that the main loop watches */
static void run_with_sockets(void (*poll)(void))
{
    open_sockets();
    watch_socket(read_byte);
    want_woken = true;
    park_run(poll);
    want_woken = false;
    close_sockets();
}

/* The byte comes when the waiter has looked at the sockets and goes to sleep */
static void poll_lost_socket(void)
{
    park_before_poll = send_byte;
    aio_poll(park_ctx, true);
    g_assert_null(park_before_poll);
    g_assert_cmpint(qatomic_read(&received), ==, 0);
}

static void test_lost_socket(void)
{
    run_with_sockets(poll_lost_socket);
}

/*
 * The byte comes between two iterations of the loop in aio_poll(), from the
 * second of which on the event must stay set.
 */
static EventNotifier first;

static void send_cb(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    send_byte();
}

static void poll_lost_socket_iteration(void)
{
    event_notifier_set(&first);
    aio_poll(park_ctx, true);
    g_assert_cmpint(qatomic_read(&received), ==, 0);
}

static void test_lost_socket_iteration(void)
{
    event_notifier_init(&first, false);
    park_watch(&first, send_cb);
    run_with_sockets(poll_lost_socket_iteration);
    park_unwatch(&first);
    event_notifier_cleanup(&first);
}

/* A socket that the main loop does not know of when it goes to sleep */
static void poll_new_socket(void)
{
    watch_socket(read_byte);
    aio_poll(park_ctx, false);
    send_byte();
}

static void test_new_socket(void)
{
    open_sockets();
    want_woken = true;
    park_run(poll_new_socket);
    want_woken = false;
    close_sockets();
}

/*
 * Main loop iterations in a bounded time, with three bytes on the way.  A stock
 * main loop needs less than ten, one that spins makes thousands.
 */
#define WINDOW_MS 600
#define MANY 60

static bool window_over;

static void close_window(void *opaque)
{
    window_over = true;
}

static void send_three(void)
{
    int i;

    for (i = 0; i < 3; i++) {
        g_usleep(50 * 1000);
        g_assert_cmpint(send(peer, "", 1, 0), ==, 1);
    }
}

static void count_iterations(void)
{
    QEMUTimer *timer = timer_new_ms(QEMU_CLOCK_REALTIME, close_window, NULL);
    unsigned n = 0;

    window_over = false;
    timer_mod(timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + WINDOW_MS);
    while (!window_over) {
        main_loop_wait(false);
        n++;
    }
    timer_free(timer);
    g_test_message("%u iterations in %d ms", n, WINDOW_MS);
    g_assert_cmpuint(n, <=, MANY);
}

static void test_no_spin_socket(void)
{
    QemuThread thread;

    open_sockets();
    watch_socket(read_byte);
    park_flush();
    park_start_worker(&thread, send_three);
    count_iterations();
    park_join_worker(&thread);
    g_assert_cmpuint(qatomic_read(&received), ==, 3);
    close_sockets();
}

/* An open, quiet socket, and one wakeup to begin with */
static void test_no_spin_quiet_socket(void)
{
    open_sockets();
    watch_socket(read_byte);
    park_flush();
    aio_notify(park_ctx);
    count_iterations();
    close_sockets();
}

int main(int argc, char **argv)
{
    park_init(&argc, &argv);
    socket_init();
    g_test_add_func("/aio-wakeup/lost-socket", test_lost_socket);
    g_test_add_func("/aio-wakeup/lost-socket-iteration",
                    test_lost_socket_iteration);
    g_test_add_func("/aio-wakeup/new-socket", test_new_socket);
    g_test_add_func("/aio-wakeup/no-spin-socket", test_no_spin_socket);
    g_test_add_func("/aio-wakeup/no-spin-quiet-socket",
                    test_no_spin_quiet_socket);
    return park_run_tests();
}

#endif
