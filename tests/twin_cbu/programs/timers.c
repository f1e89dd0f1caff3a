// Timer 3 as a tick of 2 ms, timer 0 read out between: a minute's worth of an operating system's time base.
#include "cbu.h"

static volatile word ticks;

void on_irq(void)
{
    ICU_STATUS = ICU_STATUS;
    TIMER_CONTROL_3_5 = TIMER_CONTROL_3_5;  // writes its own 1 back, which clears it
    ticks++;
}

static word count_of_timer_0(void)
{
    REG(0x802A10) = 0 << 2 | 1;
    while (REG(0x802A10) & 1)
        ;
    return REG(0x802A14);
}

void main(void)
{
    ticks = 0;
    REG(0x802A00) = 0xFFFFFFFF;
    TIMER_CONTROL_0_2 = 1;
    REG(0x802A40) = 64;
    TIMER_CONTROL_3_5 = 1;
    ICU_ENABLE = 1 << 8;
    ICU_GLOBAL = 3;
    unmask();
    while (ticks < 100)
        ;
    word count = count_of_timer_0();
    TIMER_CONTROL_3_5 = 0;
    show("microseconds", count / 26);
    show("ticks", ticks);
}
