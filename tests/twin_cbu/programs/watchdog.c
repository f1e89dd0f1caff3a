// Starts the watchdog and feeds it for a while. The third life switches it off; memory survives a reset.
#include "cbu.h"

static void feed(word period)
{
    WATCHDOG = 0x5A << 16 | period;
    WATCHDOG = 0xA5 << 16 | period;
}

void main(void)
{
    volatile word *lives = (word *)0x420000;
    show("life", ++*lives);
    show("always on", REG(0x80A080));
    REG(0x80A080) = *lives << 8;
    feed(*lives < 3 ? 20 : 0);
    for (volatile word n = 0; n < 20000; n++)
        if (n < 10000 && *lives < 3)
            feed(20);
    put("fed\n");
    for (;;)
        ;
}
