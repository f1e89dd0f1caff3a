// Everything that UART1 receives comes back, in capitals: by interrupt when the line falls idle.
#include "cbu.h"

void on_irq(void)
{
    word status = REG(UART1 + 0x14);
    REG(UART1 + 0x14) = status;
    while (REG(UART1 + 8) & 1 << 21) {
        word byte = REG(UART1 + 0xC) >> 8 & 0xFF;
        REG(UART1 + 0xC) = byte >= 'a' && byte <= 'z' ? byte - 32 : byte;
    }
}

void main(void)
{
    REG(UART1) = 225 << 8 | 3 << 3 | 3;  // 115200 baud, 8 data bits, both directions
    REG(UART1 + 4) = 0x3040;
    REG(UART1 + 0x10) = 1 << 6 | 1 << 1;
    ICU_ENABLE = 1;
    ICU_GLOBAL = 3;
    unmask();
    put("ready\n");
    for (;;)
        ;
}
