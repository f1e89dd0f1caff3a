// Reads the whole packet of a metering chip on UART1 at 4800 baud, again and again, and shows bytes 4 to 6: the voltage.
#include "cbu.h"

void main(void)
{
    REG(UART1) = 5415 << 8 | 3 << 3 | 3;
    put("ready\n");
    for (;;) {
        word value = 0;
        REG(UART1 + 0xC) = 0x58;
        REG(UART1 + 0xC) = 0xAA;
        for (int n = 0; n < 23; n++) {
            while (!(REG(UART1 + 8) & 1 << 21))
                ;
            word byte = REG(UART1 + 0xC) & 0xFF;
            if (n >= 4 && n < 7)
                value |= byte << 8 * (n - 4);
        }
        show("voltage", value);
    }
}
