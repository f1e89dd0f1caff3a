"""Finding by content what a flash holds: RBL headers, damage in code, the RF block, settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final

from wattrail.errors import ImageError
from wattrail.image import rbl, rf
from wattrail.image.layout import APP, FLASH, LAYOUTS, SECTOR, Chip
from wattrail.image.limits import CHECKS_MOST, HEADERS_MOST
from wattrail.image.model import Container, Problem
from wattrail.image.packing import PACKED, check, grid_shift, strip, without_blank_end
from wattrail.image.rf import RfBlock

__all__ = ["RF_PLACES", "code_problems", "containers", "rf_block", "rf_problems", "settings"]

RF_PLACES: Final = {LAYOUTS[chip]["rf"].start: chip for chip in (Chip.N, Chip.T)}

_TUYA_KEY_SECTOR: Final = bytes.fromhex("46dced0e672f3b70ae1276a3f8712e03")
"""16 bytes of FF under Tuya's master key: they follow 32 bytes into the sector that holds the key of the settings."""

_STARTS: Final = {"bootloader": 0, "app": APP}
_SEEN_BEYOND: Final = PACKED * 64


def containers(flash: bytes, base: int) -> tuple[Container, ...]:
    """Every RBL header whose own checksum holds, packed or not, with what is wrong in what it stands for."""
    checked: dict[str, list[Container]] = {}
    found = []
    for at, header, packed in _headers(flash):
        mine = checked.setdefault(header.name, [])
        if not packed:
            faults = rbl.package_faults(flash[at : at + rbl.HEADER + header.package_size])
            found.append(Container(base + at, header, packed, faults))
        elif len(mine) == CHECKS_MOST or any(not other.faults for other in mine):
            found.append(Container(base + at, header, packed, stale=True))
        else:
            mine.append(Container(base + at, header, packed, _stored(flash, base, at, header)))
            found.append(mine[-1])
    fitting = {name for name, mine in checked.items() if any(not other.faults for other in mine)}
    return tuple(_stale(c) if c.packed and c.faults and c.header.name in fitting else c for c in found)


def _stale(container: Container) -> Container:
    return replace(container, faults=(), stale=True)


def _headers(flash: bytes) -> Iterator[tuple[int, rbl.RblHeader, bool]]:
    """Offset, header, and whether it is packed, of all whose own checksum holds."""
    at = -1
    for _ in range(HEADERS_MOST):
        at = flash.find(rbl.MAGIC, at + 1)
        if at < 0:
            return
        for packed, text in ((True, strip(flash[at : at + rbl.PACKED_HEADER])), (False, flash[at : at + rbl.HEADER])):
            with suppress(ImageError):  # four letters by chance, or the other way of storing it
                yield at, rbl.decode_header(text), packed


def _stored(flash: bytes, base: int, at: int, header: rbl.RblHeader) -> tuple[str, ...]:
    start = _STARTS.get(header.name)
    if start is None:
        return (f"name: {header.name!r} is no partition with a container in flash",)
    if start < base or start > base + at:
        return ("its code is not in this file",)
    return rbl.stored_faults(header, strip(flash[start - base : at]))


def code_problems(flash: bytes, base: int, found: tuple[Container, ...]) -> Iterator[Problem]:
    """Bad blocks in the bootloader and in the app; ``offset`` is where in flash."""
    for name, start in _STARTS.items():
        end = APP if name == "bootloader" else min(base + len(flash), LAYOUTS[Chip.T]["app"].end)
        if start < base or start >= base + len(flash):
            continue
        header = next((c.offset for c in found if c.packed and not c.stale and c.header.name == name), None)
        code = flash[start - base : (header or end) - base]
        yield from _damage(name, start, code if header else _up_to_last_good(code))


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


def rf_block(flash: bytes, base: int) -> tuple[int, RfBlock] | None:
    """Where the RF block stands in flash and what it says, looked for on every sector."""
    for at in range(-base % SECTOR, len(flash), SECTOR):
        if flash.startswith(rf.MAGIC, at):
            try:
                return base + at, rf.decode_rf(flash[at : at + SECTOR])
            except ImageError:
                continue
    return None


def rf_problems(at: int | None, length: int) -> Iterator[Problem]:
    """What the place of the RF block says about a dump of so many bytes."""
    if at is None and length >= max(RF_PLACES) + SECTOR:
        yield Problem("no RF block anywhere: calibration and MAC address of this board are lost, or were not read")
    elif at is not None and at not in RF_PLACES:
        places = " or ".join(f"{place:#x}" for place in RF_PLACES)
        near = min(RF_PLACES, key=lambda place: abs(place - at))
        what = "missing" if near > at else "too many"
        yield Problem(f"the RF block belongs at {places}: {abs(near - at)} bytes before it are {what}", at)


def length_problems(length: int) -> Iterator[Problem]:
    """What is wrong with the length of a dump."""
    if length < FLASH:
        yield Problem(f"{length:#x} bytes: a dump of 2 MiB has {FLASH:#x}, {FLASH - length} are missing")
    elif length % FLASH:
        yield Problem(f"{length:#x} bytes: no flash has this size, {length % FLASH} are too many")


def settings(flash: bytes, base: int) -> Iterator[str]:
    """Settings of firmwares that were recognised, in words."""
    for start in sorted({LAYOUTS[chip]["config"].start for chip in RF_PLACES.values()}):
        sector = flash[start - base : start - base + 8] if start >= base else b""
        if sector[:3] == b"CFG":
            yield f"OpenBeken settings, version {int.from_bytes(sector[4:8], 'little')}, at {start:#x}"
    at = flash.find(_TUYA_KEY_SECTOR)
    if at >= 0:
        yield f"Tuya settings, their key at {base + at - 32:#x}"
