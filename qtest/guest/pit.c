/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PIT channel 0 as a one-shot timer
 *
 * Arming it makes QEMU notify its main loop; after the shot nothing ticks,
 * unless that is asked for.
 */
#include "guest.h"
#include "io.h"

#define PIT_CHANNEL0 0x40
#define PIT_COMMAND 0x43
#define PIT_MODE0_LOW_HIGH 0x30     /* channel 0, both bytes, mode 0 */
#define PIT_MODE2_LOW_HIGH 0x34
#define PIT_HZ 1193182

static void load(uint8_t command, uint16_t count)
{
    outb(PIT_COMMAND, command);
    outb(PIT_CHANNEL0, count & 0xff);
    outb(PIT_CHANNEL0, count >> 8);
}

void pit_quiet(void)
{
    load(PIT_MODE0_LOW_HIGH, 1);
}

/* @us: at most 54,000 */
void pit_shot_us(uint32_t us)
{
    load(PIT_MODE0_LOW_HIGH, divide((uint64_t)us * PIT_HZ, 1000000));
}

/* As slow as it can: PIT_HZ / 65536 */
void pit_tick(void)
{
    load(PIT_MODE2_LOW_HIGH, 0);
}
