/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shims that are wrong on purpose: SHIM_MUTANT is one of these, or 0.  What
 * each does wrong is at its MUTANT(); test-shim.sh says which case notices.
 */
#ifndef AIO_WAKEUP_SHIM_MUTANT_H
#define AIO_WAKEUP_SHIM_MUTANT_H

#ifndef SHIM_MUTANT
#define SHIM_MUTANT 0
#endif

enum {
    MUTANT_BEFORE_READ = 1,     /* gives back before it has taken */
    MUTANT_ONLY_IN_POLL,        /* a main loop on its way to sleep is asleep */
    MUTANT_NO_RING,             /* forgets io_uring */
    MUTANT_WRITE_NOTIFIER,      /* gives back into the notifier itself */
    MUTANT_NOT_NESTED,          /* the main thread takes nothing from itself */
    MUTANT_EVERYBODYS,          /* takes each eventfd for the main loop's */
};

#define MUTANT(name) (SHIM_MUTANT == MUTANT_ ## name)

#endif
