// The DMA controller copies memory and interrupts; the ADC gives samples; the eFuse gives its bytes.
#include "cbu.h"

static volatile word done;
static char from[64], to[64];

void on_irq(void)
{
    ICU_STATUS = ICU_STATUS;
    REG(0x8090E0) = REG(0x8090E0);
    done++;
}

void main(void)
{
    done = 0;
    for (int n = 0; n < 64; n++)
        from[n] = n + 1, to[n] = 0;
    ICU_ENABLE = 1 << 15;
    ICU_GLOBAL = 3;
    unmask();
    REG(0x809044) = (word)to;
    REG(0x809048) = (word)from;
    REG(0x809040) = 63u << 16 | 2 << 6 | 2 << 4 | 3 << 8 | 2 | 1;
    while (REG(0x809040) & 1)
        ;
    show("copied", to[0] == 1 && to[63] == 64);
    while (!done)
        ;
    show("interrupts", done);

    REG(0x802C00) = 1 << 2;
    while (REG(0x802C00) & 1 << 30)
        ;
    show("sample", REG(0x802C10));
    REG(0x802C00) = 0;
    show("empty", REG(0x802C00) >> 30 & 1);

    for (word address = 0; address < 4; address++) {
        REG(0x800074) = address << 8 | 1;
        while (REG(0x800074) & 1)
            ;
        show("efuse", REG(0x800078));
    }
}
