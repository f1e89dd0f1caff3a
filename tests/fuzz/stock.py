"""What must hold for any bytes taken as a stock dump, a storage, a file system, a value; and inputs to begin with.

The cipher would turn every damage into noise, so the storage's target takes sectors as they are below it, and enciphers
them. ``fixed_storage`` and ``fixed_files`` right the sums and checksums, so that damage gets past them.
"""

from __future__ import annotations

import json
import struct
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path

from Crypto.Cipher import AES

from tests.image.boards import Board
from tests.image.stock_storage import SECTOR, in_flash, key_sector, licence_sector, made_key, spelt, storage
from tests.image.test_stored_files import file_system
from wattrail.cli.image.inspection_text import text_lines
from wattrail.errors import ImageError
from wattrail.image import Chip
from wattrail.image.flash_picture import picture_svg
from wattrail.image.inspection import inspect_flash
from wattrail.image.inspection_record import as_record
from wattrail.image.stock_configuration import configuration_in_code, stock_configuration
from wattrail.image.stored_files import MAX_BYTES, MAX_FILES, find_file_systems
from wattrail.image.tuya_cipher import read_licences
from wattrail.image.tuya_storage import read_storage
from wattrail.image.tuya_values import parse_value

VALUES = {
    "user_param_key": spelt({"rl1_pin": 26, "rl1_lv": 1, "chip_type": 3, "module": "CB2S"}).encode(),
    "gw_bi": b'{"uuid":"a","auth_key":"b"}',
    "long": b"0123456789" * 50,
}
VALUE_WORDS = (
    b"{",
    b"}",
    b"[" * 40,
    b'{"a":' * 40,
    b":",
    b",",
    b'"',
    b"\\",
    b"1e999",
    b"NaN",
    b"9" * 5000,
    b"\xff",
    b"\0",
)


def stored(data: bytes) -> None:
    """Sectors under the right key: they are read, or refused with a reason; every value has a name and fits its sum."""
    area = key_sector() + AES.new(made_key(), AES.MODE_ECB).encrypt(data + bytes(-len(data) % 16))
    with suppress(ImageError):
        found = read_storage(area)
        assert len(found.values) <= 31 * len(found.sectors)
        assert all(len(value.data) <= len(area) * 32 for value in found.values)
        stock_configuration({value.name: value.value for value in found.values})
        json.dumps({value.name: value.value for value in found.values}, allow_nan=False)


def licensed(data: bytes) -> None:
    """A licence sector below the master key, and the same bytes as they are."""
    enciphered = AES.new(b"qwertyuiopasdfgh", AES.MODE_ECB).encrypt(data[: len(data) // 16 * 16])
    for licence in (*read_licences(enciphered), *read_licences(data)):
        assert sum(len(value.data) for value in licence.values) <= SECTOR


def inspected(data: bytes) -> None:
    """Every output is made, whatever the bytes; the map covers them without holes."""
    found = inspect_flash(data)
    record = as_record(found)
    json.dumps(record, allow_nan=False)
    assert "\x1b" not in "\n".join(text_lines(Path("x"), record))
    picture_svg(record["map"], "any")
    edges = [edge for region in found.regions for edge in (region.start, region.end)]
    assert edges[1:-1:2] == edges[2::2]
    assert not edges or (edges[0], edges[-1]) == (found.base, found.base + len(found.flash))


def files(data: bytes) -> None:
    for system in find_file_systems(data):
        assert len(system.files) <= MAX_FILES
        assert sum(len(file.data or b"") for file in system.files) <= MAX_BYTES
        assert all(file.path.startswith("/") for file in system.files)


def value(data: bytes) -> None:
    json.dumps(parse_value(data), allow_nan=False)
    configuration_in_code(data)


# ---- inputs to begin with


@cache
def sectors() -> tuple[bytes, ...]:
    area = storage(VALUES)[SECTOR:]
    plain = AES.new(made_key(), AES.MODE_ECB).decrypt(area)
    return plain[: 2 * SECTOR], plain[:SECTOR] + plain[14 * SECTOR : 15 * SECTOR]


@cache
def licences() -> tuple[bytes, ...]:
    sector = licence_sector({"gw_bi": VALUES["gw_bi"]})
    return sector, AES.new(b"qwertyuiopasdfgh", AES.MODE_ECB).decrypt(sector)


@cache
def areas() -> tuple[bytes, ...]:
    return storage(VALUES)[: 4 * SECTOR], licences()[0], file_system(), key_sector() + file_system()


@cache
def stock_dumps() -> tuple[bytes, ...]:
    flash = in_flash(file_system(), Board(Chip.N).dump, 0x1C8000)
    return (in_flash(licences()[0] + storage(VALUES), flash, 0x1ED000),)


@cache
def file_systems() -> tuple[bytes, ...]:
    many = {f"file{i}": b"x" * (i * 300) for i in range(12)}
    return file_system(), file_system(16, many), file_system(4, {"a": b"b"})


def values() -> tuple[bytes, ...]:
    return (
        *VALUES.values(),
        b"[[1,02,3e8],[T27]]",
        b"{sw:{ch:[{rl:{pin:26}}]}}",
        b"\0{rl1_pin:26,bt1_pin:10,crc:1,}\0",
    )


# ---- checksums


def fixed_storage(data: bytes) -> bytes:
    """Sums of every value and of every sector made right."""
    fixed = bytearray(data)
    for at in range(0, len(fixed) - SECTOR + 1, SECTOR):
        (marks,) = struct.unpack_from("<I", fixed, at + 15)
        for page in range(1, 32):
            if marks >> page & 1:
                _fix_index(fixed, at + page * 128)
        struct.pack_into("<I", fixed, at + 4, sum(fixed[at + 8 : at + SECTOR]))
    return bytes(fixed)


def _fix_index(data: bytearray, at: int) -> None:
    """The sum of a value that lies in the sectors that are here, by their order."""
    _, length, _, _, parts = struct.unpack_from("<IIHBH", data, at)
    begin, content = at + 18 + data[at + 17], b""
    for part in range(min(parts, 27)):
        if begin + part * 4 + 4 > at + 128:
            return
        block, first, last = struct.unpack_from("<HBB", data, begin + part * 4)
        content += data[block * SECTOR + first * 128 : block * SECTOR + (last + 1) * 128]
    struct.pack_into("<I", data, at, sum(content[:length]))


def fixed_files(data: bytes) -> bytes:
    """The CRC of every commit of a LittleFS made right, block by block."""
    fixed = bytearray(data)
    for block in range(0, len(fixed) - SECTOR + 1, SECTOR):
        at, last, begin = block + 4, 0xFFFFFFFF, block
        while at + 8 <= block + SECTOR:
            tag = int.from_bytes(fixed[at : at + 4], "big") ^ last
            if tag >> 31:
                break
            size = 0 if tag & 0x3FF == 0x3FF else tag & 0x3FF
            if tag >> 20 & 0x780 == 0x500:
                crc = zlib.crc32(fixed[begin : at + 4]) ^ 0xFFFFFFFF
                struct.pack_into("<I", fixed, at + 4, crc)
                begin = at + 4 + size
            at, last = at + 4 + size, tag
    return bytes(fixed)
