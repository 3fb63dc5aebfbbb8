/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario lost-bh for aarch64: the completion of a disk read is forgotten
 *
 * As ../lost-bh.c on the machine "virt" with secure=on: the disk is a legacy
 * virtio-mmio one, the flash is unit 1, the main loop is woken by the
 * architecture's timer.  Report lines go to the first PL011, marks to the secure
 * one.  Where they are is read from the device tree; without one, or without a
 * PL011 in it, the guest can say nothing.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../virtqueue.h"
#include "tree.h"

/* volatile: device registers */
#define REG(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define FLASH_USED 0x40000
#define FLASH_PROGRAM 0x00400040        /* two chips of 16 bits */
#define FLASH_READ_ARRAY 0x00ff00ff
#define FLASH_QUERY 0x00980098
#define FLASH_QUERY_AT (0x10 * 4)
#define FLASH_Q 0x00510051

#define UART_DATA 0
#define UART_CONTROL 0x30
#define UART_ON 0x301

#define MMIO_MAGIC 0x00
#define MMIO_VERSION 0x04
#define MMIO_DEVICE 0x08
#define MMIO_PAGE_SIZE 0x28
#define MMIO_QUEUE_SEL 0x30
#define MMIO_QUEUE_NUM 0x38
#define MMIO_QUEUE_ALIGN 0x3c
#define MMIO_QUEUE_PFN 0x40
#define MMIO_NOTIFY 0x50
#define MMIO_STATUS 0x70
#define MMIO_CAPACITY 0x100
#define IS_VIRTIO 0x74726976
#define IS_BLOCK 2
#define DRIVER_OK 7                     /* and what comes before */

#define QUEUE_NUM 8

#define WARM_UP_ROUNDS 8
#define WARM_UP_READS 3
#define WAKE_US 1000
#define WAKE_OVER_US 1500
#define ASKED_US 100
#define RESCUE_US 100000
#define LOOKS 1000                      /* at RAM, for one at the clock */

typedef struct GuestConfig {
    char magic[8];
    uint32_t rounds;
    uint32_t patience_ms;
    uint32_t quiet_us;
    uint32_t flags;
} GuestConfig;

void guest_main(void);
void exception_main(uint64_t syndrome, uint64_t address);

/* volatile: it is changed in the image, unknown to the compiler */
static volatile const GuestConfig config
    __attribute__((section(".config"), used)) = {
    .magic = { 'A', 'I', 'O', 'W', 'A', 'K', 'E', '1' },
    .rounds = 100,
    .patience_ms = 1000,
    .quiet_us = 2000,
};

static uint8_t queue[2 * PAGE] __attribute__((aligned(PAGE)));
static uint8_t sector_data[SECTOR] __attribute__((aligned(SECTOR)));
static uint8_t request_status;
static struct {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
} header __attribute__((aligned(16)));
static volatile Avail *avail;            /* volatile: the device reads it */
static volatile Used *used;             /* volatile: the device writes it */
static uintptr_t report;
static uintptr_t marks;
static uintptr_t flash;
static uintptr_t disk;
static uint32_t sectors;
static uint32_t next_sector;
static uint32_t next_word;
static uint64_t wake_time;

/* --- report ---------------------------------------------------------------- */

static void say(const char *text)
{
    while (*text) {
        REG(report + UART_DATA) = *text++;
    }
}

static void say_number(uint64_t number)
{
    char digits[20];
    int n = 0;

    do {
        digits[n++] = '0' + number % 10;
        number /= 10;
    } while (number);
    while (n) {
        REG(report + UART_DATA) = digits[--n];
    }
}

static void mark(char point)
{
    REG(marks + UART_DATA) = point;
}

static void __attribute__((noreturn)) stop(void)
{
    for (;;) {
        asm volatile("wfi");
    }
}

static void __attribute__((noreturn)) fail(const char *text)
{
    say("error ");
    say(text);
    say("\n");
    stop();
}

void exception_main(uint64_t syndrome, uint64_t address)
{
    static bool again;

    /* the UART may be what is wrong */
    if (again || !report) {
        stop();
    }
    again = true;
    say("error exception ");
    say_number(syndrome >> 26);
    say(" at ");
    say_number(address);
    say("\n");
    stop();
}

/* --- time ------------------------------------------------------------------ */

static uint64_t now(void)
{
    uint64_t value;

    asm volatile("isb; mrs %0, cntpct_el0" : "=r"(value) : : "memory");
    return value;
}

static uint64_t ticks(uint64_t us)
{
    uint64_t hz;

    asm volatile("mrs %0, cntfrq_el0" : "=r"(hz));
    return us * hz / 1000000;
}

static uint64_t us_since(uint64_t start)
{
    return (now() - start) * 1000000 / ticks(1000000);
}

static void spin_us(uint64_t us)
{
    uint64_t start = now();

    while (now() - start < ticks(us)) {
        continue;
    }
}

/* QEMU notifies its main loop when a timer is armed; this one comes once. */
static void notify_main_loop(void)
{
    wake_time = now();
    asm volatile("msr cntp_cval_el0, %0; msr cntp_ctl_el0, %1; isb"
                 : : "r"(wake_time + ticks(WAKE_US)), "r"((uint64_t)1));
}

/* --- devices --------------------------------------------------------------- */

static void flash_word(void)
{
    uintptr_t word = flash + next_word++ * 4 % FLASH_USED;

    REG(word) = FLASH_PROGRAM;
    REG(word) = 0;
    REG(flash) = FLASH_READ_ARRAY;
}

static void set_desc(int i, const void *addr, uint32_t len, uint16_t flags)
{
    Desc *desc = (Desc *)queue + i;

    desc->addr = (uintptr_t)addr;
    desc->len = len;
    desc->flags = flags;
    desc->next = i + 1;
}

static uintptr_t uart_open(bool secure)
{
    Region uart;

    if (!tree_device("arm,pl011", secure, 0, &uart)) {
        return 0;
    }
    REG(uart.start + UART_CONTROL) = UART_ON;
    return uart.start;
}

/* The one that this code is not in, which is at address 0 */
static void flash_open(void)
{
    Region chip = { 0 };

    for (unsigned n = 0; tree_device("cfi-flash", false, n, &chip); n++) {
        if (chip.start && chip.size >= FLASH_USED) {
            break;
        }
    }
    if (!chip.start) {
        fail("the device tree has no flash for unit 1");
    }
    flash = chip.start;
    REG(flash) = FLASH_QUERY;
    if (REG(flash + FLASH_QUERY_AT) != FLASH_Q) {
        fail("no flash where the device tree says");
    }
    REG(flash) = FLASH_READ_ARRAY;
}

static void disk_open(void)
{
    Region slot;

    for (unsigned n = 0;
         !disk && tree_device("virtio,mmio", false, n, &slot); n++) {
        if (REG(slot.start + MMIO_MAGIC) == IS_VIRTIO &&
            REG(slot.start + MMIO_DEVICE) == IS_BLOCK) {
            disk = slot.start;
        }
    }
    if (!disk || REG(disk + MMIO_VERSION) != 1) {
        fail("no virtio-blk-device with the legacy interface");
    }
    REG(disk + MMIO_STATUS) = 0;
    REG(disk + MMIO_PAGE_SIZE) = PAGE;
    REG(disk + MMIO_QUEUE_SEL) = 0;
    REG(disk + MMIO_QUEUE_NUM) = QUEUE_NUM;
    REG(disk + MMIO_QUEUE_ALIGN) = PAGE;
    /* volatile: shared with the device */
    avail = (volatile Avail *)(queue + QUEUE_NUM * sizeof(Desc));
    used = (volatile Used *)(queue + PAGE);     /* volatile: likewise */
    avail->flags = AVAIL_NO_INTERRUPT;
    set_desc(0, &header, sizeof(header), DESC_NEXT);
    set_desc(1, sector_data, SECTOR, DESC_NEXT | DESC_WRITE);
    set_desc(2, &request_status, 1, DESC_WRITE);
    REG(disk + MMIO_QUEUE_PFN) = (uintptr_t)queue / PAGE;
    REG(disk + MMIO_STATUS) = DRIVER_OK;
    sectors = REG(disk + MMIO_CAPACITY);
    if (!sectors) {
        fail("the disk has no sectors");
    }
}

static void disk_read(void)
{
    header.sector = next_sector++ % sectors;
    avail->ring[avail->idx % QUEUE_NUM] = 0;
    asm volatile("dmb sy" : : : "memory");
    avail->idx++;
    asm volatile("dmb sy" : : : "memory");
    REG(disk + MMIO_NOTIFY) = 0;
}

/* Adds the time to *us. */
static bool disk_wait(uint64_t *us)
{
    uint64_t start = now();
    uint64_t passed = 0;
    bool idle = false;

    while (!idle && passed < ticks(config.patience_ms * 1000)) {
        passed = now() - start;
        for (int i = 0; i < LOOKS && !idle; i++) {
            idle = used->idx == avail->idx;
        }
    }
    *us += us_since(start);
    return idle;
}

/* --- rounds ---------------------------------------------------------------- */

static void run_round(uint32_t n)
{
    uint64_t us = 0;
    uint64_t rescue_us = 0;
    bool rescued = false;
    bool kept;

    mark('b');
    notify_main_loop();
    mark('r');
    spin_us(ASKED_US);
    disk_read();
    mark('d');
    flash_word();
    mark('f');
    kept = disk_wait(&us);
    if (!kept) {
        mark('l');
        flash_word();
        rescued = disk_wait(&rescue_us) && rescue_us <= RESCUE_US;
    }
    while (us_since(wake_time) < WAKE_OVER_US) {
        continue;
    }
    mark('q');
    spin_us(config.quiet_us);
    mark('Q');
    mark('e');

    say("round ");
    say_number(n);
    if (kept) {
        say(" kept\n");
        return;
    }
    say(rescued ? " lost read rescued yes us " : " lost read rescued no us ");
    say_number(us + rescue_us);
    say("\n");
}

static void warm_up(void)
{
    for (int i = 0; i < WARM_UP_ROUNDS; i++) {
        uint64_t us = 0;

        for (int reads = 0; reads < WARM_UP_READS; reads++) {
            disk_read();
        }
        flash_word();
        if (!disk_wait(&us)) {
            flash_word();
            if (!disk_wait(&us)) {
                fail("the disk does not answer");
            }
        }
    }
}

void guest_main(void)
{
    if (!tree_open()) {
        stop();
    }
    report = uart_open(false);
    if (!report) {
        stop();
    }
    say("aio-wakeup guest 1 lost-bh\n");
    marks = uart_open(true);
    if (!marks) {
        fail("no secure PL011 for marks, start QEMU with -machine virt,secure=on");
    }
    flash_open();
    disk_open();
    warm_up();
    say("ready\n");
    for (uint32_t n = 1; !config.rounds || n <= config.rounds; n++) {
        run_round(n);
    }
    say("end\n");
    stop();
}
