/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario timer-sd: as lost-timer, while the vCPU reads a block of an SD card,
 * which QEMU does synchronously
 */
#include "guest.h"

#define SDHC ((volatile uint8_t *)0xfe100000)   /* volatile: a device */
#define REG16(offset) (*(volatile uint16_t *)(SDHC + (offset))) /* volatile */
#define REG32(offset) (*(volatile uint32_t *)(SDHC + (offset))) /* volatile */

#define BLOCK_SIZE 0x04
#define BLOCK_COUNT 0x06
#define ARGUMENT 0x08
#define TRANSFER_MODE 0x0c
#define COMMAND 0x0e
#define RESPONSE 0x10
#define DATA 0x20
#define CLOCK_CONTROL 0x2c
#define RESET 0x2f
#define STATUS 0x30
#define STATUS_ENABLE 0x34

#define CLOCK_ON 7
#define RESET_ALL 1
#define TRANSFER_READ 0x10
#define WITH_DATA 0x20
#define ANSWER_136 1
#define ANSWER_48 2

#define GO_IDLE 0
#define ALL_SEND_CID 2
#define SEND_RELATIVE_ADDR 3
#define SELECT_CARD 7
#define SEND_IF_COND 8
#define READ_BLOCK 17
#define ACMD_SEND_OP_COND 41
#define APP_COMMAND 55

#define BLOCK 512

const char scenario_name[] = "timer-sd";

static void command(uint8_t index, uint32_t argument, uint8_t flags)
{
    REG32(ARGUMENT) = argument;
    REG16(COMMAND) = index << 8 | flags;
    REG16(STATUS) = 0xffff;
}

static void sd_open(void)
{
    uint32_t host = pci_find(0x1b36, 0x0007);
    uint32_t card;

    if (!host) {
        fail("no SD host, start QEMU with -device sdhci-pci -device sd-card");
    }
    pci_write(host, 0x10, (uintptr_t)SDHC);
    pci_enable_memory(host);
    SDHC[RESET] = RESET_ALL;
    REG16(CLOCK_CONTROL) = CLOCK_ON;
    REG16(STATUS_ENABLE) = 0xffff;

    command(GO_IDLE, 0, 0);
    command(SEND_IF_COND, 0x1aa, ANSWER_48);
    command(APP_COMMAND, 0, ANSWER_48);
    command(ACMD_SEND_OP_COND, 0x41200000, ANSWER_48);
    command(ALL_SEND_CID, 0, ANSWER_136);
    command(SEND_RELATIVE_ADDR, 0, ANSWER_48);
    card = REG32(RESPONSE) & 0xffff0000;
    if (!card) {
        fail("the SD card does not answer");
    }
    command(SELECT_CARD, card, ANSWER_48);
}

static void read_block(void)
{
    uint32_t sum = 0;

    REG16(BLOCK_SIZE) = BLOCK;
    REG16(BLOCK_COUNT) = 1;
    REG16(TRANSFER_MODE) = TRANSFER_READ;
    command(READ_BLOCK, 0, ANSWER_48 | WITH_DATA);
    for (int i = 0; i < BLOCK / 4; i++) {
        sum |= REG32(DATA);
    }
    if (!sum) {
        fail("the SD card gives no data");
    }
}

void scenario_main(void)
{
    devices_open();
    sd_open();
    warm_up();
    read_block();
    timer_rounds(NULL, NULL, read_block);
}
