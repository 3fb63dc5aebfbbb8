/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the guest firmware offer to the scenarios
 *
 * The guest does only what can lose a wakeup: it starts work whose result the
 * main loop must bring (a disk read, a timer, a shutdown, a reset), makes a
 * synchronous flash write meanwhile, and looks whether the result comes.
 * While it waits it reads RAM and the TSC only, neither of which takes QEMU's
 * big lock or wakes the main loop.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The block at offset 0 of the image; whoever starts QEMU may change it in a
 * copy of the image.
 */
typedef struct GuestConfig {
    char magic[8];          /* "AIOWAKE1" */
    uint32_t rounds;        /* 0: for ever */
    uint32_t patience_ms;   /* 0: nothing ever comes, a test of the reports */
    uint32_t quiet_us;
    uint32_t flags;         /* GUEST_NOTES and others */
} GuestConfig;

/* "note <text>" lines, for people, are wanted. */
#define GUEST_NOTES 1

/* idle: the PIT ticks, 18.2 times a second. */
#define GUEST_TICKS 2

/* iops: how many reads are under way at a time; 0 stands for 1. */
#define GUEST_DEPTH(flags) ((flags) >> 8 & 0xff)

/* volatile: it is changed in the image, unknown to the compiler */
extern volatile const GuestConfig config
    __attribute__((section(".config")));

/* The one thing that a scenario file defines, apart from its name. */
void scenario_main(void);
extern const char scenario_name[];

/* main.c */

/* Bring up all devices; ends the run with an error line if one is missing. */
void devices_open(void);

/* Start QEMU's worker threads and print "ready". */
void warm_up(void);

/* report.c: the composed line goes out in one go */
void report_text(const char *text);
void report_number(uint64_t number);
void report_hex(uint32_t number);
void report_send(void);

void report_line(const char *text);
void report_kept(uint32_t round);
void report_lost(uint32_t round, const char *what, bool rescued, uint64_t us);
void report_note(uint32_t round, const char *text);

/* Print "error <text>" and leave QEMU with exit status 3. */
void __attribute__((noreturn)) fail(const char *text);

/* Print "end ..." and leave QEMU with exit status 1. */
void __attribute__((noreturn)) finish(uint32_t rounds, uint32_t lost,
                                      uint64_t us);

/* A point of the schedule: one of b r d w f l q Q e. */
void mark(char point);

/* clock.c: the TSC, calibrated once against the ACPI PM timer */
void clock_calibrate(void);
uint64_t clock_us_since(uint64_t tsc);
void clock_spin_us(uint32_t us);

/* TSC ticks per ms; read and set by who carries it over a reset. */
extern uint32_t tsc_per_ms;

/*
 * Call come() until it says true or the configured patience is over, and add
 * the time to *waited_us.  Returns whether it came.
 */
bool clock_wait(bool (*come)(void), uint64_t *waited_us);

/* The same with a time of its own, in ms. */
bool clock_wait_ms(bool (*come)(void), uint32_t ms, uint64_t *waited_us);

/* pci.c: functions of bus 0 */

/*
 * Returns the address of the first function with this vendor and device, to
 * be given to the others, or 0.
 */
uint32_t pci_find(uint16_t vendor, uint16_t device);
uint32_t pci_read(uint32_t function, uint8_t offset);
void pci_write(uint32_t function, uint8_t offset, uint32_t value);
void pci_enable(uint32_t function);

/* The same for one that has its registers in memory. */
void pci_enable_memory(uint32_t function);

/* power.c: PIIX4 power management and the reset port */
void power_open(void);
uint32_t power_timer(void);
void power_off(void);
void power_reset(void);

/* virtio-blk.c: one queue, reads of 512 bytes, no interrupts */
void disk_open(void);
void disk_read(void);

/* The same with @n reads of one sector in one go, 32 under way at most. */
void disk_reads(unsigned n);

/* How many reads have not completed. */
unsigned disk_pending(void);

/* Have all reads completed? */
bool disk_idle(void);

/* Reset the disk, which makes QEMU wait for its requests. */
void disk_reset(void);

/* pflash.c: the second flash chip */
void flash_open(void);

/* Program one byte: QEMU writes 512 bytes to the image before it returns. */
void flash_byte(void);

/* Returns whether the last write was refused. */
bool flash_refused(void);

/* pit.c: channel 0, one shot; it never ticks by itself */
void pit_quiet(void);
void pit_shot_us(uint32_t us);
void pit_tick(void);

/* rtc.c: so that this one does not tick either */
void rtc_stop(void);

/* irq.c: exceptions end the run; of all interrupts only IRQ 0 can come */
void irq_open(void);

/* Forget an IRQ 0 that came or waits, then let the next one come. */
void irq_timer_expect(void);
void irq_timer_ignore(void);

/* TSC of the last IRQ 0 since irq_timer_expect(), 0 if none came. */
uint64_t irq_timer_tsc(void);

/* smp.c: the second vCPU */

/* Let the second vCPU call job(); it stops when that returns. */
void smp_start(void (*job)(void));

/* Ends the run with an error line if there is no second vCPU. */
void smp_open(void);

/* round.c: what the scenarios' rounds have in common */

/* Does the guest go on after this many rounds? */
bool round_more(uint32_t rounds);

/*
 * After a read was awaited in vain: write a flash byte and wait again, adding
 * the time to *waited_us.  Returns whether the read came with that byte, so
 * was not slow but forgotten.
 */
bool round_rescue_read(uint64_t *waited_us);

/*
 * For what only the main loop can bring: for up to the patience call notify(),
 * which must make QEMU notify its main loop, and write flash bytes, because
 * since QEMU 10.2 a main loop may sleep that no notification reaches.  Adds
 * the time to *waited_us.  Returns whether it came.
 */
bool round_rescue(void (*notify)(void), bool (*come)(void),
                  uint64_t *waited_us);

/* Notify the main loop by arming the PIT. */
void round_notify(void);

/*
 * Start a round with marks b and r: the main loop has been woken by the PIT
 * between the two.
 */
void round_begin(void);

/* The same; start() is called between b and the wake. */
void round_begin_with(void (*start)(void));

/*
 * Rounds until there are enough, then the end line.
 * @run_round: does round @n, from 1; returns whether it was kept
 * @tell: called after each round, @us since the first began; may be NULL
 */
void rounds_run(bool (*run_round)(uint32_t n),
                void (*tell)(uint32_t n, uint32_t lost, uint64_t us));

/* A time in which nothing is pending, between marks q and Q */
void round_quiet(void);
/* End a round: mark e */
void round_end(void);

/*
 * timer.c: rounds in which IRQ 0 must come though the vCPU polls
 * @open: called before each round; may be NULL
 * @start: starts a request, before the main loop is caught; may be NULL
 * @wait: makes the vCPU wait in QEMU, for that request or for one of its own
 */
void timer_rounds(void (*open)(void), void (*start)(void), void (*wait)(void));

#endif
