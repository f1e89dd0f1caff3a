"""The flash behind the chip: sectors read, erased and programmed, whoever answers, and what was read is proven.

A fence holds every write in range. The bootloader of a T protects the flash after each CRC, and takes the protection
off at the first erase that follows a LinkCheck. So before programming there, a LinkCheck and an erase come first. A
boot ROM leaves the flash's own protection bits alone: they are taken off before a write and put back afterwards; a
status register is written only where one of them changes, and read again.

A reader takes what the chip's CRCs confirm, and nothing else; what is known already is not read. Each block's CRC is
asked first. If it is that of a blank block, or of bytes that are at hand (an earlier backup, the half of one that was
cut short), the block is done for 24 bytes of wire. Otherwise its sectors are read and the same CRC judges them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from wattrail.bootrom.commands import ERASE, READ_4K, WRITE_4K, Command
from wattrail.bootrom.crc_compare import SectorState, Span, blank_crc, blocks_of, crc_queries, differing
from wattrail.bootrom.geometry import ERASE_SECTOR, SECTOR, Erase, FlashPart
from wattrail.bootrom.requests import (
    StatusWrite,
    is_busy,
    is_guarded,
    is_unprotected,
    plan_restore,
    plan_unprotect,
    settled,
    wire_crc,
    wrapped,
)
from wattrail.diagnosis import SessionStatistics, Stage
from wattrail.errors import TargetError, VerifyError
from wattrail.exclusive_file import PartFile
from wattrail.flasher import identify
from wattrail.flasher.events import EventSink, Note, ProgressCounter
from wattrail.flasher.flash_target import FlashTarget
from wattrail.flasher.session import BoardCheck, FlashSession

__all__ = ["FlashDevice", "FlashReader", "KnownBytes", "compare"]

logger = logging.getLogger(__name__)

BUSY_READS: Final = 100
"""Status reads of a busy flash before it is given up: one exchange each, so half a second and more."""

MAX_REREADS: Final = 20
"""How often one sector is read before it is given up: at four damaged ones in five that still succeeds."""

MAX_TURNS: Final = 5
"""Turns of comparing a block that was read with its CRC: each but the first only because a CRC was damaged."""

BLANK_END: Final = 64
"""A sector that ends in this many erased bytes: what follows may be blank, and one CRC tells."""


class FlashDevice:
    """One chip's flash. Offsets and lengths in bytes; sectors are 4096 of them.

    ``original_status`` is the status word to put back at the end: the one that was found, if nothing else is said.
    """

    def __init__(self, session: FlashSession, target: FlashTarget) -> None:
        self._session = session
        self.target = target
        self.original_status = target.sr
        self._unprotected = False
        self._fence: tuple[Span, ...] = ()
        self._armed_at = -1
        self.erased_bytes = 0
        self.erases = 0
        self.programs = 0

    def fence_in(self, spans: Iterable[Span]) -> None:
        """From here on nothing is erased or programmed outside these."""
        self._fence = tuple(spans)

    # ---- what the session knows

    @property
    def sink(self) -> EventSink:
        """Where events go."""
        return self._session.sink

    @property
    def simulated(self) -> bool:
        """Whether a twin is at the other end."""
        return self._session.simulated

    @property
    def baud(self) -> int:
        """The present rate."""
        return self._session.baud

    def statistics(self) -> SessionStatistics:
        """What was tried, heard, repeated and lost so far."""
        return self._session.statistics()

    def expect(self, board: BoardCheck) -> None:
        """The board to be confirmed whenever the link was lost and made again."""
        self._session.expect(board)

    @property
    def fault_generation(self) -> int:
        """How often something has gone wrong so far that may have changed flash."""
        return self._session.fault_generation

    def data_differs(self, stage: Stage, why: str) -> None:
        """Data does not have its CRC. Raises LinkFailed if the line is lost over it."""
        self._session.data_differs(stage, why)

    # ---- reading

    def crc(self, start: int, length: int) -> int:
        """The chip's own CRC of a range of whole sectors."""
        self._armed_at = -1
        return identify.crc(self._session, self.target.responder, start, length)

    def agreed_crc(self, start: int, length: int) -> int:
        """The chip's CRC, twice the same: for one that is kept and compared much later."""
        self._armed_at = -1
        return identify.agreed_crc(self._session, self.target.responder, start, length)

    def read_sector(self, address: int) -> bytes:
        """4096 bytes as they arrived; only a CRC tells whether they are right."""
        return self._session.request(Stage.READ, READ_4K, address=self._reachable(READ_4K, address)).data

    # ---- writing

    def erase(self, size: Erase, address: int) -> None:
        """Erase one unit. That the chip says so does not prove it. Raises ValueError outside the fence."""
        self._check(address, size.span)
        if self.target.traits.crc_protects and not self._is_armed:
            # Each CRC protects a T's flash again, and the chip says "done" to an erase that does nothing. A LinkCheck
            # arms the one erase that lifts it. Source: bk-boot/loader-1.
            self._session.send_link_check()
            self._armed_at = self._session.links
        logger.debug("erase %d bytes at %#x", size.span, address)
        reachable = self._reachable(ERASE, address)
        self._session.request(Stage.ERASE, ERASE, erase=size.code, size=size.code, address=reachable)
        self.erases += 1
        self.erased_bytes += size.span

    def program(self, address: int, data: bytes) -> None:
        """Program one erased sector. Raises ValueError outside the fence."""
        self._check(address, SECTOR)
        if self.target.traits.crc_protects and not self._is_armed:
            self.erase(ERASE_SECTOR, address)
        logger.debug("program %d bytes at %#x", len(data), address)
        self._session.request(Stage.WRITE, WRITE_4K, data, address=self._reachable(WRITE_4K, address))
        self.programs += 1

    @property
    def _is_armed(self) -> bool:
        """Whether an erase has taken the bootloader's protection off since the last CRC, on this very link."""
        return self._armed_at == self._session.links

    def _reachable(self, command: Command, address: int) -> int:
        """The address to send: one flash size higher where the plain one is guarded."""
        if is_guarded(command, address, self.target.responder):
            # The guard compares the address as sent; the flash takes it modulo its size. Source: bk-boot/loader-1.
            return wrapped(address, self.target.size)
        return address

    def _check(self, address: int, span: int) -> None:
        if not any(start <= address and address + span <= start + length for start, length in self._fence):
            raise ValueError(f"{span} bytes at {address:#x} lie outside what may be written")

    # ---- protection

    def unprotect(self, *, again: bool = False) -> None:
        """Make the flash writable, once; ``again`` after an erase had no effect. Raises TargetError if that fails."""
        # Written only where a protection bit is set: on a Puya part a write of the unchanged 0 locked the chip until
        # its power was cut. Compared under the mask: WIP may still be set. Source: bk-boot/flash-parts.
        part = self.target.part
        if (self._unprotected and not again) or part is None:
            return  # a part that nobody has listed is not guessed at: the first erase will tell
        self._unprotected = True
        status = self._settled_status(part)
        if is_unprotected(part, status):
            return
        status = self._write_status(part, plan_unprotect(part, status), status)
        if not is_unprotected(part, status):
            raise TargetError(
                f"the flash {part.name} stays protected: its status register reads {status:#06x}",
                hint="cut its power for a moment and try again; a register that is locked for good cannot be written",
            )

    def restore_protection(self) -> None:
        """Put the protection back as it was; a note goes up where it does not take. Raises TargetError, LinkFailed."""
        part = self.target.part
        if part is None or self.original_status is None or not self._unprotected:
            return
        status = self._settled_status(part)
        plan = plan_restore(part, status, self.original_status)
        if plan is not None and not settled(part, plan, status := self._write_status(part, plan, status)):
            self.sink(Note(f"the flash's protection was not put back: its status reads {status:#06x}"))

    def _write_status(self, part: FlashPart, plan: StatusWrite | None, status: int) -> int:
        if plan is None:
            return status
        self._session.request(Stage.UNPROTECT, plan.command, register=plan.register, sr=plan.sr)
        return self._settled_status(part)

    def _settled_status(self, part: FlashPart) -> int:
        for _ in range(BUSY_READS):
            status = identify.read_status(self._session, part)
            # A status with WIP still set looked like a failed write to another flasher: "wrote 0x0000, got 0x0001"
            # (bk7231tools #19, libretiny #33). Source: bk-boot/flash-parts.
            if not is_busy(status):
                return status
        raise TargetError(f"the flash {part.name} is busy and stays so", hint="reset the chip and try again")


# ---- reading, proven


@dataclass(frozen=True, slots=True)
class KnownBytes:
    """Bytes that may still stand in flash from ``start`` on; every use of them is confirmed by a CRC."""

    start: int
    data: bytes

    def at(self, start: int, length: int) -> bytes | None:
        """The bytes of a range, None if they do not cover it."""
        place = start - self.start
        if place < 0 or place + length > len(self.data):
            return None
        return self.data[place : place + length]


def compare(
    device: FlashDevice, start: int, want: bytes, *, exact: bool = False, expect_new: bool = False
) -> dict[int, SectorState]:
    """How each sector from ``start`` on compares with ``want``, whole sectors, at most a block; see ``crc_queries``."""
    queries = crc_queries(start, want, exact=exact, expect_new=expect_new)
    span = next(queries)
    while True:
        try:
            span = queries.send(device.crc(*span))
        except StopIteration as done:
            return dict(done.value)


class FlashReader:
    """Reads from one device. ``known`` is what may stand there: it is taken, not read, where the CRC agrees."""

    def __init__(self, device: FlashDevice, known: Sequence[KnownBytes] = ()) -> None:
        self._device = device
        self._known = [*known]
        self._progress: ProgressCounter | None = None

    def read(self, start: int, length: int, *, into: PartFile | None = None, reports: bool = True) -> bytes:
        """Whole sectors from ``start`` on, block by block ``into`` a file. ``reports``: progress goes up.

        Raises VerifyError for a block that never matches its CRC, LinkFailed.
        """
        self._progress = ProgressCounter(self._device.sink, "reading", length, start=start) if reports else None
        whole = bytearray()
        for at, size in blocks_of(start, length):
            block = self._block(at, size)
            whole += block
            self._reached(at + size)
            if into is not None:
                # Each block as soon as it is proven: a read that is cut goes on where it ended.
                into.put(at, block)
        return bytes(whole)

    def _reached(self, address: int) -> None:
        if self._progress is not None:
            self._progress.reached(address)

    def _block(self, start: int, length: int) -> bytes:
        faults = self._device.fault_generation
        # On a line that has damaged something this CRC may be damaged too, and all of the block is judged by it.
        crc = self._device.agreed_crc(start, length) if faults else self._device.crc(start, length)
        if crc == blank_crc(length):
            return b"\xff" * length
        guesses = [guess for one in self._known if (guess := one.at(start, length)) is not None]
        for guess in guesses:
            if wire_crc(guess) == crc:
                return guess
        # The likeliest guess first: comparing by CRC finds its few wrong sectors for less than reading all of them.
        data = self._corrected(start, guesses[0]) if guesses else self._fresh(start, length)
        if wire_crc(data) == crc:
            return data
        agreed = self._device.agreed_crc(start, length)
        if agreed != crc and self._device.fault_generation != faults:
            raise _changed(start, length)
        for _ in range(MAX_TURNS):  # some sector arrived damaged
            if wire_crc(data) == agreed:
                return data
            data = self._corrected(start, data)
        raise _unreadable(start, length)

    def _fresh(self, start: int, length: int) -> bytes:
        """Sector by sector; once, where a sector ends blank, a CRC asks whether the rest is."""
        data, asked = bytearray(), False
        while len(data) < length:
            data += self._sector(start + len(data))
            rest = length - len(data)
            # Dumps have 28 to 244 of 512 sectors blank, about 195 as a rule. Source: bk-boot/flash-map.
            if rest and not asked and not data[-BLANK_END:].strip(b"\xff"):
                asked = True
                if self._device.crc(start + len(data), rest) == blank_crc(rest):
                    data += b"\xff" * rest
        return bytes(data)

    def _corrected(self, start: int, data: bytes) -> bytes:
        """The same with those sectors read again that differ."""
        changed = bytearray(data)
        for at in differing(compare(self._device, start, data)):
            changed[at - start : at - start + SECTOR] = self._proven_sector(at)
        return bytes(changed)

    def _proven_sector(self, at: int) -> bytes:
        """One sector, read until it has its CRC."""
        for _ in range(MAX_REREADS):
            data = self._sector(at)
            if self._device.crc(at, SECTOR) == wire_crc(data):
                return data
            self._device.data_differs(Stage.READ, f"the sector at {at:#x} arrived damaged")
        raise _unreadable(at, SECTOR)

    def _sector(self, at: int) -> bytes:
        data = self._device.read_sector(at)
        self._reached(at + SECTOR)
        return data


def _changed(start: int, length: int) -> VerifyError:
    """One flipped bit makes a request to read a sector one to erase it."""
    return VerifyError(
        f"the flash changed between {start:#x} and {start + length:#x} while it was read: a damaged request may have"
        " erased a sector there",
        offset=start,
        length=length,
        hint="compare with an earlier dump; then shorten the wires, and read at a lower baud rate",
    )


def _unreadable(start: int, length: int) -> VerifyError:
    return VerifyError(
        f"{length} bytes at {start:#x} do not come over without damage, however often they are read",
        offset=start,
        length=length,
        hint="lower the baud rate (max_baud=115200), shorten the wires; 'wattrail flash doctor' tests the line",
    )
