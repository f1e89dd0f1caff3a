"""RBL, UG, UF2 and the RF block: built, opened, cut at every byte, damaged in every field."""

from __future__ import annotations

import hashlib
import struct
import sys
import zlib
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.image.boards import damaged, rf_block, uf2
from wattrail.errors import ImageError, MissingExtra
from wattrail.image import add_rbl, build_ota, crypt, open_ota, rbl, ug
from wattrail.image.code import TUYA_KEY
from wattrail.image.convert import pack_with_rbl
from wattrail.image.layout import APP_CONTAINER
from wattrail.image.rbl import RblHeader, decode_header, stored_faults
from wattrail.image.rf import decode_rf
from wattrail.image.uf2 import decode_uf2

CODE = bytes.fromhex("0e0000ea") + bytes.fromhex("14f09fe5") * 7 + bytes(range(256)) * 19 + b"wattrail"
OTA = build_ota(CODE, version="1.00")


def test_fnv1a_has_its_published_values() -> None:
    for text, value in ((b"", 0x811C9DC5), (b"a", 0xE40C292C), (b"foobar", 0xBF9CF968)):
        assert rbl._fnv1a(text) == value


@given(st.binary(max_size=600))
@settings(max_examples=50)
def test_fnv1a_at_once_is_fnv1a_byte_by_byte(data: bytes) -> None:
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    assert rbl._fnv1a(data) == value


def test_fnv1a_goes_on_over_chunks() -> None:
    data = bytes(range(251)) * 600
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    assert rbl._fnv1a(data) == value


def test_a_partition_with_rbl_is_that_of_another_program() -> None:
    """SHA-256 of what ltchiptool 4.15.0 (BekenBinary.package) makes of the same code, without a time."""
    stored = crypt(CODE + b"\xff" * (-len(CODE) % 32), TUYA_KEY, 0x10000)
    partition = pack_with_rbl(add_rbl(stored, APP_CONTAINER, version="1.00"))
    assert hashlib.sha256(partition).hexdigest() == "0eb3cce4276134bed819169d68cb186139fa91ba3f02e597615a02037d6d8d12"


@pytest.mark.parametrize("length", range(5000, 5036))
def test_a_partition_made_by_another_program_holds_at_any_code_length(length: int) -> None:
    """As ltchiptool 4.15.0 makes its header, whose raw size is more than its package size for half of all lengths."""
    stored = CODE.ljust(length, b"c") + b"\xff" * (-length % 32)
    raw_size = (length + 16 + 31) // 32 * 32 + 16
    package = stored + b"\xff" * 16 + b"\x10" * 16
    header = RblHeader(
        package_crc=zlib.crc32(package),
        raw_hash=rbl._fnv1a(package[:raw_size]),
        raw_size=raw_size,
        package_size=len(package),
    )
    flash = stored.ljust(0x4000, b"\xff")
    assert stored_faults(header, flash) == ()
    assert rbl.stored_code(header, flash) == stored
    assert len(stored_faults(header, damaged(flash, 10))) == 2


def test_an_update_is_that_of_another_program() -> None:
    """CRC-32 of code, hash and package as ltchiptool 4.15.0 (BekenBinary.ota_package) makes them, and its first block.

    Not of all bytes: zlib is free to compress otherwise in another version.
    """
    header, code = open_ota(OTA)
    assert code == CODE
    assert (header.raw_size, header.raw_hash, header.algo) == (len(CODE), 0x71145A95, 0x102)
    assert open_ota(bytes.fromhex(OF_ANOTHER_PROGRAM))[1] == b"wattrail\n" * 100


OF_ANOTHER_PROGRAM = (
    "52424c00020100000000000061707000000000000000000000000000312e303000000000000000000000000000000000"
    "00000000303030303030303030303030303030303030303030303000292a2cb3a5406b5484030000300000004fe04555"
    "08a8bbd687ad0c018a01f1b6ac89156b59e869363acb9b55fd4aa4a5d5aec410ee9e3198ecd8d25d135672c09af6f71d"
)
"""ltchiptool 4.15.0: name app, version 1.00, AES-256 and gzip."""


@given(st.binary(max_size=2000), st.booleans(), st.booleans())
@settings(max_examples=40)
def test_an_update_opens_to_what_was_put_into_it(code: bytes, compress: bool, encrypt: bool) -> None:
    header, found = open_ota(build_ota(code, compress=compress, encrypt=encrypt))
    assert found == code
    assert header.compression == ("gzip" if compress else "none")
    assert header.encryption == ("aes256" if encrypt else "none")


@pytest.mark.parametrize("length", [*range(0, 97, 7), 95, 96, 97, len(OTA) - 1])
def test_an_update_cut_anywhere_says_that_it_was_cut(length: int) -> None:
    with pytest.raises(ImageError, match=r"cut off after|RBL package size: got"):
        open_ota(OTA[:length])


@pytest.mark.parametrize("at", [0, 4, 8, 12, 30, 60, 76, 80, 84, 88, 92])
def test_a_damaged_header_is_refused_by_its_own_checksum(at: int) -> None:
    with pytest.raises(ImageError, match=r"RBL (magic|header CRC-32): got 0x[0-9a-f]+, want 0x[0-9a-f]+"):
        open_ota(damaged(OTA, at))


def _with(**changes: int) -> bytes:
    return replace(decode_header(OTA), **changes).encode() + OTA[96:]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (damaged(OTA, 200), "RBL package CRC-32: got 0x"),
        (_with(raw_hash=1), "RBL hash FNV-1a: got 0x1, want 0x"),
        (_with(raw_size=len(CODE) - 5), "RBL raw size: got"),
        (_with(raw_size=len(CODE) + 1), "RBL raw size: got"),
        (_with(raw_size=1 << 30), "no flash has more than"),
        (_with(algo=0x101), "encryption xor cannot be undone"),
        (_with(algo=0x202), "compression quicklz cannot be undone"),
        (_with(algo=0x105), "encryption 5 cannot be undone"),
        (_with(algo=0x100), "does not decompress"),
    ],
)
def test_each_field_that_does_not_fit_is_named(data: bytes, match: str) -> None:
    with pytest.raises(ImageError, match=match):
        open_ota(data)


def test_without_the_library_for_aes_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    with pytest.raises(MissingExtra, match="an enciphered RBL package needs the library 'cryptography'"):
        open_ota(OTA)
    assert open_ota(build_ota(CODE, encrypt=False))[1] == CODE


def test_a_package_that_grows_beyond_its_promise_is_not_unpacked() -> None:
    package = zlib.compress(bytes(50_000_000), wbits=31)
    header = RblHeader(algo=0x100, raw_size=1000, package_size=len(package), package_crc=zlib.crc32(package))
    with pytest.raises(ImageError, match="raw size: got 0x3e9, want 0x3e8"):
        open_ota(header.encode() + package)


def test_a_header_that_does_not_belong_to_its_code_says_both_checks() -> None:
    container = add_rbl(bytes(320), 0x1000)
    header = decode_header(container[-96:])
    assert stored_faults(header, container[:-96]) == ()
    crc, hash_ = stored_faults(header, damaged(container, 7)[:-96])
    assert crc.startswith(f"package CRC-32: {header.package_crc:08X}, the code gives ")
    assert hash_.startswith(f"hash FNV-1a: {header.raw_hash:08X}, the code gives ")
    assert "but the partition holds 10 bytes" in stored_faults(header, bytes(10))[0]


def test_code_that_does_not_fit_its_partition_is_refused() -> None:
    assert len(add_rbl(bytes(0x1000 - 128), 0x1000)) == 0x1000
    with pytest.raises(ImageError, match="the code has 4000 bytes, 3968 fit before the header"):
        add_rbl(bytes(4000), 0x1000)


def test_a_text_too_long_for_its_field_is_refused() -> None:
    with pytest.raises(ImageError, match=r"RBL version: .* has 30 bytes, at most 23 fit"):
        RblHeader(version="v" * 30).encode()


def test_a_text_ends_at_its_nul_whatever_stands_behind() -> None:
    raw = bytearray(RblHeader(version="1.2").encode())
    raw[28 + 4 : 28 + 9] = b"stale"
    raw[92:] = zlib.crc32(raw[:92]).to_bytes(4, "little")
    assert decode_header(bytes(raw)).version == "1.2"


def test_a_ug_container_wraps_and_unwraps() -> None:
    wrapped = ug.wrap(OTA, "1.2.3")
    assert ug.unwrap(wrapped) == (ug.UgHeader("1.2.3", len(OTA), sum(OTA)), OTA)
    assert wrapped[:4].hex() + wrapped[28:32].hex() == "55aa55aaaa55aa55"


@pytest.mark.parametrize(
    ("at", "match"),
    [
        (0, "UG magic: got 54 aa 55 aa"),
        (5, "UG header sum: got"),
        (25, "UG header sum"),
        (29, "UG end mark"),
        (99, "UG byte sum"),
    ],
)
def test_each_damaged_field_of_ug_is_named(at: int, match: str) -> None:
    with pytest.raises(ImageError, match=match):
        ug.unwrap(damaged(ug.wrap(OTA, "1.2.3"), at))


@pytest.mark.parametrize("length", [0, 4, 31, 32, 40, 200])
def test_a_ug_container_cut_anywhere_says_so(length: int) -> None:
    with pytest.raises(ImageError, match=r"cut off after|but only \d+ bytes follow"):
        ug.unwrap(ug.wrap(OTA, "1.2.3")[:length])


def test_uf2_blocks_are_counted_and_checked() -> None:
    whole = uf2(20)
    assert decode_uf2(whole).problems == ()
    assert (decode_uf2(whole).blocks, decode_uf2(whole).family, decode_uf2(whole).payload) == (20, 0x7B3EF230, 5120)
    assert decode_uf2(whole[: 512 * 7]).problems == ("7 of 20 blocks are there",)
    assert "ends 100 bytes into block 7" in " ".join(decode_uf2(whole[: 512 * 7 + 100]).problems)
    assert decode_uf2(damaged(whole, 512 * 3)).problems == ("block 3 at 0x600 has no UF2 magic",)
    assert "block 5 says it is 6 of 20" in decode_uf2(whole[: 512 * 5] + whole[512 * 6 :]).problems[0]
    with pytest.raises(ImageError, match="no UF2"):
        decode_uf2(whole[:100])


def test_the_rf_block_tells_the_mac_address() -> None:
    assert decode_rf(rf_block()).mac == "C8:47:8C:01:02:FE"
    assert decode_rf(rf_block()[: 0x24 - 8] + bytes(8) + rf_block()[0x24:]).mac is None  # its tag and length are gone
    for data, match in (
        (b"", "nothing in place of"),
        (b"TLV\0\x01", "cut off after 5"),
        (rf_block()[:50], "says 502 bytes, 50 are there"),
        (b"TLV\0" + struct.pack("<I", 1 << 31), "says 2147483648 bytes"),
    ):
        with pytest.raises(ImageError, match=match):
            decode_rf(data)


@pytest.mark.parametrize(
    ("groups", "first", "length"), [(1, 0x5A, 0x62), (2, 0x4A, 0xC0), (4, 0x5A, 0x1F6)], ids=["short", "Q", "long"]
)
def test_the_rf_block_is_groups_of_elements_of_any_length(groups: int, first: int, length: int) -> None:
    """Lengths and nesting are those of 50 public dumps; a flat block, which this decoder once read, is on none."""
    block = decode_rf(rf_block(groups=groups, first=first))
    assert (block.length, block.group_length, block.mac) == (length, first, "C8:47:8C:01:02:FE")
    assert [tag for tag, _ in block.elements[:3]] == [0x11111100, 0x11111101, 0x11111102]
    assert sum(not tag & 0xFF for tag, _ in block.elements) == groups


def test_an_element_of_another_group_is_not_taken_for_the_mac_address() -> None:
    inside = struct.pack("<II6s", 0x11111102, 6, b"\1\2\3\4\5\6")
    data = b"TLV\0" + struct.pack("<III", 8 + len(inside), 0x22222200, len(inside)) + inside
    assert decode_rf(data).mac is None


@given(st.binary(max_size=300), st.sampled_from([b"", b"TLV\0", b"RBL\0", b"\x55\xaa\x55\xaa", b"UF2\nWQ]\x9e"]))
def test_no_decoder_is_upset_by_any_bytes(data: bytes, mark: bytes) -> None:
    for decode in (decode_rf, decode_header, open_ota, ug.unwrap, decode_uf2):
        with suppress(ImageError):
            decode(mark + data)
