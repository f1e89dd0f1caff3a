"""Tuya's storage: read whole, worn, half written, misread, cut short, rotated, under another key, not there."""

from __future__ import annotations

import random

import pytest
from Crypto.Cipher import AES
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.image.boards import Board
from tests.image.stock_storage import (
    INNER,
    KEY_PLACE,
    NEW_MAGIC,
    SECTOR,
    blocks_of,
    data_sector,
    in_flash,
    key_sector,
    licence_sector,
    made_key,
    storage,
)
from wattrail.errors import ImageError
from wattrail.image.tuya_cipher import data_key, read_licences
from wattrail.image.tuya_storage import StorageSectorState, TuyaStorage, read_storage

VALUES = {
    "gw_bi": b'{"uuid":"uuid","auth_key":"secret"}',
    "user_param_key": b"{rl1_pin:26,bt1_pin:10,chip_type:3,module:CB2S,crc:7,}",
    "long": bytes(range(1, 256)) * 20,
    "em_sys_env": b"bk7231n\0",
    "seed": b"\xff\x00\xfe",
}
BEFORE = VALUES | {"em_sys_env": b"an older text"}


def pairs(found: TuyaStorage) -> dict[str, bytes]:
    return {value.name: value.data for value in found.values if value.problem is None}


@pytest.fixture(scope="module")
def dump(n: Board) -> bytes:
    return in_flash(storage(VALUES), n.dump)


def test_every_value_of_a_dump_is_read(dump: bytes) -> None:
    found = read_storage(dump)
    assert pairs(found) == VALUES
    assert (found.key_at, found.end, found.variant, found.problems) == (KEY_PLACE, 0x200000, "SDK 1 or 2", ())


def test_values_are_what_they_stand_for(dump: bytes) -> None:
    found = read_storage(dump)
    assert found.get("gw_bi") == {"uuid": "uuid", "auth_key": "secret"}
    assert found.get("user_param_key") == {"rl1_pin": 26, "bt1_pin": 10, "chip_type": 3, "module": "CB2S", "crc": 7}
    assert (found.get("em_sys_env"), found.get("seed"), found.get("nothing")) == ("bk7231n", "ff00fe", None)


def test_a_bare_storage_area_is_read() -> None:
    found = read_storage(storage(VALUES))
    assert (pairs(found), found.key_at, found.end) == (VALUES, 0, 18 * SECTOR)


def test_the_storage_of_tuyaos_3_is_read_in_any_order_of_sectors() -> None:
    found = read_storage(storage(VALUES, magic=NEW_MAGIC, seed=5))
    assert (pairs(found), found.variant) == (VALUES, "TuyaOS 3")


def test_the_newest_version_of_a_block_holds() -> None:
    """A reader that takes the first it meets shows what was overwritten."""
    for seed in range(6):
        found = read_storage(storage(VALUES, BEFORE, seed=seed))
        assert found.get("em_sys_env") == "bk7231n"
        states = [sector.state for sector in found.sectors]
        assert (states.count(StorageSectorState.LIVE), states.count(StorageSectorState.OLD)) == (14, 3)


def test_a_storage_that_slipped_by_a_byte_is_found() -> None:
    assert pairs(read_storage(b"\0" * 5 + storage(VALUES))) == VALUES


def test_a_rotated_dump_is_read_where_it_lies(dump: bytes) -> None:
    assert read_storage(dump[0x11000:] + dump[:0x11000]).key_at == KEY_PLACE - 0x11000


# ---- damage


def test_a_half_written_block_leaves_its_older_version_in_force() -> None:
    area = bytearray(storage(VALUES, BEFORE))
    area[SECTOR + 2048 : 2 * SECTOR] = b"\xff" * 2048
    found = read_storage(bytes(area))
    assert pairs(found)["gw_bi"] == VALUES["gw_bi"]
    assert found.sectors[0].state is StorageSectorState.DAMAGED
    assert "the sum of its bytes does not hold; it was cut off" in str(found.problems[0])


def test_a_misread_block_without_older_version_loses_only_what_was_hit() -> None:
    """Sixteen bytes of a page are misread: one value is damaged and said to be, all others are read."""
    sectors = [data_sector(n, block, 1) for n, block in enumerate(blocks_of(VALUES))]
    area = bytearray(key_sector() + b"".join(sectors))
    area[SECTOR + 6 * 128] ^= 1  # a page of the long value
    found = read_storage(bytes(area))
    assert pairs(found) == {name: value for name, value in VALUES.items() if name != "long"}
    (damaged,) = [value for value in found.values if value.problem]
    assert (damaged.name, damaged.problem is not None and "the index says" in damaged.problem) == ("long", True)
    assert found.get("long") is None


def test_a_storage_that_was_cut_short_says_what_is_missing() -> None:
    found = read_storage(storage({"first": b"1", "long": b"x" * 9000})[: 2 * SECTOR])
    assert pairs(found) == {"first": b"1"}
    assert [str(problem) for problem in found.problems] == [
        "at 0x0: long: a part of it is in block 1, which is not here"
    ]


def test_sectors_that_were_erased_are_told_apart_from_overwritten_ones() -> None:
    area = bytearray(storage(VALUES))
    area[5 * SECTOR : 6 * SECTOR] = b"\xff" * SECTOR
    area[7 * SECTOR : 8 * SECTOR] = random.Random(1).randbytes(SECTOR)
    found = read_storage(bytes(area))
    assert [found.sectors[n].state for n in (4, 6)] == [StorageSectorState.BLANK, StorageSectorState.UNREADABLE]
    assert pairs(found)["gw_bi"] == VALUES["gw_bi"]
    assert "does not decipher: overwritten, or misread" in str(found.problems[0])
    assert str(found.problems[1]) == "at 0x0: blocks 4, 6 of the settings are not here: erased, or not read"


def test_an_older_version_steps_in_for_a_sector_that_was_erased() -> None:
    area = bytearray(storage(VALUES, BEFORE))
    area[2 * SECTOR : 3 * SECTOR] = b"\xff" * SECTOR
    found = read_storage(bytes(area))
    assert (found.get("em_sys_env"), found.sectors[1].state) == ("an older text", StorageSectorState.BLANK)
    assert not found.problems


def test_what_is_in_the_half_that_was_not_erased_is_read() -> None:
    area = storage(VALUES)
    assert pairs(read_storage(area[: 9 * SECTOR] + b"\xff" * 9 * SECTOR)) == VALUES


# ---- nothing to read, and why


@pytest.mark.parametrize("data", [b"", b"\xff" * 0x20000, b"text " * 1000])
def test_where_there_is_no_storage_it_is_said(data: bytes) -> None:
    with pytest.raises(ImageError, match="none here, by content or at the places"):
        read_storage(data)


def test_another_master_key_is_named_as_the_reason(n: Board) -> None:
    area = key_sector(master=b"another firmware") + storage(VALUES)[SECTOR:]
    with pytest.raises(
        ImageError, match="17 enciphered sectors from 0x1ee000, and the master key that is known"
    ) as refused:
        read_storage(in_flash(area, n.dump))
    assert refused.value.hint is not None
    assert "a key for each device" in refused.value.hint


def test_an_erased_key_is_named_as_the_reason(n: Board) -> None:
    area = b"\xff" * SECTOR + storage(VALUES)[SECTOR:]
    with pytest.raises(ImageError, match="their key sector at 0x1ee000 is erased, so the 17 enciphered sectors"):
        read_storage(in_flash(area, n.dump))


def test_the_key_of_another_board_is_named_as_the_reason() -> None:
    area = key_sector(inner=bytes(16)) + storage(VALUES)[SECTOR:]
    with pytest.raises(ImageError, match="their key sector is whole, but no sector behind it opens"):
        read_storage(area)


# ---- the cipher, and the licence


def test_the_data_key_is_that_of_published_code() -> None:
    """Computed by hand from the two texts: '8' + 'H' + 0x30 is 0xB0, '7' + 'H' + 0x31 is 0xB0, and so on."""
    assert data_key(INNER)[:4] == bytes([0xB0, 0xB0, 0xB5, 0xB5])
    assert data_key(INNER) == made_key()


def test_the_licence_of_a_module_is_read(n: Board) -> None:
    flash = in_flash(licence_sector({"gw_bi": b"{}", "gw_wsm": b"[]"}), n.dump, 0x1ED000)
    (licence,) = read_licences(flash)
    assert (licence.at, licence.is_whole) == (0x1ED000, True)
    assert {value.name: value.data for value in licence.values} == {"gw_bi": b"{}", "gw_wsm": b"[]"}


def test_a_damaged_licence_is_read_as_far_as_it_goes() -> None:
    sector = bytearray(licence_sector({"gw_bi": b"{}"}))
    sector[3000] ^= 1
    (licence,) = read_licences(bytes(sector))
    assert (licence.is_whole, len(licence.values)) == (False, 1)


# ---- any values

names = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=24)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, st.binary(min_size=1, max_size=1500), max_size=20), st.integers(0, 99))
def test_any_values_are_read_back(values: dict[str, bytes], seed: int) -> None:
    found = read_storage(storage(values, seed=seed))
    assert pairs(found) == values
    assert not found.problems


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_flipped_bits_never_give_a_wrong_value(data: st.DataObject) -> None:
    """One misread byte spoils a block of 16 under the cipher: its value is damaged, every other is whole."""
    area = bytearray(storage(VALUES))
    at = data.draw(st.integers(SECTOR, len(area) - 1))
    area[at] ^= data.draw(st.integers(1, 255))
    for name, value in pairs(read_storage(bytes(area))).items():
        assert VALUES.get(name) == value


def test_ciphertext_of_the_twin_writer_is_not_the_readers_own() -> None:
    assert AES.new(b"qwertyuiopasdfgh", AES.MODE_ECB).encrypt(b"\xff" * 16).hex() == "46dced0e672f3b70ae1276a3f8712e03"
