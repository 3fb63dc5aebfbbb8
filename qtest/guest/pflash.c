/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second flash chip, which lies just below the firmware's own
 *
 * A CFI byte program makes QEMU write to the image synchronously: the vCPU
 * becomes a temporary waiter of the main context.
 */
#include "guest.h"
#include "io.h"

#define FLASH ((volatile uint8_t *)0xfffe0000)  /* volatile: a device */
#define FLASH_SIZE 0x10000

#define CMD_PROGRAM 0x40
#define CMD_CLEAR_STATUS 0x50
#define CMD_READ_STATUS 0x70
#define CMD_QUERY 0x98
#define CMD_READ_ARRAY 0xff

#define STATUS_PROGRAM_ERROR 0x10

static uint32_t next_byte;

void flash_open(void)
{
    bool found;

    *FLASH = CMD_CLEAR_STATUS;
    *FLASH = CMD_QUERY;
    found = FLASH[0x10] == 'Q' && FLASH[0x11] == 'R' && FLASH[0x12] == 'Y';
    *FLASH = CMD_READ_ARRAY;
    if (!found) {
        fail("no flash unit 1 of 64 KiB or more");
    }
}

void flash_byte(void)
{
    /* volatile: a device */
    volatile uint8_t *byte = FLASH + next_byte++ % FLASH_SIZE;

    *byte = CMD_PROGRAM;
    *byte = 0;
}

bool flash_refused(void)
{
    uint8_t status;

    *FLASH = CMD_READ_STATUS;
    status = *FLASH;
    *FLASH = CMD_READ_ARRAY;
    return status & STATUS_PROGRAM_ERROR;
}
