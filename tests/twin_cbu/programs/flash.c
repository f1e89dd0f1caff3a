// Erase a sector, program one page twice, read it back: what the second pass clears stays cleared.
#include "cbu.h"

enum { AT = 0x1D2000 };

static void program(word value)
{
    for (int n = 0; n < 8; n++)
        REG(0x803004) = value;
    FLASH_GO(12, AT + 32);
}

static word first_word(word address)
{
    FLASH_GO(5, address);
    while (FLASH_OPERATE >> 31)
        ;
    return REG(0x803008);
}

void main(void)
{
    FLASH_GO(20, 0);
    show("id", REG(0x803010));
    show("before", first_word(AT + 32));
    FLASH_GO(13, AT + 0x123);
    show("erased", first_word(AT + 32));
    program(0xFFFF0F0F);
    show("once", first_word(AT + 32));
    program(0xF0F0FFFF);
    show("twice", first_word(AT + 32));
    show("next page", first_word(AT + 64));
    show("next sector", first_word(AT + 0x1000));
}
