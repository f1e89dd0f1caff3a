"""The bootloader of a BK7231T, which lives in the flash it programs, as disassembled from BK7231S_1.0.5.

It refuses plain addresses below its own end, and nothing one flash size higher. LinkCheck arms "unprotect at the next
erase"; a CRC protects the flash again. Unknown commands get no reply. Source: bk-boot/loader-1.

Guessed: a command of another length than the table's is ignored; FlashWrite compares its address as Erase does.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

from wattrail.bootrom import commands as c
from wattrail.bootrom.commands import Responder
from wattrail.bootrom.constants import CRC_BLOCK, CRC_MOST_BLOCKS, REFUSED, TICK_S
from wattrail.bootrom.geometry import PAGE, SECTOR
from wattrail.bootrom.responders import TRAITS
from wattrail.twin.bootrom.deeds import Deed, Step, erase_step, long_reply, page_step, short_reply
from wattrail.twin.bootrom.flash import NorFlash
from wattrail.twin.bootrom.receiver import Heard, Page
from wattrail.twin.bootrom.timing import BootTiming

__all__ = ["Bootloader"]

_Handler = Callable[[bytes], Deed | None]
_TRAITS: Final = TRAITS[Responder.BOOTLOADER]
_SPANS: Final = {erase.code: erase.span for erase in _TRAITS.erases}
_PROTECT: Final = 0x1F << 2


class Bootloader:
    """Commands to deeds. ``version`` None: a plain Beken bootloader, which has none to tell."""

    has_watchdog = True

    def __init__(self, flash: NorFlash, timing: BootTiming, version: str | None = "BK7231S_1.0.5") -> None:
        self._flash = flash
        self._timing = timing
        self._version = version
        self._armed = False
        self._itself = self._checksum()
        self._handlers: dict[tuple[bool, int], tuple[tuple[int, ...], _Handler]] = {
            (command.long, command.opcode): (lengths, handler)
            for command, lengths, handler in (
                (c.LINK_CHECK, (0,), self._link_check),
                (c.REBOOT, (1,), self._reboot),
                (c.SET_BAUD, (5,), self._set_baud),
                (c.CHECK_CRC, (8,), self._check_crc),
                (c.BOOT_VERSION, (0,), self._boot_version),
                (c.FLASH_WRITE, tuple(range(5, 4 + PAGE + 1)), self._write_page),
                (c.WRITE_4K, (4,), self._end_write),
                (c.READ_4K, (4,), self._read_sector),
                (c.ERASE, (5,), self._erase),
            )
        }

    def handle(self, heard: Heard, now: float) -> Deed | None:
        """What the command leads to; None: nothing, and no reply."""
        lengths, handler = self._handlers.get((heard.long, heard.opcode), ((), None))
        return handler(heard.body) if handler is not None and len(heard.body) in lengths else None

    def page(self, page: Page, now: float) -> tuple[Step, ...]:
        """A page of Write4K, programmed while the next one comes in; nothing where it is refused."""
        if page.address < _TRAITS.write_4k_guard:
            return ()
        return (page_step(self._flash, self._timing, page.address, page.data),)

    def alive(self) -> bool:
        """Whether the flash still holds, unchanged, the bootloader it came with."""
        return self._checksum() == self._itself

    def restart(self) -> None:
        """As after a reset."""
        self._armed = False

    def _checksum(self) -> int:
        return zlib.crc32(self._flash.read(0, _TRAITS.lost_below))

    # ---- short commands

    def _link_check(self, body: bytes) -> Deed:
        self._armed = True
        return Deed(reply=short_reply(c.LINK_CHECK.reply_opcode, b"\0"), links=True)

    def _reboot(self, body: bytes) -> Deed | None:
        return Deed(reboots="reset") if body == b"\xa5" else None

    def _set_baud(self, body: bytes) -> Deed:
        delay = Step((body[4] + 1) * TICK_S, kind="rate")
        return Deed((delay,), short_reply(c.SET_BAUD.opcode, body), baud=int.from_bytes(body[:4], "little"))

    def _check_crc(self, body: bytes) -> Deed:
        start, end = int.from_bytes(body[:4], "little"), int.from_bytes(body[4:], "little")
        blocks = ((end - start + 1) & 0xFFFF_FFFF) // CRC_BLOCK & CRC_MOST_BLOCKS
        length = blocks * CRC_BLOCK
        crc = self._flash.crc(start, length).to_bytes(4, "little")
        step = Step(length * self._timing.crc_byte_s, self._protect, kind="crc")
        return Deed((step,), short_reply(c.CHECK_CRC.opcode, crc))

    def _boot_version(self, body: bytes) -> Deed | None:
        if self._version is None:
            return None
        return Deed(reply=short_reply(c.BOOT_VERSION.opcode, self._version.encode().ljust(16, b"\0")[:16]))

    # ---- long commands

    def _read_sector(self, body: bytes) -> Deed:
        address = int.from_bytes(body, "little")
        if _guarded(address):
            return Deed(reply=long_reply(c.READ_4K.opcode, REFUSED, body + b"\0"))
        return Deed(reply=long_reply(c.READ_4K.opcode, 0, body + self._flash.read(address, SECTOR)))

    def _end_write(self, body: bytes) -> Deed:
        """All pages are programmed. A refusal writes the guard's low half over the echoed address."""
        if int.from_bytes(body, "little") < _TRAITS.write_4k_guard:
            spoiled = _TRAITS.write_4k_guard.to_bytes(2, "little") + body[2:]
            return Deed(reply=long_reply(c.WRITE_4K.opcode, REFUSED, spoiled))
        return Deed(reply=long_reply(c.WRITE_4K.opcode, 0, body))

    def _write_page(self, body: bytes) -> Deed:
        address, data = int.from_bytes(body[:4], "little"), body[4:]
        status = REFUSED if _guarded(address) else 0
        reply = long_reply(c.FLASH_WRITE.opcode, status, body[:4] + bytes((len(data) & 0xFF,)))
        return Deed(() if status else (page_step(self._flash, self._timing, address, data),), reply)

    def _erase(self, body: bytes) -> Deed:
        """A size it does not know is answered as done and not carried out."""
        address, span = int.from_bytes(body[1:], "little"), _SPANS.get(body[0])
        if _guarded(address):
            return Deed(reply=long_reply(c.ERASE.opcode, REFUSED, body))
        if self._armed:
            self._armed = False
            self._flash.sr &= ~_PROTECT & 0x3FFF
        steps = () if span is None else (erase_step(self._flash, self._timing, address & 0xFF_FFFF, span),)
        return Deed(steps, long_reply(c.ERASE.opcode, 0, body))

    def _protect(self) -> None:
        self._flash.sr |= _PROTECT


def _guarded(address: int) -> bool:
    """The comparison is a signed one: the upper half of all addresses counts as below."""
    return address < _TRAITS.guard or address >= 1 << 31
