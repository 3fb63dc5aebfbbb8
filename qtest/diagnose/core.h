/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AIO_WAKEUP_CORE_H
#define AIO_WAKEUP_CORE_H

typedef struct Core Core;

void core_free(Core *core);

#endif
