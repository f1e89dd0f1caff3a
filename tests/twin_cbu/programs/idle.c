// An idle task as FreeRTOS has it, found by its control block; after 100 ticks its loop takes another way.
#include "cbu.h"

static volatile word ticks, rounds, sink;
static volatile word block[16];

static void __attribute__((noinline)) early(void)
{
    for (word n = 0; n < 20; n++)
        sink += n;
}

static void __attribute__((noinline)) late(void)
{
    for (word n = 0; n < 30; n++)
        sink -= n;
}

void on_irq(void)
{
    TIMER_CONTROL_3_5 = TIMER_CONTROL_3_5; // write 1 to clear expired
    ticks++;
    if (ticks == 100 || ticks == 200 || ticks == 400) {
        show("ticks", ticks);
        show("rounds", rounds);
    }
}

void main(void)
{
    block[0] = 0x403FF0;  // top of stack
    block[11] = 0;        // priority
    block[12] = 0x403000; // lowest address of the stack
    block[13] = 'I' | 'D' << 8 | 'L' << 16 | 'E' << 24;
    block[14] = 0;
    REG(0x802A40) = 64;    // 2 ms at 32 kHz
    TIMER_CONTROL_3_5 = 1;
    ICU_ENABLE = 1 << 8;
    ICU_GLOBAL = 3;
    unmask();
    for (;;) {
        rounds++;
        if (ticks < 100)
            early();
        else
            late();
    }
}
