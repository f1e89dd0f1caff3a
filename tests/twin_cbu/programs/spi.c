// The voltage of the chip on P14 to P17: by polling, by interrupt, by DMA; then wrongly, with the interrupt masked.
#include "cbu.h"

#define CONTROL REG(0x802700)
#define CONFIG REG(0x802704)
#define STATUS REG(0x802708)
#define DATA REG(0x80270C)
#define CHANNEL(n) (0x809000 + 0x20 * (n))
enum { TX_FINISHED = 1 << 13, RX_FINISHED = 1 << 14, V_RMS = 0x04 };

static volatile word finished;

void on_irq(void)
{
    word seen = STATUS;
    ICU_STATUS = ICU_STATUS;
    STATUS = seen;
    finished |= seen & (TX_FINISHED | RX_FINISHED);
}

static void send(word reg, word interrupts)
{
    CONFIG = 2 << 8 | interrupts | 1;
    DATA = 0x58;
    DATA = reg;
}

static word drain(void)
{
    word value = 0;
    while (STATUS & 4)
        value = value << 8 | (DATA & 0xFF);
    return value;
}

static word by_polling(word reg)
{
    send(reg, 0);
    while (!(STATUS & TX_FINISHED))
        ;
    STATUS = TX_FINISHED;
    CONFIG = 4 << 20;
    CONFIG = 4 << 20 | 2;
    while (!(STATUS & RX_FINISHED))
        ;
    STATUS = RX_FINISHED;
    CONFIG = 0;
    return drain();
}

static word by_interrupt(word reg)
{
    finished = 0;
    send(reg, 4);
    while (!(finished & TX_FINISHED))
        ;
    CONFIG = 4 << 20 | 8;
    CONFIG = 4 << 20 | 8 | 2;
    while (!(finished & RX_FINISHED))
        ;
    CONFIG = 0;
    return drain();
}

static word by_dma(word reg)
{
    static volatile unsigned char out[2], in[4];
    out[0] = 0x58, out[1] = reg;
    REG(CHANNEL(3) + 0x4) = (word)&DATA;
    REG(CHANNEL(3) + 0x8) = (word)out;
    REG(CHANNEL(3) + 0x1C) = 7 << 4;
    REG(CHANNEL(3)) = 1 << 16 | 1 << 8 | 1;
    CONFIG = 2 << 8 | 1;
    while (!(STATUS & TX_FINISHED))
        ;
    STATUS = TX_FINISHED;
    REG(CHANNEL(1) + 0x4) = (word)in;
    REG(CHANNEL(1) + 0x8) = (word)&DATA;
    REG(CHANNEL(1) + 0x1C) = 7;
    REG(CHANNEL(1)) = 3u << 16 | 1 << 9 | 1;
    CONFIG = 4 << 20;
    CONFIG = 4 << 20 | 2;
    while (!(STATUS & RX_FINISHED))
        ;
    STATUS = RX_FINISHED;
    CONFIG = 0;
    return in[0] << 24 | in[1] << 16 | in[2] << 8 | in[3];
}

void main(void)
{
    finished = 0;
    for (int pin = 14; pin < 18; pin++)
        GPIO(pin) = 0x48;
    CONTROL = 0xE24BB8;
    show("unrouted", by_polling(V_RMS));
    REG(0x8028B4) = 1;
    show("polled", by_polling(V_RMS));
    ICU_ENABLE = 1 << 6;
    ICU_GLOBAL = 3;
    unmask();
    show("interrupted", by_interrupt(V_RMS));
    ICU_ENABLE = 0;
    show("by dma", by_dma(V_RMS));
    show("wanting", by_interrupt(V_RMS));  // never returns: source 6 is masked
}
