/* SPDX-License-Identifier: GPL-2.0-or-later */
#define INT_MAX __INT_MAX__
