// Stores into the code window: in vain at first, into flash when its controller allows it.
#include "cbu.h"

void main(void)
{
    volatile word *window = (word *)0x100000;
    show("before", window[0]);
    for (int n = 0; n < 8; n++)
        window[n] = 0x11111111 * n;
    for (volatile word n = 0; n < 4000; n++)
        ;
    show("refused", window[1]);
    REG(0x80301C) = 1 << 9;
    for (int n = 0; n < 8; n++)
        window[n] = 0x11111111 * n;
    REG(0x80301C) = 0;
    for (volatile word n = 0; n < 4000; n++)
        ;
    show("stored", window[7]);
}
