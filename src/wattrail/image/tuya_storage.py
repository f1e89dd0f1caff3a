"""Tuya's key-value storage: its sectors, and the values that are put together from their pages.

Behind the key sector come sectors of 32 pages of 128 bytes. The first page says which block the sector is a version of;
a block's newest version has the highest generation, older ones stand by for the next change. Some of the other pages
are indexes: a name, and which pages of which blocks hold its value. Each sector and each value has a sum of its bytes,
so a sector that was cut off while it was written, or misread, costs no value whose pages are whole.

    sector  0 magic u32   4 sum u32   8 block u16   10 generation u32   14 bytes of map u8   15 map of index pages
    index   0 sum u32     4 length u32   8 block u16   10 page u8   11 parts u16   17 length of the name u8   18 name
            then for each part: block u16, first page u8, last page u8

Source: bk7231-image/tuya-storage.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final

from wattrail.errors import ImageError
from wattrail.image.layout import SECTOR
from wattrail.image.model import Problem
from wattrail.image.tuya_cipher import KEY_SECTOR_PLACES, data_key, decipher, find_key_sectors
from wattrail.image.tuya_values import StoredValue, Value

__all__ = ["StorageSector", "StorageSectorState", "TuyaStorage", "read_storage"]

PAGE: Final = 128
PAGES: Final = SECTOR // PAGE
MAX_SECTORS: Final = 64
"""Sectors looked at behind the one with the key: 17 on N and T, 20 on Q."""

VARIANTS: Final[Mapping[int, str]] = MappingProxyType({0x98761234: "SDK 1 or 2", 0x135726AB: "TuyaOS 3"})
"""Which firmware writes sectors with this magic number."""

_SECTOR_HEAD: Final = struct.Struct("<IIHIB4s")
# The u32 near its end is an address in the RAM of whoever wrote it, and means nothing here.
_INDEX_HEAD: Final = struct.Struct("<IIHBHIB")
_PART: Final = struct.Struct("<HBB")
_MIN_DISTINCT: Final = 200
"""Different bytes in a sector from which on it counts as enciphered: random ones have all 256, text under 100."""

_MIN_REPEATS: Final = 64
_MIN_IN_BLOCK: Final = 10
"""Of the block that erased pages become under a key: how often at least, and how many different bytes it has."""


class StorageSectorState(Enum):
    """What became of a sector of the storage."""

    LIVE = "live"
    OLD = "older version"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    BLANK = "blank"


@dataclass(frozen=True, slots=True)
class StorageSector:
    """One sector. ``block`` and ``generation`` are None where it does not decipher."""

    offset: int
    state: StorageSectorState
    block: int | None = None
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class TuyaStorage:
    """A storage area, read. Offsets are those of the bytes that were given."""

    key_at: int
    variant: str
    sectors: tuple[StorageSector, ...]
    values: tuple[StoredValue, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def end(self) -> int:
        """Offset behind the last sector."""
        return max((s.offset for s in self.sectors), default=self.key_at) + SECTOR

    def get(self, name: str) -> Value:
        """A value by name; None where there is none, or a damaged one."""
        return next((v.value for v in self.values if v.name == name and v.problem is None), None)


@dataclass(frozen=True, slots=True)
class _Version:
    """One sector that deciphers."""

    offset: int
    block: int
    generation: int
    variant: str
    is_whole: bool
    pages: bytes = field(repr=False)
    indexes: int

    def page(self, number: int) -> bytes:
        return self.pages[number * PAGE : (number + 1) * PAGE]


@dataclass(frozen=True, slots=True)
class _Index:
    name: str
    total: int
    length: int
    parts: tuple[tuple[int, int, int], ...]
    version: _Version


def read_storage(data: bytes, base: int = 0) -> TuyaStorage:
    """Find the storage in some bytes of flash, and read it. ``base`` is where in flash they begin.

    Raises ImageError saying which is true: there is none, its key is erased, it is under a key that is not known.
    """
    whole_key = False
    for key_at, inner in find_key_sectors(data):
        whole_key = True
        read = _read(data, key_at, data_key(inner))
        if read is not None:
            return read
    raise _refusal(data, base, whole_key=whole_key)


def _read(data: bytes, key_at: int, key: bytes) -> TuyaStorage | None:
    """The storage behind a key sector; None where no sector opens with that key."""
    found: dict[int, _Version | None] = {}
    # As a rule 17: 14 in use, and 3 into which the next version of a block is written.
    # Source: bk7231-image/tuya-storage.
    for number in range(1, MAX_SECTORS + 1):
        at = key_at + number * SECTOR
        stored = data[at : at + SECTOR]
        if len(stored) < PAGE:
            break
        found[at] = _decode_sector(at, decipher(key, stored))
    opened = [version for version in found.values() if version is not None]
    if not opened:
        return None
    last = max(version.offset for version in opened)
    chosen = _newest(opened)
    sectors = tuple(_described(data, at, found[at], chosen) for at in found if at <= last)
    values = tuple(_values(opened, chosen))
    missing = sorted(set(range(max(chosen))) - chosen.keys())
    gaps = (Problem(_not_here(missing), key_at),) if missing else ()
    problems = (
        *_sector_problems(sectors),
        *gaps,
        *(Problem(f"{v.name}: {v.problem}", key_at) for v in values if v.problem),
    )
    return TuyaStorage(key_at, opened[0].variant, sectors, values, problems)


def _not_here(blocks: list[int]) -> str:
    if len(blocks) == 1:
        return f"block {blocks[0]} of the settings is not here: erased, or not read"
    return f"blocks {_listed(blocks)} of the settings are not here: erased, or not read"


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:MAX_SECTORS]))
    return shown if len(numbers) <= MAX_SECTORS else f"{shown} and {len(numbers) - MAX_SECTORS} more"


def _decode_sector(at: int, plain: bytes) -> _Version | None:
    magic, total, block, generation, map_bytes, bits = _SECTOR_HEAD.unpack_from(plain.ljust(PAGE, b"\0"))
    if magic not in VARIANTS:
        return None
    is_whole = len(plain) == SECTOR and total == sum(plain[8:])
    indexes = int.from_bytes(bits[: min(map_bytes, 4)], "little")
    return _Version(at, block, generation, VARIANTS[magic], is_whole, plain, indexes)


def _newest(opened: Iterable[_Version]) -> dict[int, _Version]:
    """The version of each block that holds: the newest whole one, the newest of all where none is whole."""
    # bk7231tools takes the first copy that it meets, and gave stale values of a TuyaOS 3.3.44.
    # Source: bk7231-image/tuya-storage.
    chosen: dict[int, _Version] = {}
    for version in opened:
        other = chosen.get(version.block)
        if other is None or (version.is_whole, version.generation) > (other.is_whole, other.generation):
            chosen[version.block] = version
    return chosen


def _described(data: bytes, at: int, version: _Version | None, chosen: Mapping[int, _Version]) -> StorageSector:
    if version is None:
        blank = not data[at : at + SECTOR].strip(b"\xff")
        return StorageSector(at, StorageSectorState.BLANK if blank else StorageSectorState.UNREADABLE)
    state = StorageSectorState.LIVE if chosen[version.block] is version else StorageSectorState.OLD
    return StorageSector(
        at, state if version.is_whole else StorageSectorState.DAMAGED, version.block, version.generation
    )  # fmt: skip


def _sector_problems(sectors: Iterable[StorageSector]) -> Iterator[Problem]:
    for sector in sectors:
        if sector.state is StorageSectorState.DAMAGED:
            yield Problem(
                f"block {sector.block} of the settings, generation {sector.generation}: the sum of its bytes does not "
                "hold; it was cut off while it was written, or misread",
                sector.offset,
            )
        elif sector.state is StorageSectorState.UNREADABLE:
            yield Problem("a sector of the settings does not decipher: overwritten, or misread", sector.offset)


# ---- values


def _values(opened: Iterable[_Version], chosen: Mapping[int, _Version]) -> Iterator[StoredValue]:
    """Every value once. What only a damaged sector holds is taken where its own sum holds."""
    damaged = [version for version in opened if not version.is_whole and chosen[version.block] is not version]
    candidates: dict[str, list[_Index]] = {}
    for version in (*sorted(chosen.values(), key=lambda v: (v.is_whole, v.generation), reverse=True), *damaged):
        for index in _indexes(version):
            candidates.setdefault(index.name, []).append(index)
    for name in sorted(candidates):
        value = _best(name, candidates[name], chosen)
        if value is not None:
            yield value


def _best(name: str, indexes: Iterable[_Index], chosen: Mapping[int, _Version]) -> StoredValue | None:
    first: StoredValue | None = None
    for index in indexes:
        for versions in (chosen, {**chosen, index.version.block: index.version}):
            data, problem = _assemble(index, versions)
            if problem is None:
                return StoredValue(name, data)
            # A name that only a damaged sector holds, and whose bytes do not hold either, may be chance.
            if first is None and (index.version.is_whole or chosen[index.version.block] is index.version):
                first = StoredValue(name, data, problem)
    return first


def _indexes(version: _Version) -> Iterator[_Index]:
    for number in range(1, PAGES):
        page = version.page(number)
        if not version.indexes >> number & 1 or len(page) < PAGE:
            continue
        total, length, block, own, parts, _, name_bytes = _INDEX_HEAD.unpack_from(page)
        begin = _INDEX_HEAD.size + name_bytes
        # An index names its own place: bytes that only look like one do not. Source: bk7231-image/tuya-storage
        if (block, own) != (version.block, number) or not name_bytes or begin + parts * _PART.size > PAGE:
            continue
        name = page[_INDEX_HEAD.size : begin].partition(b"\0")[0].decode("utf-8", "backslashreplace")
        places = tuple(_PART.unpack_from(page, begin + i * _PART.size) for i in range(parts))
        yield _Index(name, total, length, places, version)


def _assemble(index: _Index, versions: Mapping[int, _Version]) -> tuple[bytes, str | None]:
    """The bytes of a value, and what is wrong with them."""
    pages = bytearray()
    for block, first, last in index.parts:
        version = versions.get(block)
        if version is None:
            return bytes(pages), f"a part of it is in block {block}, which is not here"
        pages += version.pages[first * PAGE : (last + 1) * PAGE]
    data = bytes(pages[: index.length])
    if len(data) < index.length:
        return data, f"{len(data)} of its {index.length} bytes are there"
    if sum(data) & 0xFFFFFFFF != index.total:
        return data, f"its bytes add up to {sum(data):#x}, the index says {index.total:#x}"
    return data, None


# ---- why there is nothing to read


def _refusal(data: bytes, base: int, *, whole_key: bool) -> ImageError:
    if whole_key:
        return ImageError(
            "Tuya's settings: their key sector is whole, but no sector behind it opens with that key",
            hint="they are another board's, or a TuyaOS wrote them that makes its key another way",
        )
    for place in dict.fromkeys(KEY_SECTOR_PLACES.values()):
        at = place - base
        if 0 <= at < len(data) and (count := _enciphered(data, at + SECTOR)):
            if data[at : at + SECTOR].strip(b"\xff"):
                return ImageError(
                    f"Tuya's settings: {count} enciphered sectors from {place:#x}, and the master key that is known "
                    "does not open the first",
                    offset=at,
                    hint="a newer TuyaOS has a key for each device; pins and constants have to come from another board",
                )
            return ImageError(
                f"Tuya's settings: their key sector at {place:#x} is erased, so the {count} enciphered sectors behind "
                "it cannot be read",
                offset=at,
                hint="an earlier dump of this very board has the key",
            )
    return ImageError(
        "Tuya's settings: none here, by content or at the places where they usually are",
        hint="the flash was erased, holds another firmware, or was not read to its end",
    )


def _enciphered(data: bytes, at: int) -> int:
    """How many sectors from there on look enciphered, one behind the other."""
    count = 0
    while _looks_enciphered(data[at + count * SECTOR : at + (count + 1) * SECTOR]):
        count += 1
    return count


def _looks_enciphered(sector: bytes) -> bool:
    """Whether nearly every byte occurs, or one block of 16 random ones over and over: that is FF under a key."""
    if len(sector) < SECTOR:
        return False
    blocks = Counter(sector[at : at + 16] for at in range(0, SECTOR, 16))
    block, repeats = blocks.most_common(1)[0]
    return len(set(sector)) >= _MIN_DISTINCT or (repeats >= _MIN_REPEATS and len(set(block)) >= _MIN_IN_BLOCK)
