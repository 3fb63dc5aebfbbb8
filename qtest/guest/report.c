/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Report lines, marks, and the way out of QEMU
 *
 * A line is composed in RAM first, so that nothing but its bytes' port writes
 * lies between its first byte and its newline.
 */
#include "guest.h"
#include "io.h"

#define REPORT_PORT 0xe9
#define MARK_PORT 0xea
#define EXIT_PORT 0xf4

#define EXIT_END 0      /* QEMU's exit status is twice this plus 1 */
#define EXIT_ERROR 1
#define EXIT_AGAIN_US 20000

static char line[128];
static unsigned line_len;

static void put(char c)
{
    if (line_len < sizeof(line) - 1) {
        line[line_len++] = c;
    }
}

void report_text(const char *text)
{
    while (*text) {
        put(*text++);
    }
}

void report_number(uint64_t number)
{
    char digits[20];
    int n = 0;

    do {
        uint64_t rest = divide(number, 10);

        digits[n++] = '0' + (char)(number - rest * 10);
        number = rest;
    } while (number);
    while (n) {
        put(digits[--n]);
    }
}

void report_hex(uint32_t number)
{
    report_text("0x");
    for (int shift = 28; shift >= 0; shift -= 4) {
        put("0123456789abcdef"[number >> shift & 15]);
    }
}

void report_send(void)
{
    line[line_len++] = '\n';
    for (unsigned i = 0; i < line_len; i++) {
        outb(REPORT_PORT, line[i]);
    }
    line_len = 0;
}

void report_line(const char *text)
{
    report_text(text);
    report_send();
}

static void report_round(uint32_t round)
{
    report_text("round ");
    report_number(round);
}

void report_kept(uint32_t round)
{
    report_round(round);
    report_line(" kept");
}

void report_lost(uint32_t round, const char *what, bool rescued, uint64_t us)
{
    report_round(round);
    report_text(" lost ");
    report_text(what);
    report_text(rescued ? " rescued yes us " : " rescued no us ");
    report_number(us);
    report_send();
}

void report_note(uint32_t round, const char *text)
{
    if (config.flags & GUEST_NOTES) {
        report_text("note ");
        report_round(round);
        report_text(" ");
        report_line(text);
    }
}

void mark(char point)
{
    outb(MARK_PORT, point);
}

/*
 * Newer QEMUs leave through the main loop, which may be the one that sleeps:
 * do whatever may wake it, and say it again.
 */
static void __attribute__((noreturn)) leave(uint32_t code)
{
    for (;;) {
        outl(EXIT_PORT, code);
        if (!tsc_per_ms) {
            stop();
        }
        clock_spin_us(EXIT_AGAIN_US);
        pit_shot_us(1000);
        flash_byte();
    }
}

void fail(const char *text)
{
    report_text("error ");
    report_line(text);
    leave(EXIT_ERROR);
}

void finish(uint32_t rounds, uint32_t lost, uint64_t us)
{
    report_text("end rounds ");
    report_number(rounds);
    report_text(" lost ");
    report_number(lost);
    report_text(" us ");
    report_number(us);
    report_send();
    leave(EXIT_END);
}
