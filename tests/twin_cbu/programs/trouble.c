// One kind of trouble for each number in RAM that the test has put there.
#include "cbu.h"

static void wait_for_a_bit(void)
{
    while (!(REG(0x802480) & 1 << 11))
        ;
}

static void wait_for_a_tick(void)
{
    volatile word *never = (word *)0x420100;
    REG(0x802A40) = 64;
    TIMER_CONTROL_3_5 = 1;
    ICU_ENABLE = 1 << 8;
    ICU_GLOBAL = 3;
    *never = 0;
    while (!*never)  // interrupts are masked: the tick never comes
        ;
}

static void write_to_nowhere(void)
{
    *(volatile word *)0x60000000 = 1;
    put("went on\n");
    for (;;)
        ;
}

static void jump_to_nowhere(void)
{
    ((void (*)(void))0x70000000)();
}

static void reset_for_ever(void)
{
    put("hello\n");
    WATCHDOG = 0x5A << 16 | 5;
    WATCHDOG = 0xA5 << 16 | 5;
    for (;;)
        ;
}

static void undefined(void)
{
    for (;;)
        asm volatile(".word 0xE7F000F0" ::: "lr", "memory");
}

void main(void)
{
    switch (*(volatile word *)0x420000) {
    case 1: wait_for_a_bit(); break;
    case 2: wait_for_a_tick(); break;
    case 3: write_to_nowhere(); break;
    case 4: jump_to_nowhere(); break;
    case 5: reset_for_ever(); break;
    case 6: undefined(); break;
    }
    put("nothing wrong\n");
    for (;;)
        ;
}
