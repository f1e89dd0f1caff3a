"""Tuya's storage as a firmware writes it, made by a second pair of hands: for values, sector by sector.

It shares no constant, no table and no cipher library with the reader. Written after the description of the format and
held against another program's reader (tests/image/test_tuya_peers.py). The flash it goes into is made of seeds.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping, Sequence

from Crypto.Cipher import AES

SECTOR = 4096
KEY_PLACE = 0x1EE000
INNER = bytes(range(0x30, 0x40))
OLD_MAGIC, NEW_MAGIC = 0x98761234, 0x135726AB


def key_sector(inner: bytes = INNER, master: bytes = b"qwertyuiopasdfgh") -> bytes:
    plain = struct.pack("<II", 0x13579753, sum(inner)) + inner
    return AES.new(master, AES.MODE_ECB).encrypt(plain.ljust(SECTOR, b"\xff"))


def made_key(inner: bytes = INNER) -> bytes:
    text, mask = "8710" * 4, "HHRRQbyemofrtytf"
    return bytes((ord(a) + ord(b) + c) % 256 for a, b, c in zip(text, mask, inner, strict=True))


def blocks_of(values: Mapping[str, bytes], count: int = 14) -> list[tuple[int, dict[int, bytes]]]:
    """For each block its map of index pages, and its pages by their number: an index, then the value behind it."""
    blocks: list[tuple[int, dict[int, bytes]]] = [(0, {}) for _ in range(count)]
    free = [(block, page) for block in range(count) for page in range(1, 32)]
    for name, value in values.items():
        own_block, own_page = free.pop(0)
        taken = [free.pop(0) for _ in range(-(-len(value) // 128))]
        for (block, page), start in zip(taken, range(0, len(value), 128), strict=True):
            blocks[block][1][page] = value[start : start + 128].ljust(128, b"\0")
        parts = b"".join(struct.pack("<HBB", *run) for run in _runs(taken))
        spelt = name.encode() + b"\0"
        head = struct.pack("<IIHBHI", sum(value), len(value), own_block, own_page, len(parts) // 4, 0x4096E4)
        blocks[own_block][1][own_page] = (head + bytes([len(spelt)]) + spelt + parts).ljust(128, b"\xff")
        blocks[own_block] = (blocks[own_block][0] | 1 << own_page, blocks[own_block][1])
    return blocks


def _runs(pages: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    runs: list[list[int]] = []
    for block, page in pages:
        if runs and runs[-1][0] == block and runs[-1][2] == page - 1:
            runs[-1][2] = page
        else:
            runs.append([block, page, page])
    return [(block, first, last) for block, first, last in runs]


def data_sector(
    number: int,
    block: tuple[int, dict[int, bytes]],
    generation: int,
    *,
    magic: int = OLD_MAGIC,
    key: bytes | None = None,
) -> bytes:
    marks, pages = block
    head = struct.pack("<HIB4s", number, generation, 4, marks.to_bytes(4, "little")).ljust(120, b"\xff")
    body = head + b"".join(pages.get(page, b"\xff" * 128) for page in range(1, 32))
    plain = struct.pack("<II", magic, sum(body)) + body
    return AES.new(key or made_key(), AES.MODE_ECB).encrypt(plain)


def storage(
    values: Mapping[str, bytes],
    before: Mapping[str, bytes] | None = None,
    *,
    magic: int = OLD_MAGIC,
    seed: int | None = None,
) -> bytes:
    """A key sector and 17 sectors: 14 blocks, and older versions of the first three, of what was stored ``before``.

    With a seed the sectors come in any order, as they do in flash after a while.
    """
    sectors = [data_sector(n, block, 7 + n, magic=magic) for n, block in enumerate(blocks_of(values))]
    older = blocks_of(before if before is not None else values)[:3]
    sectors += [data_sector(n, block, 6 + n, magic=magic) for n, block in enumerate(older)]
    if seed is not None:
        random.Random(seed).shuffle(sectors)
    return key_sector() + b"".join(sectors)


def in_flash(area: bytes, dump: bytes, place: int = KEY_PLACE) -> bytes:
    """A dump with a storage area in it."""
    return dump[:place] + area + dump[place + len(area) :]


def licence_sector(records: Mapping[str, bytes], inner: bytes = INNER) -> bytes:
    """The sector a factory writes: records under the data key, and all of it under the master key."""
    body = b"".join(struct.pack("<I32s", len(value), name.encode()) + value for name, value in records.items())
    inside = AES.new(made_key(inner), AES.MODE_ECB).encrypt(body.ljust(SECTOR - 32, b"\0"))
    rest = inner + struct.pack("<II", len(body), 0xFFFFFFFF) + inside
    plain = struct.pack("<II", 0x13579753, sum(rest)) + rest
    return AES.new(b"qwertyuiopasdfgh", AES.MODE_ECB).encrypt(plain)


def spelt(value: object) -> str:
    """A configuration as firmware keeps it: neither names nor words in quotes, a comma before the last brace."""
    if isinstance(value, dict):
        return "{" + "".join(f"{name}:{spelt(inner)}," for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(spelt(inner) for inner in value) + "]"
    return str(value)
