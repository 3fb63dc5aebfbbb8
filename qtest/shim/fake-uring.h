/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AIO_WAKEUP_FAKE_URING_H
#define AIO_WAKEUP_FAKE_URING_H

/* As in liburing.so.2, and our own numbers behind it */
struct io_uring {
    void *sq[13];
    unsigned *cq_head;
    unsigned *cq_tail;
    void *cq[9];
    unsigned flags;
    int fd;
    unsigned more[4];
    unsigned head;
    unsigned tail;
};

int io_uring_queue_init(unsigned entries, struct io_uring *ring,
                        unsigned flags);

/* Completes @wait_nr requests at once */
int io_uring_submit_and_wait(struct io_uring *ring, unsigned wait_nr);

#endif
