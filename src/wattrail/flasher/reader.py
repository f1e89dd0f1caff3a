"""Reading flash: what the chip's CRC vouches for, and nothing else. What is known already is not read.

Each block's CRC is asked first. If it is that of a blank block, or of bytes somebody has at hand (an earlier backup,
the half of one that was cut short), the block is done for 24 bytes of wire. Otherwise its sectors are read and the same
CRC judges them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wattrail.bootrom.geometry import ERASE_64K, SECTOR
from wattrail.bootrom.ranges import wire_crc
from wattrail.errors import VerifyError
from wattrail.flasher.access import FlashAccess
from wattrail.flasher.survey import Found, Span, Survey, blank_crc, differing, survey

__all__ = ["Known", "blocks_of", "compare", "read_flash"]

BLOCK: Final = ERASE_64K.span
REREADS: Final = 20
"""How often one sector is read before it is given up: at four damaged ones in five that still succeeds."""

TURNS: Final = 5
"""Turns of comparing a block that was read with its CRC: each but the first only because a CRC was damaged."""

BLANK_END: Final = 64
"""A sector that ends in this many erased bytes: what follows may be blank, and one CRC tells."""

Step = Callable[[int, bytes], None]
"""Told of each finished block: its address, its bytes."""


@dataclass(frozen=True, slots=True)
class Known:
    """Bytes that may still stand in flash from ``start`` on; every use of them is vouched for by a CRC."""

    start: int
    data: bytes

    def at(self, start: int, length: int) -> bytes | None:
        """The bytes of a range, None if they do not cover it."""
        place = start - self.start
        if place < 0 or place + length > len(self.data):
            return None
        return self.data[place : place + length]


def blocks_of(start: int, length: int) -> Iterator[Span]:
    """The range cut at the borders of 64 KiB."""
    end = start + length
    while start < end:
        border = min(end, (start // BLOCK + 1) * BLOCK)
        yield start, border - start
        start = border


def compare(
    access: FlashAccess, start: int, want: bytes, *, exact: bool = False, expect_new: bool = False
) -> dict[int, Found]:
    """How each sector from ``start`` on compares with ``want``, whole sectors, at most a block; see ``survey``."""
    return _answer(access, survey(start, want, exact=exact, expect_new=expect_new))


def read_flash(
    access: FlashAccess, start: int, length: int, *, known: Sequence[Known] = (), done: Step | None = None
) -> bytes:
    """Whole sectors from ``start`` on. Raises VerifyError for a block that never matches its CRC, LinkFailed."""
    whole = bytearray()
    for at, size in blocks_of(start, length):
        block = _read_block(access, at, size, known)
        whole += block
        access.reached(at + size)
        if done is not None:
            done(at, block)
    return bytes(whole)


def _read_block(access: FlashAccess, start: int, length: int, known: Sequence[Known]) -> bytes:
    doubts = access.doubts
    crc = access.sure_crc(start, length) if doubts else access.crc(start, length)
    if crc == blank_crc(length):
        return b"\xff" * length
    guesses = [guess for one in known if (guess := one.at(start, length)) is not None]
    for guess in guesses:
        if wire_crc(guess) == crc:
            return guess
    data = _better(access, start, guesses[0]) if guesses else _fresh(access, start, length)
    if wire_crc(data) == crc:
        return data
    sure = access.sure_crc(start, length)
    if sure != crc and access.doubts != doubts:
        raise _changed(start, length)
    return _mended(access, start, data, sure)


def _mended(access: FlashAccess, start: int, data: bytes, crc: int) -> bytes:
    """A block of which some sector arrived damaged."""
    for _ in range(TURNS):
        if wire_crc(data) == crc:
            return data
        data = _replaced(access, start, data, differing(compare(access, start, data)))
    raise _hopeless(start, len(data))


def _fresh(access: FlashAccess, start: int, length: int) -> bytes:
    """Sector by sector; once, where a sector ends blank, a CRC asks whether the rest is."""
    data, asked = bytearray(), False
    while len(data) < length:
        data += access.sector(start + len(data))
        rest = length - len(data)
        if rest and not asked and not data[-BLANK_END:].strip(b"\xff"):
            asked = True
            if access.crc(start + len(data), rest) == blank_crc(rest):
                data += b"\xff" * rest
    return bytes(data)


def _better(access: FlashAccess, start: int, guess: bytes) -> bytes:
    """A guess with those sectors read that differ."""
    return _replaced(access, start, guess, differing(compare(access, start, guess)))


def _replaced(access: FlashAccess, start: int, data: bytes, sectors: Sequence[int]) -> bytes:
    changed = bytearray(data)
    for at in sectors:
        changed[at - start : at - start + SECTOR] = _sure_sector(access, at)
    return bytes(changed)


def _sure_sector(access: FlashAccess, at: int) -> bytes:
    """One sector, read until it has its CRC."""
    for _ in range(REREADS):
        data = access.sector(at)
        if access.crc(at, SECTOR) == wire_crc(data):
            return data
        access.mismatch(at)
    raise _hopeless(at, SECTOR)


def _changed(start: int, length: int) -> VerifyError:
    """One flipped bit makes a request to read a sector one to erase it."""
    return VerifyError(
        f"the flash changed between {start:#x} and {start + length:#x} while it was read: a damaged request may have"
        " erased a sector there",
        offset=start,
        length=length,
        hint="compare with an earlier dump; then shorten the wires, and read at a lower baud rate",
    )


def _hopeless(start: int, length: int) -> VerifyError:
    return VerifyError(
        f"{length} bytes at {start:#x} do not come over without damage, however often they are read",
        offset=start,
        length=length,
        hint="lower the baud rate (--baud 115200), shorten the wires; 'wattrail flash doctor' tests the line",
    )


def _answer(access: FlashAccess, questions: Survey) -> dict[int, Found]:
    span = next(questions)
    while True:
        try:
            span = questions.send(access.crc(*span))
        except StopIteration as done:
            return dict(done.value)
