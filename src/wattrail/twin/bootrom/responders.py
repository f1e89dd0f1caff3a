"""The two programs that answer in download mode: commands in, responses out. An unknown command gets no reply.

The mask ROM of a BK7231N or M has every command but the boot version, and does not depend on the flash. No dump of it
is public: replies and the CRC's end are seen on wires and relied on by hosts, the rest is guessed. Guessed: a command
of another length than the table's is ignored; FlashWrite does not wrap inside a page; the reply to SetBaud comes
``delay`` milliseconds after its request; Write4K is programmed page by page while it comes in, as the same maker's
bootloader does it. Source: bk-boot/rom, bk-boot/packets, bk-boot/timing.

The bootloader of a BK7231T lives in the flash it programs and is described as disassembled from BK7231S_1.0.5, and as
seen when that ran on the emulated module. It refuses plain addresses below its own end, but not the same place one
flash size higher; Erase alone compares them signed. It looks at no length: what a body lacks is what the one before it
left, what is too much is ignored. LinkCheck arms "unprotect at the next erase"; a CRC protects the flash again, if it
knows the part. Source: bk-boot/loader-1. Not copied: FlashWrite of nothing or of more than a page, and that the rest of
its last 32 bytes is programmed with what lies behind them in memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection
from typing import ClassVar, Final, Literal

from wattrail.bootrom import commands as c
from wattrail.bootrom.commands import TRAITS, Command, CrcEnd, Responder
from wattrail.bootrom.constants import (
    CHIP_ID,
    CHIP_ID_N,
    CRC_BLOCK,
    CRC_MAX_BLOCKS,
    DEVICE_ID,
    DEVICE_ID_N,
    EFUSE_BYTES,
    EFUSE_CONTROL,
    EFUSE_GO,
    EFUSE_RESULT,
    EFUSE_VALID,
    REFUSED,
    TICK_S,
)
from wattrail.bootrom.geometry import ERASE_SECTOR, PAGE, SECTOR
from wattrail.twin.bootrom.activity import Response, WorkStep, erase_step, long_reply, page_step, short_reply
from wattrail.twin.bootrom.flash import NorFlash, status_by_loader
from wattrail.twin.bootrom.receiver import ReceivedCommand, ReceivedPage
from wattrail.twin.bootrom.timing import BootTiming

__all__ = ["LoaderResponder", "Registers", "RomResponder", "TwinResponder"]

_Handler = Callable[[bytes, float], Response | None]
_Row = tuple[Command, Collection[int], _Handler]

MAX_CRC_BYTES: Final = 1 << 24
"""Longest range that is summed; beyond it the twin stays silent, where a chip would be busy for more than a minute."""

ROM_BYTES: Final = 0x4000
BUSY_READS: Final = 1
"""How often CONTROL still shows the go bit after a start: enough that a host must poll."""

_KEPT_BODY: Final = 16
"""Bytes of a body that a shorter one after it finds."""


def _number(body: bytes) -> int:
    return int.from_bytes(body, "little")


class TwinResponder:
    """The commands that both know, within the limits of ``TRAITS``."""

    responder: ClassVar[Responder]
    reboots: ClassVar[Literal["app", "reset"]]

    def __init__(self, flash: NorFlash, timing: BootTiming) -> None:
        self._flash = flash
        self._timing = timing
        self._traits = TRAITS[self.responder]
        # D8 and 20 are the opcodes of SPI flashes; a bootloader knows no 52, answers it as done and erases nothing.
        self._spans = {erase.code: erase.span for erase in self._traits.erases}
        self._handlers = {(row[0].long, row[0].opcode): row[1:] for row in self._rows()}

    def _rows(self) -> tuple[_Row, ...]:
        """Each command with the lengths of body that it takes."""
        return (
            (c.LINK_CHECK, (0,), self._link_check),
            (c.REBOOT, (1,), self._reboot),
            (c.SET_BAUD, (5,), self._set_baud),
            (c.CHECK_CRC, (8,), self._check_crc),
            (c.FLASH_WRITE, range(5, 4 + PAGE + 1), self._write_page),
            (c.WRITE_4K, (4,), self._end_write),
            (c.READ_4K, (4,), self._read_sector),
            (c.ERASE, (5,), self._erase),
        )

    @property
    def has_watchdog(self) -> bool:
        """Whether bytes keep it listening, and silence ends its download mode."""
        return self._traits.keepalive_s is not None

    def handle(self, command: ReceivedCommand, now: float) -> Response | None:
        """What the command leads to; None: nothing, and no reply."""
        lengths, handler = self._handlers.get((command.long, command.opcode), ((), None))
        return handler(command.body, now) if handler is not None and len(command.body) in lengths else None

    def page(self, page: ReceivedPage, now: float) -> tuple[WorkStep, ...]:
        """A page of Write4K, programmed while the next one comes in; nothing where it is refused.

        The first page waits for a busy flash.
        """
        if page.start < self._traits.write_4k_guard:
            return ()
        step, busy_s = page_step(self._flash, self._timing, page.address, page.data), self._busy_s(now)
        return (WorkStep(busy_s), step) if busy_s else (step,)

    def is_alive(self) -> bool:
        """Whether it would start after a reset."""
        return True

    def restart(self) -> None:
        """As after a reset."""

    # ---- where the two differ

    def _reply_delay_s(self, delay_ms: int) -> float:
        """From SetBaud to its reply."""
        return delay_ms / 1000

    def _before_erase(self) -> None: ...

    def _after_crc(self) -> None: ...

    # ---- short commands

    def _link_check(self, body: bytes, now: float) -> Response:
        return Response(reply=short_reply(c.LINK_CHECK.reply_opcode, b"\0"), links=True)

    def _reboot(self, body: bytes, now: float) -> Response | None:
        return Response(reboots=self.reboots) if body == b"\xa5" else None

    def _set_baud(self, body: bytes, now: float) -> Response:
        # Late on purpose: the host waits half the delay, changes its own rate, and reads the reply there.
        delay = WorkStep(self._reply_delay_s(body[4]), kind="rate")
        return Response((delay,), short_reply(c.SET_BAUD.opcode, body), baud=_number(body[:4]))

    def _check_crc(self, body: bytes, now: float) -> Response | None:
        start, end = _number(body[:4]), _number(body[4:])
        length = (end - start + 1) & 0xFFFF_FFFF
        if self._traits.crc_end is CrcEnd.BLOCKS:
            length = (length // CRC_BLOCK & CRC_MAX_BLOCKS) * CRC_BLOCK
        if length > MAX_CRC_BYTES:
            return None
        # Unlike zlib without the final inversion, and an N counts the byte at the end: seen in known values of real
        # dumps.
        crc = self._flash.crc(start, length).to_bytes(4, "little")
        step = WorkStep(length * self._timing.crc_byte_s, self._after_crc, kind="crc")
        return Response((step,), short_reply(c.CHECK_CRC.opcode, crc))

    # ---- long commands

    def _read_sector(self, body: bytes, now: float) -> Response:
        address = _number(body)
        if self._is_guarded(address):
            # A short frame: a host that waits for 4096 bytes waits in vain.
            return Response(reply=long_reply(c.READ_4K.opcode, REFUSED, body + b"\0"))
        data = self._flash.read(address, SECTOR)
        return Response(reply=long_reply(c.READ_4K.opcode, 0, body + data), wait_s=self._busy_s(now))

    def _end_write(self, body: bytes, now: float) -> Response:
        """All pages are programmed. A refusal writes the guard's low half over the echoed address."""
        guard = self._traits.write_4k_guard
        if _number(body) < guard:
            return Response(reply=long_reply(c.WRITE_4K.opcode, REFUSED, guard.to_bytes(2, "little") + body[2:]))
        return Response(reply=long_reply(c.WRITE_4K.opcode, 0, body))

    def _write_page(self, body: bytes, now: float) -> Response:
        address, data = _number(body[:4]), body[4:]
        written = body[:4] + bytes((len(data) & 0xFF,))  # so a whole page of 256 is reported as 00
        if self._is_guarded(address):
            return Response(reply=long_reply(c.FLASH_WRITE.opcode, REFUSED, written))
        step = page_step(self._flash, self._timing, address, data)
        return Response((step,), long_reply(c.FLASH_WRITE.opcode, 0, written), wait_s=self._busy_s(now))

    def _erase(self, body: bytes, now: float) -> Response:
        """A size it does not know is answered as done and not carried out."""
        address = _number(body[1:])
        if self._erase_is_guarded(address):
            return Response(reply=long_reply(c.ERASE.opcode, REFUSED, body))
        self._before_erase()
        return self._erased(address, self._spans.get(body[0]), long_reply(c.ERASE.opcode, 0, body), now)

    def _erased(self, address: int, span: int | None, reply: bytes, now: float) -> Response:
        """A flash takes three bytes of address."""
        steps = () if span is None else (erase_step(self._flash, self._timing, address & 0xFF_FFFF, span),)
        return Response(steps, reply, wait_s=self._busy_s(now))

    def _is_guarded(self, address: int) -> bool:
        """Whether Read4K and FlashWrite refuse an address."""
        return False

    def _erase_is_guarded(self, address: int) -> bool:
        return False

    def _busy_s(self, now: float) -> float:
        """How long the flash is still busy."""
        return max(0.0, self._flash.busy_until - now)


class LoaderResponder(TwinResponder):
    """The bootloader. ``version`` None: a plain Beken bootloader, which has no version to report."""

    responder = Responder.BOOTLOADER
    reboots = "reset"

    def __init__(self, flash: NorFlash, timing: BootTiming, version: str | None = "BK7231S_1.0.5") -> None:
        super().__init__(flash, timing)
        self._version = version
        self._armed = False
        self._left = {False: bytes(_KEPT_BODY), True: bytes(_KEPT_BODY)}
        self._original = self._checksum()

    def _rows(self) -> tuple[_Row, ...]:
        return (*super()._rows(), (c.BOOT_VERSION, (0,), self._boot_version))

    def is_alive(self) -> bool:
        """Whether the flash still holds, unchanged, the bootloader it came with."""
        return self._checksum() == self._original

    def restart(self) -> None:
        """As after a reset."""
        self._armed = False
        self._left = {False: bytes(_KEPT_BODY), True: bytes(_KEPT_BODY)}

    def _checksum(self) -> int:
        return zlib.crc32(self._flash.read(0, self._traits.lost_below))

    def _reply_delay_s(self, delay_ms: int) -> float:
        return (delay_ms + 1) * TICK_S

    def handle(self, command: ReceivedCommand, now: float) -> Response | None:
        """As the twin's, of a body whose length is not looked at."""
        lengths, _ = self._handlers.get((command.long, command.opcode), ((0,), None))
        body = command.body
        if len(lengths) == 1:
            self._left[command.long] = body[:_KEPT_BODY] + self._left[command.long][len(body) :]
            body = self._left[command.long][: next(iter(lengths))]
        return super().handle(ReceivedCommand(command.long, command.opcode, body), now)

    def _is_guarded(self, address: int) -> bool:
        return address < self._traits.guard

    def _erase_is_guarded(self, address: int) -> bool:
        """A signed comparison: the upper half of all addresses counts as below."""
        return self._is_guarded(address) or address >= 1 << 31

    def _before_erase(self) -> None:
        if self._armed:
            self._armed = False
            self._protect(False)

    def _protect(self, protect: bool) -> None:
        self._flash.sr = status_by_loader(self._flash.mid, self._flash.sr, protect=protect)

    def _after_crc(self) -> None:
        # This is why writing after a CRC fails in flashers that do not send a LinkCheck and an erase in between: all
        # is answered as done, and nothing changes. The flag that LinkCheck sets outlives the CRC.
        self._protect(True)

    def _link_check(self, body: bytes, now: float) -> Response:
        self._armed = True
        return super()._link_check(body, now)

    def _boot_version(self, body: bytes, now: float) -> Response | None:
        if self._version is None:
            return None
        return Response(reply=short_reply(c.BOOT_VERSION.opcode, self._version.encode().ljust(16, b"\0")[:16]))


class RomResponder(TwinResponder):
    """The mask ROM, with the chip's registers, the status registers of the flash, and more ways to erase."""

    responder = Responder.BOOT_ROM
    reboots = "app"

    def __init__(self, flash: NorFlash, registers: Registers, timing: BootTiming) -> None:
        super().__init__(flash, timing)
        self._registers = registers

    def _rows(self) -> tuple[_Row, ...]:
        return (
            *super()._rows(),
            (c.WRITE_REG, (8,), self._write_register),
            (c.READ_REG, (4,), self._read_register),
            (c.STAY_ROM, (1,), self._stay),
            (c.ERASE_ALL, (1,), self._erase_all),
            (c.ERASE_4K, (4,), self._erase_sector),
            (c.READ_SR, (1,), self._read_status),
            (c.WRITE_SR, (2, 3), self._write_status),
            (c.FLASH_ID, (4,), self._flash_id),
        )

    def restart(self) -> None:
        """As after a reset."""
        self._registers.restart()

    def _read_register(self, body: bytes, now: float) -> Response:
        value = self._registers.read(_number(body))
        return Response(reply=short_reply(c.READ_REG.opcode, body + value.to_bytes(4, "little")))

    def _write_register(self, body: bytes, now: float) -> Response:
        self._registers.write(_number(body[:4]), _number(body[4:]))
        return Response(reply=short_reply(c.WRITE_REG.opcode, body))

    def _stay(self, body: bytes, now: float) -> Response | None:
        return Response(reply=short_reply(c.STAY_ROM.opcode, body)) if body == b"\x55" else None

    def _erase_sector(self, body: bytes, now: float) -> Response:
        return self._erased(_number(body), ERASE_SECTOR.span, long_reply(c.ERASE_4K.opcode, 0, body), now)

    def _erase_all(self, body: bytes, now: float) -> Response | None:
        """Answered before it is done; the flash is busy until then."""
        if body != b"\x04":
            return None
        seconds = self._timing.erase_mib_s * self._flash.size / (1 << 20)
        self._flash.erase(0, self._flash.size)
        self._flash.busy_until = now + seconds
        return Response(reply=long_reply(c.ERASE_ALL.opcode, 0, bytes((min(255, int(seconds) + 1),))))

    def _read_status(self, body: bytes, now: float) -> Response:
        value = self._flash.read_status(body[0], now)
        return Response(reply=long_reply(c.READ_SR.opcode, 0, body + bytes((value,))))

    def _write_status(self, body: bytes, now: float) -> Response:
        step = WorkStep(self._timing.status_s, lambda: self._flash.write_status(body[0], body[1:]))
        return Response((step,), long_reply(c.WRITE_SR.opcode, 0, body), wait_s=self._busy_s(now))

    def _flash_id(self, body: bytes, now: float) -> Response:
        """The byte in front of the id is junk, and counted in the length: 15 bytes in all."""
        return Response(reply=long_reply(c.FLASH_ID.opcode, 0, b"\0" + self._flash.mid.to_bytes(3, "little")))


class Registers:
    """What ReadReg and WriteReg reach, as far as hosts look: chip numbers, the eFuse controller, ROM, and memory.

    Other addresses hold what was written, 0 at first.
    """

    def __init__(self, efuse: bytes) -> None:
        if len(efuse) != EFUSE_BYTES:
            raise ValueError(f"an eFuse has {EFUSE_BYTES} bytes, not {len(efuse)}")
        self._efuse = efuse
        self._fixed = {CHIP_ID: CHIP_ID_N, DEVICE_ID: DEVICE_ID_N}
        self._busy = 0
        self._written: dict[int, int] = {}

    def restart(self) -> None:
        """As after a reset."""
        self._written.clear()
        self._busy = 0

    def read(self, address: int) -> int:
        """A 32-bit word."""
        if address == EFUSE_CONTROL and self._busy:
            self._busy -= 1
            return self._written[EFUSE_CONTROL] | EFUSE_GO
        if address in self._fixed:
            return self._fixed[address]
        if address < ROM_BYTES:
            return address * 0x9E37_79B1 & 0xFFFF_FFFF  # the ROM's contents are not public: any will do
        return self._written.get(address, 0)

    def write(self, address: int, value: int) -> None:
        """A 32-bit word; the go bit of the eFuse controller starts a read and clears by itself."""
        if address in self._fixed or address < ROM_BYTES:
            return
        if address == EFUSE_CONTROL and value & EFUSE_GO:
            value &= ~EFUSE_GO
            self._busy = BUSY_READS
            index = value >> 8 & 0x1F
            self._written[EFUSE_RESULT] = EFUSE_VALID | self._efuse[index]
        self._written[address] = value
