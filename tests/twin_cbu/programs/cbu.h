// The module's registers as a program sees them, and a log on UART2.
#pragma once
typedef unsigned int word;
#define REG(address) (*(volatile word *)(address))

#define ICU_ENABLE REG(0x802040)
#define ICU_GLOBAL REG(0x802044)
#define ICU_STATUS REG(0x80204C)
#define UART1 0x802100
#define UART2 0x802200
#define GPIO(pin) REG(0x802800 + 4 * (pin))
#define WATCHDOG REG(0x802900)
#define TIMER_CONTROL_0_2 REG(0x802A0C)
#define TIMER_CONTROL_3_5 REG(0x802A4C)
#define FLASH_OPERATE REG(0x803000)
#define FLASH_GO(opcode, address) (FLASH_OPERATE = 1u << 29 | (opcode) << 24 | (address))

void unmask(void);

static inline void put(const char *text)
{
    while (*text)
        REG(UART2 + 0xC) = *text++;
}

static inline void put_hex(word value)
{
    for (int shift = 28; shift >= 0; shift -= 4)
        REG(UART2 + 0xC) = "0123456789abcdef"[value >> shift & 15];
}

static inline void show(const char *name, word value)
{
    put(name);
    put(" ");
    put_hex(value);
    put("\n");
}
