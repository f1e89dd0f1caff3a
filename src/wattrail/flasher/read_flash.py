"""Reading flash: what the chip's CRCs confirm, and nothing else. What is known already is not read.

Each block's CRC is asked first. If it is that of a blank block, or of bytes that are at hand (an earlier backup,
the half of one that was cut short), the block is done for 24 bytes of wire. Otherwise its sectors are read and the same
CRC judges them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from wattrail.bootrom.geometry import SECTOR
from wattrail.bootrom.ranges import wire_crc
from wattrail.errors import VerifyError, WriteRefused
from wattrail.flasher.backup_store import BoardFolder, BoardHome
from wattrail.flasher.backups import Backup, KnownBytes
from wattrail.flasher.crc_compare import SectorState, blank_crc, blocks_of, crc_queries, differing
from wattrail.flasher.device import FlashDevice
from wattrail.flasher.events import BackedUp, ProgressCounter
from wattrail.flasher.exclusive_file import PartFile
from wattrail.flasher.session_statistics import Stage

__all__ = ["FlashReader", "compare", "take_backup"]

MAX_REREADS: Final = 20
"""How often one sector is read before it is given up: at four damaged ones in five that still succeeds."""

MAX_TURNS: Final = 5
"""Turns of comparing a block that was read with its CRC: each but the first only because a CRC was damaged."""

BLANK_END: Final = 64
"""A sector that ends in this many erased bytes: what follows may be blank, and one CRC tells."""


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
                into.put(at, block)
        return bytes(whole)

    def _reached(self, address: int) -> None:
        if self._progress is not None:
            self._progress.reached(address)

    def _block(self, start: int, length: int) -> bytes:
        faults = self._device.fault_generation
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


def take_backup(
    device: FlashDevice,
    home: BoardHome | None,
    path: Path | None,
    *,
    known: Sequence[KnownBytes] = (),
    half_written: bool = False,
    before_write: bool = False,
) -> Backup:
    """Read the whole flash into a file, which appears under its name only when it is whole and holds what was read.

    Without a ``path`` it goes into the board's folder, where no second file is made of a content that is kept there
    already. ``before_write``: the board's folder lists the file wherever it is. Until it is whole the file grows beside
    its place, and what stands there already is taken where the chip's CRC agrees. Raises ValueError for a backup with
    no place, WriteRefused for a file that exists, FileError for one that cannot be used or that another process holds,
    VerifyError for a flash that reads as nothing but 00: that is a dead line, not a backup.
    """
    is_listed = path is None or before_write
    folder = (home.locked() if is_listed else home.folder) if home is not None else None
    place = path or folder
    if place is None:
        raise ValueError("a backup needs a path, or a flasher with a folder")
    if path is not None and path.exists():
        raise WriteRefused(
            f"{path} exists already, and a backup replaces nothing", risk="", hint="name another file for the backup"
        )
    origin = folder.backups.next_origin(half_written=half_written) if folder is not None else "later"
    part = place.part if isinstance(place, BoardFolder) else place.with_name(f"{place.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with PartFile(part) as file:
        begun = [KnownBytes(0, file.begun)] if file.begun else []
        data = _whole_flash(device, file, [*known, *(folder.likely() if folder is not None else ()), *begun])
        kept = home.kept_with(data, half_written=half_written) if home is not None and path is None else None
        if kept is not None:
            file.discard()
            backup = Backup(kept.path, data, is_new=False)
        else:
            new = place if isinstance(place, Path) else place.backups.name(data, origin, simulated=device.simulated)
            file.publish(new, data)
            backup = Backup(new, data)
    if home is not None and backup.is_new and is_listed:
        home.note(backup, origin)
    device.sink(BackedUp(backup.path, backup.sha256))
    return backup


def _whole_flash(device: FlashDevice, file: PartFile, known: Sequence[KnownBytes]) -> bytes:
    size, faults = device.target.size, device.fault_generation
    data = FlashReader(device, known).read(0, size, into=file)
    if device.fault_generation != faults:
        _prove(device, data)
    if set(data) == {0}:
        raise VerifyError(
            "the flash reads as nothing but 00: that is a dead line, not a backup",
            offset=0,
            length=size,
            hint="check the wires and the supply; write without a backup only if the flash really holds nothing but 00",
        )
    return data


def _prove(device: FlashDevice, data: bytes) -> None:
    """After a lost link: every block still there? Another board may have been put on the wires meanwhile."""
    for start, length in blocks_of(0, len(data)):
        if device.agreed_crc(start, length) != wire_crc(data[start : start + length]):
            raise VerifyError(
                f"the flash between {start:#x} and {start + length:#x} is not what was read before the link was lost",
                offset=start,
                length=length,
                hint="leave the board on the wires, and repeat the command",
            )


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
