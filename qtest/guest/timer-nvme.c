/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario timer-nvme: as lost-timer, while the vCPU disables an NVMe
 * controller, which drains its namespaces
 */
#include "guest.h"
#include "io.h"

#define BASE 0xfe200000
/* volatile: device registers */
#define REG(offset) (*(volatile uint32_t *)(BASE + (offset)))

#define CC 0x14
#define CSTS 0x1c
#define AQA 0x24
#define ASQ 0x28
#define ACQ 0x30
#define DOORBELL(queue, completion) \
    REG(0x1000 + (2 * (queue) + (completion)) * 4)

#define CC_ENABLE 0x460001      /* and 64 and 16 bytes a queue entry */
#define READY 1

#define CREATE_SQ 1
#define CREATE_CQ 5
#define READ 2
#define CONTIGUOUS 1
#define ENTRIES 8
#define ANSWER_MS 2000
#define PAGE 4096

const char scenario_name[] = "timer-nvme";

typedef struct Command {
    uint32_t opcode;            /* and its number, from bit 16 on */
    uint32_t namespace;
    uint32_t reserved[4];
    uint64_t data;
    uint64_t more_data;
    uint32_t arg[6];
} Command;

typedef struct Completion {
    uint32_t result[2];
    uint32_t queue;
    uint32_t status;            /* bit 16: written; 17 on: an error */
} Completion;

static uint8_t submissions[2][PAGE] __attribute__((aligned(PAGE)));
/* volatile: the device writes it */
static volatile Completion completions[2][PAGE / sizeof(Completion)]
    __attribute__((aligned(PAGE)));
static uint8_t data[PAGE] __attribute__((aligned(PAGE)));
static unsigned tails[2];

static bool is_ready(void)
{
    return REG(CSTS) & READY;
}

static bool is_done(void)
{
    return completions[0][tails[0] - 1].status >> 16;
}

static void submit(int queue, uint32_t opcode, uint32_t namespace,
                   uint64_t address, const uint32_t *arg)
{
    Command *c = (Command *)submissions[queue] + tails[queue];

    c->opcode = opcode | tails[queue] << 16;
    c->namespace = namespace;
    c->data = address;
    for (int i = 0; i < 3; i++) {
        c->arg[i] = arg[i];
    }
    barrier();
    tails[queue]++;
    DOORBELL(queue, 0) = tails[queue];
}

static void create(uint32_t opcode, uint64_t address, uint32_t flags)
{
    const uint32_t arg[3] = { (ENTRIES - 1) << 16 | 1, flags };
    uint64_t us = 0;

    submit(0, opcode, 0, address, arg);
    if (!clock_wait_ms(is_done, ANSWER_MS, &us) ||
        completions[0][tails[0] - 1].status >> 17) {
        fail("the NVMe controller makes no queue");
    }
}

/* The controller works in the main loop: it must not be caught yet. */
static void nvme_open(void)
{
    uint32_t nvme = pci_find(0x1b36, 0x0010);
    uint64_t us = 0;

    if (!nvme) {
        fail("no NVMe controller, start QEMU with -device nvme,serial=x");
    }
    pci_write(nvme, 0x10, BASE);
    pci_write(nvme, 0x14, 0);
    pci_enable_memory(nvme);
    for (unsigned i = 0; i < PAGE; i++) {
        submissions[0][i] = submissions[1][i] = 0;
    }
    for (unsigned i = 0; i < ENTRIES; i++) {
        completions[0][i].status = completions[1][i].status = 0;
    }
    tails[0] = tails[1] = 0;

    REG(CC) = 0;
    REG(AQA) = (ENTRIES - 1) << 16 | (ENTRIES - 1);
    REG(ASQ) = (uintptr_t)submissions[0];
    REG(ASQ + 4) = 0;
    REG(ACQ) = (uintptr_t)completions[0];
    REG(ACQ + 4) = 0;
    REG(CC) = CC_ENABLE;
    if (!clock_wait_ms(is_ready, ANSWER_MS, &us)) {
        fail("the NVMe controller is not ready");
    }
    create(CREATE_CQ, (uintptr_t)completions[1], CONTIGUOUS);
    create(CREATE_SQ, (uintptr_t)submissions[1], 1 << 16 | CONTIGUOUS);
}

static void start_read(void)
{
    const uint32_t first_block[3] = { 0 };

    submit(1, READ, 1, (uintptr_t)data, first_block);
    clock_spin_us(1000);
}

static void disable(void)
{
    REG(CC) = 0;
}

void scenario_main(void)
{
    devices_open();
    warm_up();
    timer_rounds(nvme_open, start_read, disable);
}
