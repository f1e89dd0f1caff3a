"""Every command of the boot protocol, one line each: what is asked, what comes back, who knows it.

Short and long opcodes are two namespaces: short 0E reboots, long 0E asks for the flash id. A part of the reply that
bears the name of a part of the request repeats it, and must repeat it exactly. Integers are little-endian.

Source: bk-boot/packets; who knows what: bk-boot/loader-1 for the bootloader, bk-boot/hosts for the boot ROM.
"""

# ruff: noqa: E501 - one aligned line a command

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["COMMANDS", "Command", "Namespace", "Part", "Responder"]


class Namespace(Enum):
    """Which of the two frame shapes, and thereby which of the two lists of opcodes."""

    SHORT = "short"
    LONG = "long"


class Responder(Enum):
    """Who answers: the mask ROM of a BK7231N or M, or the first program in a BK7231T's flash."""

    BOOT_ROM = "boot ROM"
    BOOTLOADER = "bootloader"


@dataclass(frozen=True, slots=True)
class Part:
    """A run of bytes in a payload: an integer, or the part named ``data``, which is bytes.

    ``most`` is the greatest size in bytes where it varies. ``fixed`` is what always stands there. ``mask`` says which
    bits of a repeated part are to be compared.
    """

    name: str
    size: int
    most: int = 0
    fixed: int | None = None
    mask: int = 0xFFFF_FFFF

    @property
    def sizes(self) -> range:
        """All sizes it can have, in bytes."""
        return range(self.size, (self.most or self.size) + 1)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Command:
    """One command. ``reply`` None: it is never answered. ``refusal`` is the other shape its reply may have.

    A long reply has a status byte in front of these parts; a short one has none.
    """

    namespace: Namespace
    opcode: int
    name: str
    request: tuple[Part, ...]
    reply: tuple[Part, ...] | None
    known: tuple[Responder, ...]
    refusal: tuple[Part, ...] = ()
    reply_opcode: int = -1

    def __post_init__(self) -> None:
        if self.reply_opcode < 0:
            object.__setattr__(self, "reply_opcode", self.opcode)

    @property
    def long(self) -> bool:
        """Whether it travels in the long frame."""
        return self.namespace is Namespace.LONG

    def knows(self, responder: Responder) -> bool:
        """Whether that responder answers it. One that does not stays silent."""
        return responder in self.known

    def __repr__(self) -> str:
        return self.name


SHORT, LONG = Namespace.SHORT, Namespace.LONG
ROM, LOADER = (Responder.BOOT_ROM,), (Responder.BOOTLOADER,)
BOTH, NONE = ROM + LOADER, ()

ADDRESS = Part("address", 4)
VALUE = Part("value", 4)
START = Part("start", 4)
END = Part("end", 4)
CRC = Part("crc", 4)
BAUD = Part("baud", 4)
DELAY = Part("delay_ms", 1)
SIZE = Part("size", 1)
REGISTER = Part("register", 1)
STATUS_8 = Part("sr", 1)
STATUS_16 = Part("sr", 2)
PAGE = Part("data", 1, 256)
SECTOR = Part("data", 4096)
FILLER = Part("filler", 1)
TEXT = Part("data", 16)
LENGTH = Part("length", 2)
WRITTEN = Part("written", 1)
TIMEOUT = Part("timeout_s", 1)
MAKER, KIND, CAPACITY = Part("manufacturer", 1), Part("kind", 1), Part("capacity", 1)
OLD_ADDRESS = Part("address", 4, mask=0xFFFF_0000)  # the bootloader writes E0 20 over the low half (Write4K refused)
STAY = Part("key", 1, fixed=0x55)
LINKED = Part("linked", 1, fixed=0)
UP_TO_4K = Part("data", 0, 4096)


def _key(size: int, value: int) -> Part:
    return Part("key", size, fixed=value)


# fmt: off
LINK_CHECK   = Command(SHORT, 0x00, "LinkCheck",       (),                     (LINKED,),                       BOTH,   reply_opcode=1)
WRITE_REG    = Command(SHORT, 0x01, "WriteReg",        (ADDRESS, VALUE),       (ADDRESS, VALUE),                ROM)
READ_REG     = Command(SHORT, 0x03, "ReadReg",         (ADDRESS,),             (ADDRESS, VALUE),                ROM)
REBOOT       = Command(SHORT, 0x0E, "Reboot",          (_key(1, 0xA5),),       None,                            BOTH)
SET_BAUD     = Command(SHORT, 0x0F, "SetBaud",         (BAUD, DELAY),          (BAUD, DELAY),                   BOTH)
CHECK_CRC    = Command(SHORT, 0x10, "CheckCRC",        (START, END),           (CRC,),                          BOTH)
BOOT_VERSION = Command(SHORT, 0x11, "ReadBootVersion", (),                     (TEXT,),                         LOADER, refusal=(FILLER,))
STAY_ROM     = Command(SHORT, 0xAA, "StayRom",         (STAY,),                (STAY,),                         ROM)
RESET        = Command(SHORT, 0x70, "Reset",           (_key(4, 0x4E414553),), None,                            NONE)
APP_RESET    = Command(SHORT, 0xFE, "AppReset",        (_key(4, 0x27952795),), None,                            NONE)

FLASH_WRITE  = Command(LONG,  0x06, "FlashWrite",      (ADDRESS, PAGE),        (ADDRESS, WRITTEN),              BOTH)
WRITE_4K     = Command(LONG,  0x07, "Write4K",         (ADDRESS, SECTOR),      (ADDRESS,),                      BOTH,   refusal=(OLD_ADDRESS,))
FLASH_READ   = Command(LONG,  0x08, "FlashRead",       (ADDRESS, LENGTH),      (ADDRESS, UP_TO_4K),             NONE)
READ_4K      = Command(LONG,  0x09, "Read4K",          (ADDRESS,),             (ADDRESS, SECTOR),               BOTH,   refusal=(ADDRESS, FILLER))
ERASE_ALL    = Command(LONG,  0x0A, "EraseAll",        (_key(1, 0x04),),       (TIMEOUT,),                      ROM)
ERASE_4K     = Command(LONG,  0x0B, "Erase4K",         (ADDRESS,),             (ADDRESS,),                      ROM)
READ_SR      = Command(LONG,  0x0C, "ReadSR",          (REGISTER,),            (REGISTER, STATUS_8),            ROM)
WRITE_SR     = Command(LONG,  0x0D, "WriteSR",         (REGISTER, STATUS_8),   (REGISTER, STATUS_8),            ROM)
WRITE_SR_16  = Command(LONG,  0x0D, "WriteSR16",       (REGISTER, STATUS_16),  (REGISTER, STATUS_16),           ROM)
FLASH_ID     = Command(LONG,  0x0E, "GetMID",          (_key(4, 0x9F),),       (FILLER, MAKER, KIND, CAPACITY), ROM)
ERASE        = Command(LONG,  0x0F, "Erase",           (SIZE, ADDRESS),        (SIZE, ADDRESS),                 BOTH)
# fmt: on

COMMANDS: Final = (
    LINK_CHECK, WRITE_REG, READ_REG, REBOOT, SET_BAUD, CHECK_CRC, BOOT_VERSION, STAY_ROM, RESET, APP_RESET,
    FLASH_WRITE, WRITE_4K, FLASH_READ, READ_4K, ERASE_ALL, ERASE_4K, READ_SR, WRITE_SR, WRITE_SR_16, FLASH_ID, ERASE,
)  # fmt: skip
"""All of them, short before long, by opcode but for the two resets that belong to other programs."""

CHIP_ERRORS: Final = (0xEE, 0xFE)
"""Opcodes of a short reply without payload that hosts read as "system error"; never captured. Source: bk-boot/hosts."""
