"""Is this the board of that journal? Identity first; where there is none, only the content of the flash counts.

What tells one board from another: its RF block (radio calibration and MAC address, made for each board at the factory).
The chip number, the flash's id, the code key in the eFuse and the flash's size are the same on thousands of boards, and
neither the boot ROM nor the bootloader gives the flash's unique number. So a board has an identity if its RF sector
holds an RF block with a MAC address of its own, and none if that sector is blank, torn, or holds anything else.

What tells a half-written board from every other one: the rest of its flash. Sectors that no session has touched hold
what the backup has, sectors that were proven hold what was wanted, and those that were touched hold the one, the
other, or are blank. Only those in which a session was cut may hold anything. Without an identity at least one of those
that are not proven has to differ from the backup: a board that shows no trace of a cut is a board of its own. Two
boards without identity that differ in nothing but what the cut write was to change cannot be told apart; the flash of
each is read into a file before it is written all the same.

    RF sector now                 RF sector in the journal   content   it is that board    backup it rests on
    identity, as before           anything                   fits      yes                 the kept one
    identity, as before           anything                   differs   yes, its firmware   a new one, marked
                                                                       ran meanwhile       half-written
    anything, not as before       touched                    fits      yes                 identity: the kept one;
                                                                                           none: read anew
    anything, not as before       touched                    differs   no                  a new one, its own
    anything, not as before       not touched                -         no                  a new one, its own
    no identity, as before        anything                   fits      yes                 read anew
    no identity, as before        anything                   differs   no                  a new one, its own
    any                           no intact backup           -         only with identity  a new one, marked
                                                             as before                     half-written

"Touched" means that the RF sector itself was noted before it was erased; that it lies in the same block of 64 KiB as
another sector is no excuse. A board without identity gets a folder for each session, and never the backups of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from wattrail.bootrom.geometry import SECTOR
from wattrail.bootrom.ranges import wire_crc
from wattrail.errors import FileError
from wattrail.files import read_bytes
from wattrail.flasher.journal import Unfinished
from wattrail.flasher.new_file import MAX_FLASH_BYTES
from wattrail.flasher.reader import blocks_of
from wattrail.flasher.survey import Span, blank_crc
from wattrail.flasher.target import Target

__all__ = ["Ask", "content_fits", "is_by_identity", "may_be"]

Ask = Callable[[int, int], int]
"""The chip's CRC of a range of whole sectors: start, length."""

_SECTOR_CRC_OF_BLANK: Final = blank_crc(SECTOR)


def is_by_identity(found: Unfinished, target: Target) -> bool:
    """Whether the RF block says so: it is as before the first write, or names the folder."""
    return target.has_identity and (found.rf_before == target.rf_crc or found.journal.folder.name == target.board)


def may_be(found: Unfinished, target: Target) -> bool:
    """Whether it is worth looking at the content: nothing that is known already speaks against it."""
    if found.backup is None:
        return False
    return found.rf_before == target.rf_crc or target.layout["rf"].start in found.sectors


def content_fits(found: Unfinished, target: Target, ask: Ask) -> bool:
    """Whether the flash is the one of its backup with what its sessions have done to it. Asks for CRCs only."""
    try:
        backup = read_bytes(found.backup, limit=MAX_FLASH_BYTES) if found.backup else b""
    except FileError:
        return False
    if len(backup) != target.size:
        return False
    touched = sorted(found.sectors)
    if not all(_sector_fits(found, backup, at, ask) for at in touched):
        return False
    if not target.has_identity and not _shows_a_cut(found, backup, ask):
        return False
    return all(
        _holds(ask, (start, length), {wire_crc(backup[start : start + length])})
        for start, length in _between(touched, target.size)
    )


def _shows_a_cut(found: Unfinished, backup: bytes, ask: Ask) -> bool:
    """Whether some sector that is not proven differs from the backup: without that, any board of that content fits."""
    return any(not _holds(ask, (at, SECTOR), {wire_crc(backup[at : at + SECTOR])}) for at in found.pending)


def _holds(ask: Ask, span: Span, fitting: set[int]) -> bool:
    """Asked twice before it is denied: an answer may be damaged."""
    return ask(*span) in fitting or ask(*span) in fitting


def _sector_fits(found: Unfinished, backup: bytes, at: int, ask: Ask) -> bool:
    sector = found.sectors[at]
    if sector.torn:
        return True
    fitting = set(sector.wanted)
    if not sector.proven:
        fitting |= {_SECTOR_CRC_OF_BLANK, wire_crc(backup[at : at + SECTOR])}
    return _holds(ask, (at, SECTOR), fitting)


def _between(touched: list[int], size: int) -> Iterator[Span]:
    """Everything that was not touched, cut at the borders of blocks."""
    start = 0
    for at in (*touched, size):
        if at > start:
            yield from blocks_of(start, at - start)
        start = at + SECTOR
