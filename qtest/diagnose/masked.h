/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AIO_WAKEUP_MASKED_H
#define AIO_WAKEUP_MASKED_H

/*
 * mask_secrets: @text without what could be a secret in it: the value of an
 * option whose name says so (password, secret, key, token, ...), and the
 * password of a URL.
 *
 * Returns: a new string
 */
char *mask_secrets(const char *text);

#endif
