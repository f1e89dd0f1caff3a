"""The mask ROM of a BK7231N or M: every command but the boot version, on a flash it does not depend on.

No dump of it exists in public: this is what hosts rely on, [seen on wires] for replies and the CRC's end, and a guess
for the rest: commands of another length than the table's are ignored, FlashWrite does not wrap inside a page, the
reply to SetBaud comes ``delay`` milliseconds after its request, Write4K is programmed page by page while it comes in,
as the same maker's bootloader does it. Source: bk-boot/rom, bk-boot/packets, bk-boot/timing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wattrail.bootrom import commands as c
from wattrail.bootrom.commands import Namespace
from wattrail.bootrom.geometry import ERASE_SECTOR, ERASES, PAGE, SECTOR
from wattrail.twin.bootrom.deeds import Deed, Step, erase_step, long_reply, page_step, short_reply
from wattrail.twin.bootrom.flash import NorFlash
from wattrail.twin.bootrom.receiver import Heard, Page
from wattrail.twin.bootrom.registers import Registers
from wattrail.twin.bootrom.timing import BootTiming

__all__ = ["BootRom"]

_Handler = Callable[[bytes, float], Deed | None]

MOST_CRC: Final = 1 << 24
"""Longest range summed; beyond it the twin stays silent, where a chip would be busy for a minute and more."""

_SPANS: Final = {erase.code: erase.span for erase in ERASES}


class BootRom:
    """Commands to deeds."""

    has_watchdog = False

    def __init__(self, flash: NorFlash, registers: Registers, timing: BootTiming) -> None:
        self._flash = flash
        self._registers = registers
        self._timing = timing
        self._handlers: dict[tuple[bool, int], tuple[tuple[int, ...], _Handler]] = {
            (command.namespace is Namespace.LONG, command.opcode): (lengths, handler)
            for command, lengths, handler in (
                (c.LINK_CHECK, (0,), self._link_check),
                (c.WRITE_REG, (8,), self._write_register),
                (c.READ_REG, (4,), self._read_register),
                (c.REBOOT, (1,), self._reboot),
                (c.SET_BAUD, (5,), self._set_baud),
                (c.CHECK_CRC, (8,), self._check_crc),
                (c.STAY_ROM, (1,), self._stay),
                (c.FLASH_WRITE, tuple(range(5, 4 + PAGE + 1)), self._write_page),
                (c.WRITE_4K, (4,), self._end_write),
                (c.READ_4K, (4,), self._read_sector),
                (c.ERASE_ALL, (1,), self._erase_all),
                (c.ERASE_4K, (4,), self._erase_sector),
                (c.READ_SR, (1,), self._read_status),
                (c.WRITE_SR, (2, 3), self._write_status),
                (c.FLASH_ID, (4,), self._flash_id),
                (c.ERASE, (5,), self._erase),
            )
        }

    def handle(self, heard: Heard, now: float) -> Deed | None:
        """What the command leads to; None: nothing, and no reply."""
        lengths, handler = self._handlers.get((heard.long, heard.opcode), ((), None))
        return handler(heard.body, now) if handler is not None and len(heard.body) in lengths else None

    def page(self, page: Page, now: float) -> tuple[Step, ...]:
        """A page of Write4K, programmed while the next one comes in; the first waits for a flash that is at work."""
        step, busy_s = page_step(self._flash, self._timing, page.address, page.data), self._busy(now)
        return (Step(busy_s), step) if busy_s else (step,)

    def alive(self) -> bool:
        """It cannot be erased."""
        return True

    def restart(self) -> None:
        """As after a reset."""
        self._registers.restart()

    # ---- short commands

    def _link_check(self, body: bytes, now: float) -> Deed:
        return Deed(reply=short_reply(c.LINK_CHECK.reply_opcode, b"\0"), links=True)

    def _read_register(self, body: bytes, now: float) -> Deed:
        value = self._registers.read(int.from_bytes(body, "little"))
        return Deed(reply=short_reply(c.READ_REG.opcode, body + value.to_bytes(4, "little")))

    def _write_register(self, body: bytes, now: float) -> Deed:
        self._registers.write(int.from_bytes(body[:4], "little"), int.from_bytes(body[4:], "little"))
        return Deed(reply=short_reply(c.WRITE_REG.opcode, body))

    def _reboot(self, body: bytes, now: float) -> Deed | None:
        return Deed(reboots="app") if body == b"\xa5" else None

    def _set_baud(self, body: bytes, now: float) -> Deed:
        delay = Step(body[4] / 1000, kind="rate")
        return Deed((delay,), short_reply(c.SET_BAUD.opcode, body), baud=int.from_bytes(body[:4], "little"))

    def _check_crc(self, body: bytes, now: float) -> Deed | None:
        start, end = int.from_bytes(body[:4], "little"), int.from_bytes(body[4:], "little")
        length = (end - start + 1) & 0xFFFF_FFFF
        if length > MOST_CRC:
            return None
        crc = self._flash.crc(start, length).to_bytes(4, "little")
        step = Step(length * self._timing.crc_byte_s, kind="crc")
        return Deed((step,), short_reply(c.CHECK_CRC.opcode, crc))

    def _stay(self, body: bytes, now: float) -> Deed | None:
        return Deed(reply=short_reply(c.STAY_ROM.opcode, body)) if body == b"\x55" else None

    # ---- long commands

    def _read_sector(self, body: bytes, now: float) -> Deed:
        data = self._flash.read(int.from_bytes(body, "little"), SECTOR)
        return Deed(reply=long_reply(c.READ_4K.opcode, 0, body + data), wait_s=self._busy(now))

    def _end_write(self, body: bytes, now: float) -> Deed:
        """All pages are programmed."""
        return Deed(reply=long_reply(c.WRITE_4K.opcode, 0, body))

    def _write_page(self, body: bytes, now: float) -> Deed:
        address, data = int.from_bytes(body[:4], "little"), body[4:]
        reply = long_reply(c.FLASH_WRITE.opcode, 0, body[:4] + bytes((len(data) & 0xFF,)))
        return Deed((page_step(self._flash, self._timing, address, data),), reply, wait_s=self._busy(now))

    def _erase(self, body: bytes, now: float) -> Deed:
        reply = long_reply(c.ERASE.opcode, 0, body)
        return self._erased(int.from_bytes(body[1:], "little"), _SPANS.get(body[0]), reply, now)

    def _erase_sector(self, body: bytes, now: float) -> Deed:
        reply = long_reply(c.ERASE_4K.opcode, 0, body)
        return self._erased(int.from_bytes(body, "little"), ERASE_SECTOR.span, reply, now)

    def _erased(self, address: int, span: int | None, reply: bytes, now: float) -> Deed:
        steps = () if span is None else (erase_step(self._flash, self._timing, address, span),)
        return Deed(steps, reply, wait_s=self._busy(now))

    def _erase_all(self, body: bytes, now: float) -> Deed | None:
        """Answered before it is done; the flash shows itself busy meanwhile."""
        if body != b"\x04":
            return None
        seconds = self._timing.erase_mib_s * self._flash.size / (1 << 20)
        self._flash.erase(0, self._flash.size)
        self._flash.busy_until = now + seconds
        return Deed(reply=long_reply(c.ERASE_ALL.opcode, 0, bytes((min(255, int(seconds) + 1),))))

    def _read_status(self, body: bytes, now: float) -> Deed:
        value = self._flash.read_status(body[0], now)
        return Deed(reply=long_reply(c.READ_SR.opcode, 0, body + bytes((value,))))

    def _write_status(self, body: bytes, now: float) -> Deed:
        step = Step(self._timing.status_s, lambda: self._flash.write_status(body[0], body[1:]))
        return Deed((step,), long_reply(c.WRITE_SR.opcode, 0, body), wait_s=self._busy(now))

    def _flash_id(self, body: bytes, now: float) -> Deed:
        """The byte in front of the id is junk, and counted in the length: 15 bytes in all."""
        return Deed(reply=long_reply(c.FLASH_ID.opcode, 0, b"\0" + self._flash.mid.to_bytes(3, "little")))

    def _busy(self, now: float) -> float:
        """How long the flash is still at work."""
        return max(0.0, self._flash.busy_until - now)
