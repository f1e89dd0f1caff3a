// Stores code into flash as a bootloader does, word by word, runs it, and does the same in the same place again.
#include "cbu.h"

#define WORDS 1024
#define PLACE 0x100000
#define PHYSICAL (PLACE / 32 * 34)
#define RETURN 0xE12FFF1E

static word stored_and_run(word instruction)
{
    FLASH_GO(13, PHYSICAL);
    FLASH_GO(13, PHYSICAL + 0x1000);
    REG(0x80301C) = 1 << 9;
    for (int n = 0; n < WORDS; n++)
        ((volatile word *)PLACE)[n] = n == WORDS - 1 ? RETURN : instruction;
    REG(0x80301C) = 0;
    return ((word (*)(word))PLACE)(0);
}

void main(void)
{
    show("first", stored_and_run(0xE2800001));  // add r0, r0, #1
    show("second", stored_and_run(0xE2800002)); // add r0, r0, #2
}
