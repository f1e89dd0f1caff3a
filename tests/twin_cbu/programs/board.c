// A firmware for the whole board: reads the voltage each 100 ms, blinks, and says when the button is pressed.
#include "cbu.h"

#define CONFIG REG(0x802704)
#define STATUS REG(0x802708)
#define DATA REG(0x80270C)

static word voltage(void)
{
    word value = 0;
    CONFIG = 2 << 8 | 1;
    DATA = 0x58;
    DATA = 0x04;
    while (!(STATUS & 1 << 13))
        ;
    STATUS = 1 << 13;
    CONFIG = 4 << 20;
    CONFIG = 4 << 20 | 2;
    while (!(STATUS & 1 << 14))
        ;
    STATUS = 1 << 14;
    CONFIG = 0;
    while (STATUS & 4)
        value = value << 8 | (DATA & 0xFF);
    return value >> 8;
}

void main(void)
{
    word was = 1;
    for (int pin = 14; pin < 18; pin++)
        GPIO(pin) = 0x48;
    REG(0x8028B4) = 1;
    REG(0x802700) = 0xE24BB8;
    GPIO(9) = 0x0C;
    GPIO(20) = 0x3C;
    put("ready\n");
    for (word round = 0;; round++) {
        for (volatile int n = 0; n < 10000; n++)
            ;
        GPIO(22) = round & 4 ? 2 : 0;
        if (round % 16 == 0)
            show("voltage", voltage());
        if (was != (GPIO(20) & 1)) {
            was = GPIO(20) & 1;
            put(was ? "released\n" : "pressed\n");
        }
    }
}
