/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI configuration space of bus 0, by configuration mechanism 1
 */
#include "guest.h"
#include "io.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define CONFIG_ENABLE 0x80000000

#define PCI_COMMAND 0x04
#define COMMAND_IO 1
#define COMMAND_MEMORY 2
#define COMMAND_MASTER 4
#define COMMAND_NO_INTX 0x400

uint32_t pci_read(uint32_t function, uint8_t offset)
{
    outl(CONFIG_ADDRESS, function | offset);
    return inl(CONFIG_DATA);
}

void pci_write(uint32_t function, uint8_t offset, uint32_t value)
{
    outl(CONFIG_ADDRESS, function | offset);
    outl(CONFIG_DATA, value);
}

uint32_t pci_find(uint16_t vendor, uint16_t device)
{
    uint32_t id = (uint32_t)device << 16 | vendor;

    for (uint32_t devfn = 0; devfn < 256; devfn++) {
        uint32_t function = CONFIG_ENABLE | devfn << 8;

        if (pci_read(function, 0) == id) {
            return function;
        }
    }
    return 0;
}

void pci_enable(uint32_t function)
{
    pci_write(function, PCI_COMMAND,
              COMMAND_IO | COMMAND_MASTER | COMMAND_NO_INTX);
}

void pci_enable_memory(uint32_t function)
{
    pci_write(function, PCI_COMMAND,
              COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX);
}
