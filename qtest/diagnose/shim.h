/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AIO_WAKEUP_DIAGNOSE_SHIM_H
#define AIO_WAKEUP_DIAGNOSE_SHIM_H

#include "target.h"

/* What the shim in @t has done so far, one line to be freed; NULL: no shim. */
char *shim_text(Target *t);

#endif
