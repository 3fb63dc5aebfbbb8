/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A UEFI program that writes variables, and then waits for a timer.
 *
 * The firmware's own tick is a timer of QEMU which the vCPU arms in each tick.
 * SetVariable() programs the flash: some 200 synchronous block writes, for each
 * of which the vCPU thread polls QEMU's main context.  If a tick is armed
 * meanwhile, and its wakeup is lost, there is no next tick: WaitForEvent()
 * never returns, and nothing in the guest can time out.
 *
 * For -M virt and AAVMF, as the -kernel of QEMU: the firmware starts it.  It needs
 * no disk, no Linux, and no device but the serial port, so that it runs on
 * QEMUs that today's kernels do not run on.
 *
 * Report lines, as those of qtest/linux/variables.c, go to the console.
 *
 * What is declared here is the part of the UEFI specification (2.10, chapters 4,
 * 7, 8 and 12) that is used; members which are not are only named.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUNDS  40
#define WAIT_MS 30

typedef uint64_t Status; /* 0 is success */

typedef struct TableHeader {
    uint64_t signature;
    uint32_t revision, size, crc, reserved;
} TableHeader;

typedef struct TextOutput TextOutput;
struct TextOutput {
    void *reset;
    Status (*output_string)(TextOutput *self, const uint16_t *text);
};

/* The number of functions in each gap, in the order of the specification */
typedef struct BootServices {
    TableHeader header;
    void *tpl_and_memory[7];
    Status (*create_event)(uint32_t type, uint64_t tpl, void *notify,
                           void *context, void **event);
    Status (*set_timer)(void *event, uint32_t type, uint64_t hundred_ns);
    Status (*wait_for_event)(uint64_t n, void **events, uint64_t *index);
} BootServices;

typedef struct Guid {
    uint32_t a;
    uint16_t b, c;
    uint8_t d[8];
} Guid;

typedef struct RuntimeServices {
    TableHeader header;
    void *time_and_memory[6];
    void *get_variable, *get_next_variable_name;
    Status (*set_variable)(const uint16_t *name, const Guid *vendor,
                           uint32_t attributes, uint64_t size,
                           const void *data);
    void *get_next_count;
    void (*reset_system)(uint32_t type, Status status, uint64_t size,
                         void *data);
} RuntimeServices;

typedef struct SystemTable {
    TableHeader header;
    uint16_t *vendor;
    uint32_t revision;
    void *input_handle, *input;
    void *output_handle;
    TextOutput *output;
    void *error_handle, *error;
    RuntimeServices *runtime;
    BootServices *boot;
} SystemTable;

_Static_assert(offsetof(BootServices, create_event) == 80, "UEFI 4.4");
_Static_assert(offsetof(RuntimeServices, set_variable) == 88, "UEFI 4.5");
_Static_assert(offsetof(SystemTable, boot) == 96, "UEFI 4.3");

#define EVT_TIMER      0x80000000u
#define TPL_APPLICATION 4
#define TIMER_RELATIVE 2
#define RESET_SHUTDOWN 2
/* kept, at boot and at run time */
#define ATTRIBUTES     7

static SystemTable *table;

static void put(const char *text)
{
    uint16_t wide[2] = { 0, 0 };

    for (; *text; text++) {
        wide[0] = *text;
        table->output->output_string(table->output, wide);
    }
}

static void put_number(uint64_t n)
{
    char text[21];
    char *p = text + sizeof(text) - 1;

    *p = 0;
    do {
        *--p = '0' + n % 10;
        n /= 10;
    } while (n);
    put(p);
}

/* Microseconds of the guest's counter, which counts whether or not it ticks */
static uint64_t now_us(void)
{
    uint64_t count, hz;

    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(count));
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
    return count / hz * 1000000 + count % hz * 1000000 / hz;
}

static void leave(const char *error)
{
    if (error) {
        put("error ");
        put(error);
        put("\r\n");
    }
    table->runtime->reset_system(RESET_SHUTDOWN, 0, 0, NULL);
    for (;;) {
        continue;
    }
}

static void write_variable(int round)
{
    static const uint16_t name[] = { 'A', 'i', 'o', 'W', 'a', 'k', 'e', 0 };
    static const Guid vendor = { 0x6c1ab3ae, 0x5d6f, 0x4d7a,
        { 0x9b, 0x1e, 0x0a, 0x9d, 0x6b, 0x6f, 0x3c, 0x55 } };
    uint8_t data[64];

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = round;
    }
    if (table->runtime->set_variable(name, &vendor, ATTRIBUTES, sizeof(data),
                                     data)) {
        leave("writing a variable");
    }
}

static void wait_for_timer(void *event)
{
    uint64_t index;

    if (table->boot->set_timer(event, TIMER_RELATIVE, WAIT_MS * 10000) ||
        table->boot->wait_for_event(1, &event, &index)) {
        leave("waiting for a timer");
    }
}

/* The entry point.  Returns never. */
Status efi_main(void *image, SystemTable *system_table)
{
    uint64_t begin;
    void *event;

    (void)image;
    table = system_table;
    put("aio-wakeup guest 1 variables\r\n");
    if (table->boot->create_event(EVT_TIMER, TPL_APPLICATION, NULL, NULL,
                                  &event)) {
        leave("making a timer");
    }
    put("ready\r\n");
    begin = now_us();
    for (int round = 1; round <= ROUNDS; round++) {
        uint64_t round_begin = now_us();

        write_variable(round);
        wait_for_timer(event);
        put("round ");
        put_number(round);
        put(" kept us ");
        put_number(now_us() - round_begin);
        put("\r\n");
    }
    put("end rounds ");
    put_number(ROUNDS);
    put(" lost 0 us ");
    put_number(now_us() - begin);
    put("\r\n");
    leave(NULL);
    return 0;
}
