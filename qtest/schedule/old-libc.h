/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine is built here and preloaded into QEMUs of other releases, which
 * bring their own C library: it must ask for no newer version of a function
 * than the oldest of them has.  glibc 2.34 moved those of libpthread and libdl
 * into libc under a new version; the old version is there, too, in both.
 *
 * To be included by what calls them.
 */
#ifndef AIO_WAKEUP_OLD_LIBC_H
#define AIO_WAKEUP_OLD_LIBC_H

#ifdef OLD_LIBC /* x86-64 and glibc: see meson.build */
__asm__(".symver dlsym, dlsym@GLIBC_2.2.5");
__asm__(".symver dlvsym, dlvsym@GLIBC_2.2.5");
__asm__(".symver pthread_condattr_setclock, "
        "pthread_condattr_setclock@GLIBC_2.3.3");
#endif

#endif
