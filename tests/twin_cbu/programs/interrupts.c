// A falling edge on P20, a FIQ source that the test raises, a software interrupt, and an undefined instruction.
#include "cbu.h"

static volatile word edges, fast;

void on_irq(void)
{
    ICU_STATUS = ICU_STATUS;
    show("pins", REG(0x802890));
    REG(0x802890) = REG(0x802890);
    edges++;
}

void on_fiq(void)
{
    put("fiq\n");
    ICU_ENABLE &= ~(1 << 18);
    fast++;
}

void on_software(void)
{
    put("software\n");
}

void on_undefined(void)
{
    put("undefined\n");
}

void main(void)
{
    edges = fast = 0;
    GPIO(20) = 0x3C;  // input with pull-up
    show("idle", GPIO(20));
    REG(0x80288C) = 3 << 8;
    REG(0x802884) = 1 << 20;
    ICU_ENABLE = 1 << 7 | 1 << 18;
    ICU_GLOBAL = 3;
    asm volatile("swi 0" ::: "lr", "memory");
    asm volatile(".word 0xE7F000F0" ::: "lr", "memory");
    unmask();
    put("ready\n");
    while (edges < 2 || fast < 1)
        ;
    GPIO(22) = 0x02;
    show("p22", GPIO(22) & 2);
}
