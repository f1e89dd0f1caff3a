"""Finding by content what a flash holds, and whether it is where it belongs.

RBL headers, damage in code, what earlier apps left, settings; then the length of a dump, the place of its RF block, and
that of the sector with Tuya's key. A byte that was lost on the way makes everything behind it stand a byte early, so
the RF block is looked for at every byte, by its structure: its four letters alone stand in the code of every firmware
as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final

from wattrail.bk7231 import APP_START, Chip
from wattrail.errors import ImageError
from wattrail.image import rbl, rf
from wattrail.image.code import PACKED, CodeKey, check, crypt, grid_shift, strip, to_logical, without_blank_end
from wattrail.image.layout import FLASH, LAYOUTS, SECTOR
from wattrail.image.limits import MAX_CHECKED_HEADERS, MAX_HEADERS, MAX_RECORDS
from wattrail.image.model import Container, Problem, rbl_of
from wattrail.image.rbl import PACKED_HEADER
from wattrail.image.rf import RfBlock
from wattrail.image.tuya_cipher import KEY_SECTOR_MARK, KEY_SECTOR_MARK_AT, KEY_SECTOR_PLACES
from wattrail.openbeken import MAGIC as OPENBEKEN_MAGIC

__all__ = [
    "code_problems",
    "containers",
    "find_rf",
    "length_problems",
    "place_problems",
    "remains",
    "settings",
]

_STARTS: Final = {"bootloader": 0, "app": APP_START}
_SEEN_BEYOND: Final = PACKED * 64


def containers(flash: bytes, base: int, key: CodeKey | None = None) -> tuple[Container, ...]:
    """Every RBL header whose own checksum holds, packed or not, with what is wrong in what it stands for.

    Several headers of one partition are held against the code before them until one fits. One that fits the code
    right behind another header closes a program of its own: production images hold several, end to end.
    """
    checked: dict[str, list[Container]] = {}
    found: list[Container] = []
    for at, header, packed in _headers(flash):
        if not packed:
            faults = rbl.package_faults(flash[at : at + rbl.HEADER + header.package_size])
            found.append(Container(base + at, header, packed, faults))
            continue
        mine = checked.setdefault(header.name, [])
        container = Container(base + at, header, packed, stale=True)
        if header.name not in _STARTS and _follows(flash, base, container, found, key):
            container = replace(container, stale=False)
        elif len(mine) < MAX_CHECKED_HEADERS and all(other.faults for other in mine):
            container = replace(container, stale=False, faults=_stored(flash, base, at, header, key))
            mine.append(container)
        # Each check hashes a whole program: a file full of headers must not ask for many.
        elif len(found) < MAX_CHECKED_HEADERS * MAX_CHECKED_HEADERS and _follows(flash, base, container, found, key):
            container = replace(container, stale=False)
        found.append(container)
    fitting = {name for name, mine in checked.items() if any(not other.faults for other in mine)}
    return tuple(_stale(c) if c.packed and c.faults and c.header.name in fitting else c for c in found)


def _follows(flash: bytes, base: int, container: Container, found: list[Container], key: CodeKey | None) -> bool:
    """Whether the code right behind the last header is what this one closes."""
    before = next((c.offset + rbl.PACKED_HEADER for c in reversed(found) if c.packed), None)
    # The processor counts blocks from 0 of the flash. Of a dump twice over in one file the second is off that grid.
    if before is None or before % PACKED:
        return False
    code = strip(flash[before - base : container.offset - base])
    return bool(code) and not _faults(container.header, code, to_logical(before), key)


def _stale(container: Container) -> Container:
    return replace(container, faults=(), stale=True)


def _headers(flash: bytes) -> Iterator[tuple[int, rbl.RblHeader, bool]]:
    """Offset, header, and whether it is packed, of all whose own checksum holds."""
    at = -1
    for _ in range(MAX_HEADERS):
        at = flash.find(rbl.MAGIC, at + 1)
        if at < 0:
            return
        # The same header stands packed at the end of a partition, and plain in the download area.
        for packed, text in ((True, strip(flash[at : at + rbl.PACKED_HEADER])), (False, flash[at : at + rbl.HEADER])):
            with suppress(ImageError):  # four letters by chance, or the other way of storing it
                yield at, rbl.decode_header(text), packed


def _stored(flash: bytes, base: int, at: int, header: rbl.RblHeader, key: CodeKey | None) -> tuple[str, ...]:
    start = _STARTS.get(header.name)
    if start is None:
        return (f"name: {header.name!r} is not a partition with a container in flash",)
    if start < base or start > base + at:
        return ("its code is not in this file",)
    return _faults(header, strip(flash[start - base : at]), to_logical(start), key)


def _faults(header: rbl.RblHeader, code: bytes, address: int, key: CodeKey | None) -> tuple[str, ...]:
    """Hold a header against the enciphered code before it; the header of an update, against the plain code."""
    if not header.is_of_update:
        return rbl.stored_faults(header, code)
    if key is None:
        return ()  # of an update, only the plain code can be checked
    return rbl.updated_faults(header, crypt(code, key, address))


def code_problems(flash: bytes, base: int, found: tuple[Container, ...]) -> Iterator[Problem]:
    """Bad blocks in the bootloader and in the app; ``offset`` is where in flash.

    A header says how long its code is. What stands between that and the header is not in use: an update erases whole
    sectors, so behind a shorter app an older one goes on in the next sector.
    """
    for name, start in _STARTS.items():
        # T's app partition is the longer one; without a header nothing says which of the two it is.
        end = APP_START if name == "bootloader" else min(base + len(flash), LAYOUTS[Chip.T]["app"].end)
        if start < base or start >= base + len(flash):
            continue
        header = rbl_of(found, name)
        code = flash[start - base : (min(header.offset, start + header.code_length) if header else end) - base]
        yield from _damage(name, start, code if header else _up_to_last_good(code))


def remains(flash: bytes, base: int, found: tuple[Container, ...]) -> Iterator[str]:
    """What is left of an earlier app between the end of the code in use and its header."""
    app = rbl_of(found, "app")
    if app is None or app.faults or base > APP_START:
        return
    end = APP_START + app.code_length
    left = without_blank_end(flash[end - base : app.offset - base])
    if left and check(left).good:
        yield f"from {end:#x} to {end + len(left):#x}: code that an earlier app left there, not in use"


def _up_to_last_good(code: bytes) -> bytes:
    """Without a header nothing says where code ends: it ends where no block behind holds any more."""
    code = without_blank_end(code)
    low, high = 0, len(code) // PACKED
    while low < high:  # at least one good block in the upper half moves the lower end up
        middle = (low + high) // 2
        if check(code[middle * PACKED : high * PACKED]).good:
            low = middle + 1
        else:
            high = middle
    return code[: low * PACKED]


def _damage(name: str, start: int, code: bytes) -> Iterator[Problem]:
    result = check(code)
    if result.first_bad is None:
        if result.tail and code[-result.tail :].strip(b"\xff"):
            yield Problem(f"{name}: {result.tail} bytes of a block of {PACKED} before its end", start + len(code))
        return
    at = result.first_bad * PACKED
    yield Problem(
        f"block {result.first_bad} of the {name}: {result.fault}; {result.bad} of {result.blocks} are bad", start + at
    )
    shift = grid_shift(code[at + PACKED : at + PACKED + _SEEN_BEYOND])
    if shift:
        yield Problem(
            f"{name}: from there on every block stands {shift} bytes too late, or {PACKED - shift} too early: "
            "bytes were added or lost",
            start + at,
        )


def settings(flash: bytes, base: int) -> Iterator[str]:
    """Settings of firmwares that were recognised."""
    for start in sorted({layout["config"].start for layout in LAYOUTS.values()}):
        sector = flash[start - base : start - base + 8] if start >= base else b""
        if sector.startswith(OPENBEKEN_MAGIC):
            yield f"OpenBeken settings, version {int.from_bytes(sector[4:8], 'little')}, at {start:#x}"
    at = flash.find(KEY_SECTOR_MARK)
    if at >= 0:
        yield f"Tuya settings, their key at {base + at - KEY_SECTOR_MARK_AT:#x}"


# ---- is it where it belongs?

RF_PLACES: Final = tuple(sorted({layout["rf"].start for layout in LAYOUTS.values()}))


def find_rf(flash: bytes, base: int) -> tuple[int, RfBlock] | None:
    """Where the RF block stands in flash and what it says: on a sector, else anywhere behind the bootloader."""
    on_sectors = (at for at in range(-base % SECTOR, len(flash), SECTOR) if flash.startswith(rf.MAGIC, at))
    for at in (*on_sectors, *_anywhere(flash, max(0, APP_START - base))):
        try:
            block = rf.decode_rf(flash[at : at + SECTOR])
        except ImageError:
            continue
        if block.group_length and block.elements[0][0] == rf.GROUP:
            return base + at, block
    return None


def _anywhere(flash: bytes, at: int) -> Iterator[int]:
    begin = rf.MAGIC
    for _ in range(MAX_RECORDS):
        at = flash.find(begin, at)
        if at < 0:
            return
        yield at
        at += 1


def length_problems(length: int) -> Iterator[Problem]:
    """What is wrong with the length of a dump."""
    # A dump may lack a sector and look whole otherwise (tuya-cloudcutter #662).
    if length < FLASH:
        yield Problem(f"{length:#x} bytes: a dump of 2 MiB has {FLASH:#x}, {FLASH - length} are missing")
    elif length % FLASH:
        yield Problem(f"{length:#x} bytes: no flash has this size, {length % FLASH} are too many")


def place_problems(
    flash: bytes, base: int, rf_at: int | None, chip: Chip | None, found: tuple[Container, ...]
) -> Iterator[Problem]:
    """What the places of the RF block and of Tuya's key say about a dump: lost, missing, or shifted by how much."""
    places = (LAYOUTS[chip]["rf"].start,) if chip else RF_PLACES
    # Up to the end of a program whose sums hold nothing can have been lost.
    safe = max((c.offset + PACKED_HEADER for c in found if c.packed and not c.stale and not c.faults), default=base)
    if rf_at is not None and rf_at not in RF_PLACES:
        what = f"the RF block belongs at {' or '.join(f'{place:#x}' for place in places)}"
        # One loss is reported once: the key behind it stands as many bytes early.
        yield _shifted(what, rf_at, places, safe)
        return
    key_at = flash.find(KEY_SECTOR_MARK) - KEY_SECTOR_MARK_AT
    if key_at >= 0 and (base + key_at) % SECTOR:
        place = KEY_SECTOR_PLACES[chip or Chip.N]
        yield _shifted(f"the key of Tuya's settings belongs at {place:#x}", base + key_at, (place,), safe)
    if rf_at is None and base + len(flash) >= places[-1] + SECTOR:
        yield Problem("no RF block anywhere: calibration and MAC address of this board are lost, or were not read")


def _shifted(what: str, at: int, places: tuple[int, ...], safe: int) -> Problem:
    near = min(places, key=lambda place: abs(place - at))
    count, how = abs(near - at), "missing" if near > at else "too many"
    said = f"1 byte before it is {how}" if count == 1 else f"{count} bytes before it are {how}"
    where = f"between {safe:#x} and {at:#x}" if safe < at else "before it"
    return Problem(f"{what}: {said}, {where}; read the flash again", at)
