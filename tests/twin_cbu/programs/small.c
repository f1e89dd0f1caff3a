// An app for the genuine bootloader to install: it says its version, and keeps the watchdog quiet.
#include "cbu.h"

void main(void)
{
    put("\nsmall, version 2\n");
    for (;;) {
        WATCHDOG = 0x5AFFFF;
        WATCHDOG = 0xA5FFFF;
    }
}
