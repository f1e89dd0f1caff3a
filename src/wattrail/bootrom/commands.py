"""Every command of the boot protocol, one line each: request, reply, who answers it; and how the responders differ.

Short and long opcodes are two namespaces: short 0E reboots, long 0E asks for the flash id. A field of the reply with
the name of a field of the request repeats it, and must repeat it exactly. Integers are little-endian.

Source: bk-boot/packets; who answers what: bk-boot/loader-1 for the bootloader, bk-boot/hosts for the boot ROM.
"""

# ruff: noqa: E501 - one aligned line a command

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from wattrail.bk7231 import APP_START
from wattrail.bootrom.geometry import ERASE_64K, ERASE_SECTOR, ERASES, Erase

__all__ = ["COMMANDS", "TRAITS", "Command", "CrcEnd", "Namespace", "PayloadField", "Responder", "Traits"]


class Namespace(Enum):
    """Which of the two frame formats, and thereby which of the two lists of opcodes."""

    SHORT = "short"
    LONG = "long"


class Responder(Enum):
    """Who answers: the mask ROM of a BK7231N or M, or the first program in a BK7231T's flash."""

    BOOT_ROM = "boot ROM"
    BOOTLOADER = "bootloader"


@dataclass(frozen=True, slots=True)
class PayloadField:
    """A run of bytes in a payload: an integer, or the field named ``data``, which is bytes.

    ``max_size`` is the greatest size in bytes where it varies. ``fixed`` is a constant value. ``mask`` says which bits
    of a repeated field are compared.
    """

    name: str
    size: int
    max_size: int = 0
    fixed: int | None = None
    mask: int = 0xFFFF_FFFF

    @property
    def sizes(self) -> range:
        """All sizes it can have, in bytes."""
        return range(self.size, (self.max_size or self.size) + 1)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Command:
    """One command. ``reply`` None: it is never answered. ``refusal`` is the other layout its reply may have.

    A long reply has a status byte in front of these fields; a short one has none. ``known`` are the responders that
    answer it; one that does not know it stays silent.
    """

    namespace: Namespace
    opcode: int
    name: str
    request: tuple[PayloadField, ...]
    reply: tuple[PayloadField, ...] | None
    known: tuple[Responder, ...]
    refusal: tuple[PayloadField, ...] = ()
    reply_opcode: int = -1

    def __post_init__(self) -> None:
        if self.reply_opcode < 0:
            object.__setattr__(self, "reply_opcode", self.opcode)

    @property
    def long(self) -> bool:
        """Whether it travels in the long frame."""
        return self.namespace is Namespace.LONG

    def __repr__(self) -> str:
        return self.name


SHORT, LONG = Namespace.SHORT, Namespace.LONG
ROM, LOADER = (Responder.BOOT_ROM,), (Responder.BOOTLOADER,)
BOTH, NONE = ROM + LOADER, ()

ADDRESS = PayloadField("address", 4)
VALUE = PayloadField("value", 4)
START = PayloadField("start", 4)
END = PayloadField("end", 4)
CRC = PayloadField("crc", 4)
BAUD = PayloadField("baud", 4)
DELAY = PayloadField("delay_ms", 1)
SIZE = PayloadField("size", 1)
REGISTER = PayloadField("register", 1)
STATUS_8 = PayloadField("sr", 1)
STATUS_16 = PayloadField("sr", 2)
PAGE = PayloadField("data", 1, 256)
SECTOR = PayloadField("data", 4096)
FILLER = PayloadField("filler", 1)
TEXT = PayloadField("data", 16)
LENGTH = PayloadField("length", 2)
WRITTEN = PayloadField("written", 1)
TIMEOUT = PayloadField("timeout_s", 1)
MAKER, KIND, CAPACITY = PayloadField("manufacturer", 1), PayloadField("kind", 1), PayloadField("capacity", 1)
OLD_ADDRESS = PayloadField("address", 4, mask=0xFFFF_0000)
"""Of a refused Write4K: the bootloader copies its guard, E0 20, over the low half. Source: bk-boot/loader-1."""
STAY = PayloadField("key", 1, fixed=0x55)
LINKED = PayloadField("linked", 1, fixed=0)
UP_TO_4K = PayloadField("data", 0, 4096)


def _key(size: int, value: int) -> PayloadField:
    return PayloadField("key", size, fixed=value)


# fmt: off
# The only reply with another opcode than its request: hosts look for 01. Source: bk-boot/packets.
LINK_CHECK   = Command(SHORT, 0x00, "LinkCheck",       (),                     (LINKED,),                       BOTH,   reply_opcode=1)
WRITE_REG    = Command(SHORT, 0x01, "WriteReg",        (ADDRESS, VALUE),       (ADDRESS, VALUE),                ROM)
READ_REG     = Command(SHORT, 0x03, "ReadReg",         (ADDRESS,),             (ADDRESS, VALUE),                ROM)
REBOOT       = Command(SHORT, 0x0E, "Reboot",          (_key(1, 0xA5),),       None,                            BOTH)
SET_BAUD     = Command(SHORT, 0x0F, "SetBaud",         (BAUD, DELAY),          (BAUD, DELAY),                   BOTH)
CHECK_CRC    = Command(SHORT, 0x10, "CheckCRC",        (START, END),           (CRC,),                          BOTH)
# Plain Beken loaders do not know it; one host expects a single byte 07 in place of the text.
BOOT_VERSION = Command(SHORT, 0x11, "ReadBootVersion", (),                     (TEXT,),                         LOADER, refusal=(FILLER,))
STAY_ROM     = Command(SHORT, 0xAA, "StayRom",         (STAY,),                (STAY,),                         ROM)
# For running firmware and newer chips. Neither responder answers them; they are sent in the hope of a reset.
RESET        = Command(SHORT, 0x70, "Reset",           (_key(4, 0x4E414553),), None,                            NONE)
APP_RESET    = Command(SHORT, 0xFE, "AppReset",        (_key(4, 0x27952795),), None,                            NONE)

# The loader reports the low byte of the count: 256 bytes written are said to be 0. Source: bk-boot/loader-1.
FLASH_WRITE  = Command(LONG,  0x06, "FlashWrite",      (ADDRESS, PAGE),        (ADDRESS, WRITTEN),              BOTH)
# Programmed page by page while the bytes come in, without a time-out between bytes: a lost one leaves the loader
# waiting for the rest, and it takes the next commands for it. Source: bk-boot/loader-1.
WRITE_4K     = Command(LONG,  0x07, "Write4K",         (ADDRESS, SECTOR),      (ADDRESS,),                      BOTH,   refusal=(OLD_ADDRESS,))
# Stands in one host's list, whose builder sends opcode 07 by mistake: nobody has seen a chip answer it.
FLASH_READ   = Command(LONG,  0x08, "FlashRead",       (ADDRESS, LENGTH),      (ADDRESS, UP_TO_4K),             NONE)
READ_4K      = Command(LONG,  0x09, "Read4K",          (ADDRESS,),             (ADDRESS, SECTOR),               BOTH,   refusal=(ADDRESS, FILLER))
# Replies before it has erased anything, with the seconds it may take; only READ_SR shows when it is done.
ERASE_ALL    = Command(LONG,  0x0A, "EraseAll",        (_key(1, 0x04),),       (TIMEOUT,),                      ROM)
ERASE_4K     = Command(LONG,  0x0B, "Erase4K",         (ADDRESS,),             (ADDRESS,),                      ROM)
READ_SR      = Command(LONG,  0x0C, "ReadSR",          (REGISTER,),            (REGISTER, STATUS_8),            ROM)
WRITE_SR     = Command(LONG,  0x0D, "WriteSR",         (REGISTER, STATUS_8),   (REGISTER, STATUS_8),            ROM)
# The same opcode, told apart by length: parts with two status registers take both bytes in one write.
WRITE_SR_16  = Command(LONG,  0x0D, "WriteSR16",       (REGISTER, STATUS_16),  (REGISTER, STATUS_16),           ROM)
# The byte in front of the id is junk, and counted in the length: some hosts call that a bug of the ROM.
FLASH_ID     = Command(LONG,  0x0E, "GetMID",          (_key(4, 0x9F),),       (FILLER, MAKER, KIND, CAPACITY), ROM)
# The loader knows 20 and D8 and answers "done" to every other size.
ERASE        = Command(LONG,  0x0F, "Erase",           (SIZE, ADDRESS),        (SIZE, ADDRESS),                 BOTH)
# fmt: on

COMMANDS: Final = (
    LINK_CHECK, WRITE_REG, READ_REG, REBOOT, SET_BAUD, CHECK_CRC, BOOT_VERSION, STAY_ROM, RESET, APP_RESET,
    FLASH_WRITE, WRITE_4K, FLASH_READ, READ_4K, ERASE_ALL, ERASE_4K, READ_SR, WRITE_SR, WRITE_SR_16, FLASH_ID, ERASE,
)  # fmt: skip
"""All of them, short before long, by opcode except for the two resets that belong to other programs."""

CHIP_ERRORS: Final = (0xEE, 0xFE)
"""Opcodes of a short reply without payload that hosts read as "system error"; never captured. Source: bk-boot/hosts."""


# ---- how the two responders differ


class CrcEnd(Enum):
    """How the end of a CRC's range is counted."""

    INCLUSIVE = "the byte at the end counts"
    BLOCKS = "whole blocks of 256 bytes"


@dataclass(frozen=True, slots=True)
class Traits:
    """How one responder behaves.

    ``guard`` is the lowest address it reads, erases and programs when asked for it plainly, ``write_4k_guard`` the
    lowest that Write4K takes. Below ``lost_below`` lies the responder itself: once that is erased, the chip may never
    answer on the UART again. Sizes outside ``erases`` are answered as done and not carried out. ``keepalive_s``: a
    longer silence may end the download mode; None where it never ends.
    """

    crc_end: CrcEnd
    erases: tuple[Erase, ...]
    guard: int
    write_4k_guard: int
    crc_protects: bool
    lost_below: int
    keepalive_s: float | None


TRAITS: Final = {
    # The mask ROM is not in flash: no write can destroy it. Source: bk-boot/rom.
    Responder.BOOT_ROM: Traits(CrcEnd.INCLUSIVE, ERASES, 0, 0, False, 0, None),
    # Its watchdog fires after about 400 000 idle polls; the seconds were never measured. Source: bk-boot/loader-1.
    Responder.BOOTLOADER: Traits(CrcEnd.BLOCKS, (ERASE_SECTOR, ERASE_64K), 0x10000, 0x20E0, True, APP_START, 1.0),
}
"""By responder."""
