"""Block CRCs and addresses, against published values and against two other programs."""

from __future__ import annotations

import hashlib
import random
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.image.boards import damaged
from wattrail.errors import ImageError, MissingExtra
from wattrail.extras import install_command
from wattrail.image import check, pack, to_logical, to_physical, unpack
from wattrail.image.code import grid_shift
from wattrail.image.vectorised import block_crcs


def _slow_crc(data: bytes) -> int:
    """Bit by bit, as the definition has it."""
    register = 0xFFFF
    for byte in data:
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1 ^ (0x8005 if register & 0x8000 else 0)) & 0xFFFF
    return register


def test_the_definition_agrees_with_the_published_check_value() -> None:
    assert _slow_crc(b"123456789") == 0xAEE7


@given(st.binary(min_size=32, max_size=32))
def test_the_tables_agree_with_the_definition(block: bytes) -> None:
    assert block_crcs(np.frombuffer(block, dtype=np.uint8).reshape(1, 32))[0] == _slow_crc(block)


@pytest.mark.parametrize(("block", "crc"), [(bytes(32), "8029"), (b"\xff" * 32, "000c")])
def test_known_blocks_have_their_known_crcs(block: bytes, crc: str) -> None:
    assert pack(block) == block + bytes.fromhex(crc)


def test_packing_agrees_with_other_programs() -> None:
    """SHA-256 of what bk7231tools 2.1.2 and ltchiptool 4.15.0 (BekenBinary.crc) make of the same bytes."""
    code = random.Random(1).randbytes(32 * 4096)
    assert hashlib.sha256(pack(code)).hexdigest() == PACKED_BY_OTHERS


PACKED_BY_OTHERS = "b69762c5e9cac1d1cf6ed94447bb7c6bc2b684e1aa9aec1fdd2882ccbcc92e79"


@given(st.binary(max_size=400))
def test_what_was_packed_unpacks_to_itself_filled_up_with_ff(code: bytes) -> None:
    assert unpack(pack(code)) == code + b"\xff" * (-len(code) % 32)
    assert check(pack(code)).bad == 0


def test_the_first_bad_block_is_named_with_its_crc_and_the_right_one() -> None:
    packed = damaged(pack(bytes(32 * 10)), 3 * 34 + 33)
    with pytest.raises(
        ImageError, match=r"block 3 at 0x66: CRC-16 is 8028, 8029 expected \(1 of 10 blocks are bad\)"
    ) as got:
        unpack(packed)
    assert got.value.offset == 0x66
    assert got.value.hint


def test_erased_blocks_are_blank_and_not_bad() -> None:
    packed = pack(bytes(32)) + b"\xff" * 34 * 2 + pack(bytes(32))
    found = check(packed)
    assert (found.blocks, found.good, found.blank, found.bad) == (4, 2, 2, 0)
    assert pack(unpack(packed), keep_blank=True) == packed
    assert pack(unpack(packed)) != packed


def test_a_rest_of_ff_is_flash_that_was_never_written() -> None:
    assert unpack(pack(bytes(64)) + b"\xff" * 20) == bytes(64)


def test_a_rest_of_anything_else_means_cut_short() -> None:
    with pytest.raises(ImageError, match="ends 33 bytes into a block of 34: 67 bytes are 1 blocks and a rest") as got:
        unpack(pack(bytes(64))[:-1])
    assert got.value.offset == 34


def test_without_numpy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.delitem(sys.modules, "wattrail.image.vectorised")
    monkeypatch.delattr("wattrail.image.vectorised")
    with pytest.raises(MissingExtra, match="working on firmware images needs the library 'numpy'") as got:
        pack(bytes(32))
    assert got.value.hint == install_command("numpy", "image")


@given(st.integers(0, 1 << 24))
def test_addresses_go_to_flash_and_back(logical: int) -> None:
    assert to_logical(to_physical(logical)) == logical


@pytest.mark.parametrize(
    ("logical", "physical"), [(0, 0), (31, 31), (32, 34), (0x10000, 0x11000), (0x1186A0, 0x129F0A), (0xFFA0, 0x10F9A)]
)
def test_known_addresses(logical: int, physical: int) -> None:
    assert to_physical(logical) == physical
    assert to_logical(physical) == logical


@pytest.mark.parametrize("physical", [32, 33, 0x11000 + 33])
def test_no_code_address_is_that_of_a_crc(physical: int) -> None:
    with pytest.raises(ValueError, match="holds the CRC of block"):
        to_logical(physical)


@pytest.mark.parametrize("cut", [1, 2, 17, 33])
def test_the_crcs_alone_tell_where_blocks_begin(cut: int) -> None:
    packed = pack(random.Random(2).randbytes(32 * 100))
    assert grid_shift(packed[cut:]) == 34 - cut
    assert grid_shift(packed) == 0
    assert grid_shift(random.Random(3).randbytes(3000)) is None


@given(st.binary(max_size=300))
def test_any_bytes_can_be_checked(data: bytes) -> None:
    found = check(data)
    assert found.good + found.blank + found.bad == found.blocks == len(data) // 34
    with suppress(ImageError):
        assert len(unpack(data)) == found.blocks * 32
