/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wakeups of the main loop, seen by a guest
 *
 * Invariant: while a temporary waiter (here a vCPU in a synchronous block
 * operation) polls the main AioContext, no event that the main loop has to
 * bring is forgotten: not the completion of a request, nor a timer, nor a
 * request to power off or to reset.
 *
 * Each case boots a small firmware under TCG that starts such an event and
 * then writes to a flash, which makes its vCPU a temporary waiter.  A schedule,
 * forced by a preloaded library, holds the threads so that the waiter meets the
 * wakeup first:
 *
 *   main loop               temporary waiter (vCPU)      worker
 *   drops the BQL
 *   [held before ppoll]     starts a read
 *                           flash write: aio_poll()
 *                           runs its BHs           ----> read is done, BH
 *                                                        scheduled, notifier
 *                                                        set
 *                           (clears the notifier)  <----
 *                           back in the guest
 *   [go on]           <----
 *   sleeps, or runs the BH
 *
 * Nothing is said over QMP or qtest while a guest runs: that would wake the
 * main loop.  The guest and the library write files, and those are watched.
 *
 * In the cases request/ the main thread itself polls, where it has looked at
 * the requests to the main loop already, and SIGTERM or a vCPU's request comes
 * then.  One I/O error is brought about over qtest, without a guest.
 *
 * Environment:
 *   AIO_WAKEUP_DIR    where guest/ and schedule/ were built; by default
 *                     aio-wakeup/ beside this program
 *   AIO_WAKEUP_KEEP   set: leave the files of each case, and say where
 *   AIO_WAKEUP_ONLY   a pattern: only the cases that it matches
 *
 * Kept since rule: virtio-blk/lost-bh virtio-blk/lost-bh/qcow2
 * Kept since rule: virtio-blk/lost-bh/two-vcpus virtio-blk/clear-before-poll
 * Kept since rule: virtio-blk/lost-timer virtio-blk/lost-timer/aio-native
 * Kept since rule: virtio-blk/lost-timer/aio-io_uring
 * Kept since rule: virtio-blk/lost-shutdown virtio-blk/lost-reset
 * Kept since rule: migration/lost-switchover sd/read
 * Kept since rule: request/io-error
 * Kept since requests: request/vm-stop request/vcpu
 * Kept since rule (no-external): virtio-blk/reset virtio-scsi/reset ide/stop-dma
