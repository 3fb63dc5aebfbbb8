/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions behind the interposed ones, which may be interposed as well */
#ifndef AIO_WAKEUP_SHIM_REAL_H
#define AIO_WAKEUP_SHIM_REAL_H

#include <dlfcn.h>

/*
 * By their oldest versions, so that a library that was built on Debian 12 also
 * loads on Debian 11, whose libdl has them.
 */
#ifdef __x86_64__
__asm__(".symver dlsym, dlsym@GLIBC_2.2.5");
__asm__(".symver dladdr, dladdr@GLIBC_2.2.5");
#endif

#define SHIM_EXPORT __attribute__((visibility("default")))

/*
 * The next definition of @name after ours, as a pointer to a function of that
 * type; NULL if no loaded library has it.  Two threads may both look it up.
 */
#define REAL(name)                                                      \
    ({                                                                  \
        static __typeof__(&name) real_;                                 \
        __typeof__(&name) found_ =                                      \
            __atomic_load_n(&real_, __ATOMIC_RELAXED);                  \
        if (!found_) {                                                  \
            found_ = (__typeof__(&name))dlsym(RTLD_NEXT, #name);        \
            __atomic_store_n(&real_, found_, __ATOMIC_RELAXED);         \
        }                                                               \
        found_;                                                         \
    })

#endif
