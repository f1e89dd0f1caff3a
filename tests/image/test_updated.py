"""An app is judged by its own header: by the hash and the length that stand there, also when an update left them.

The structures are those of a public dump of a BK7231Q after an update over the air: the update's header (gzip, AES) at
the end of the partition, its hash over the plain code, and the older, longer app still behind the new one. An earlier
version called that dump damaged, and its tests knew no board that was ever updated.
"""

from __future__ import annotations

import pytest

from tests.image.boards import VECTORS, Board, damaged, put
from wattrail.bk7231 import APP_START
from wattrail.image import (
    TUYA_KEY,
    ZERO_KEY,
    Chip,
    CodeKey,
    ImageKind,
    OutputKind,
    build_ota,
    convert,
    crypt,
    pack,
    recognise,
)
from wattrail.image.layout import LAYOUTS
from wattrail.image.rbl import HEADER

END = LAYOUTS[Chip.T]["app"].end
NEW = (VECTORS + Board(Chip.N, seed=9).code)[:0x6009]
"""No whole number of blocks, as updates are."""


def partition(old: bytes = b"", key: CodeKey = ZERO_KEY, new: bytes = NEW) -> bytes:
    """An app partition after an update: what a loader writes, over what was there, whole sectors at a time."""
    flash = bytearray(pack(crypt(old, key, 0x10000)).ljust(END - APP_START, b"\xff"))
    code = pack(crypt(new + b"\xff" * (-len(new) % 32), key, 0x10000))
    put(flash, 0, code.ljust(-(-len(code) // 0x1000) * 0x1000, b"\xff"))
    put(flash, len(flash) - 102, pack(build_ota(new, version="2.0")[:HEADER]))
    return bytes(flash)


@pytest.mark.parametrize("key", [ZERO_KEY, TUYA_KEY], ids=["zero", "tuya"])
def test_an_app_updated_over_the_air_is_whole_and_said_to_be_updated(key: CodeKey) -> None:
    image = recognise(partition(key=key))
    assert (image.kind, image.key, image.problems) == (ImageKind.UA, key, ())
    assert image.containers[0].was_updated
    assert "an RBL header of 'app' at 0x131f9a: the app was updated over the air, and its checks hold" in image.reasons


@pytest.mark.parametrize("key", [ZERO_KEY, TUYA_KEY], ids=["zero", "tuya"])
def test_what_an_older_app_left_behind_a_shorter_one_is_not_damage(key: CodeKey) -> None:
    image = recognise(partition(old=Board(Chip.N, seed=3).code, key=key))
    assert image.problems == ()
    assert image.reasons[-1] == "from 0x17622 to 0x66000: code that an earlier app left there, not in use"
    assert convert(image, OutputKind.PLAIN) == NEW


def test_a_changed_bit_in_updated_code_is_damage_by_its_hash() -> None:
    said = [str(problem) for problem in recognise(damaged(partition(), 0x800)).problems]
    assert said[0].startswith("at 0x7f8: block 60 of the app: CRC-16 is ")
    assert said[1].startswith("at 0x120f9a: RBL of app: hash FNV-1a: ")


def test_a_changed_bit_in_what_is_not_in_use_is_not_damage() -> None:
    assert recognise(damaged(partition(old=Board(Chip.N, seed=3).code), 0x30000)).problems == ()


def test_an_update_longer_than_what_is_there_is_reported() -> None:
    header = pack(build_ota(bytes(0x200000))[:HEADER])
    image = recognise(partition()[:-102] + header)
    assert "raw size: 2097152, but the partition holds" in str(image.problems)


def test_the_name_of_an_older_app_says_nothing_of_the_chip() -> None:
    old = Board(Chip.N, seed=3, says=b"\0" * 0x8000 + b"OpenBK7231T_1.18.300\0").code
    assert recognise(partition(old=old)).chip_reasons == ()


def test_a_header_in_flash_without_a_known_key_is_not_called_wrong() -> None:
    board = Board(Chip.N, key=CodeKey(1, 2, 3, 0x12345670))
    flash = bytearray(board.dump)
    put(flash, APP_START, partition(key=board.key)[: 0x120F9A + 102])
    assert not [problem for problem in recognise(bytes(flash)).problems if "hash" in problem.what]
