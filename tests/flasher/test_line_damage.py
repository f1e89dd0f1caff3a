"""Bits that flip on the way, either way. There is no checksum on the wire: no corrupted flash may pass for right."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from tests.flasher.desk import Desk
from wattrail.errors import VerifyError, WattrailError
from wattrail.flasher import RateChanged, Risk
from wattrail.image import recognise

SIZE = 0x80000
START, END = 0x20000, 0x40000
CHIPS = pytest.mark.parametrize("chip", ["N", "T"])


def small_desk(folder: Path, chip: str, seed: int, **options) -> Desk:
    """Half a megabyte of flash, so that many sessions take little time."""
    chance = random.Random(seed)
    image = bytearray(chance.randbytes(SIZE))
    image[0x30000:0x38000] = b"\xff" * 0x8000
    return Desk(folder, chip, image=bytes(image), flash_id=0x13311C, flash_bytes=SIZE, seed=seed, **options)


def raw(seed: int):
    return recognise(random.Random(seed + 1000).randbytes(END - START))


def wanted(desk: Desk, seed: int) -> bytes:
    return desk.before[:START] + raw(seed).data + desk.before[END:]


def write(desk: Desk, seed: int):
    return desk.write(raw(seed), start=START, allow=[Risk.UNKNOWN, Risk.WRONG_CHIP])


@CHIPS
@pytest.mark.parametrize("bit_errors", [1e-6, 1e-5, 3e-5])
def test_a_noisy_line_ends_in_the_right_flash_or_in_an_error(tmp_path: Path, chip: str, bit_errors: float) -> None:
    outcomes = Counter[str]()
    for seed in range(12):
        desk = small_desk(tmp_path / str(seed), chip, seed)
        desk.twin.faults.noise(bit_errors)
        try:
            report = write(desk, seed)
        except WattrailError:
            outcomes["refused"] += 1
            continue
        outcomes["written"] += 1
        assert desk.flash == wanted(desk, seed)
        assert report.backup is not None
        assert report.backup.read_bytes() == desk.before
    assert outcomes["written"] == 12 or bit_errors > 1e-5, outcomes


@CHIPS
def test_one_flipped_bit_in_any_request_never_passes(tmp_path: Path, chip: str) -> None:
    """A bit of the first 16 bytes of the k-th request: where commands, lengths and addresses stand."""
    chance = random.Random(7)
    for turn in range(60):
        desk = small_desk(tmp_path / str(turn), chip, turn)
        with desk.session() as flasher:
            for _ in range(chance.randrange(120)):
                desk.twin.faults.flip_request_bit(1 << 20)  # none
            desk.twin.faults.flip_request_bit(chance.randrange(16), chance.randrange(8))
            with suppress(VerifyError):
                flasher.write(raw(turn), start=START, allow=[Risk.UNKNOWN, Risk.WRONG_CHIP])
                assert desk.flash == wanted(desk, turn)


@CHIPS
def test_one_flipped_bit_in_any_reply_never_passes(tmp_path: Path, chip: str) -> None:
    chance = random.Random(8)
    for turn in range(60):
        desk = small_desk(tmp_path / str(turn), chip, turn)
        with desk.session() as flasher:
            for _ in range(chance.randrange(120)):
                desk.twin.faults.late(0.0)
            desk.twin.faults.flip_bit(chance.randrange(16), chance.randrange(8))
            flasher.write(raw(turn), start=START, allow=[Risk.UNKNOWN, Risk.WRONG_CHIP])
        assert desk.flash == wanted(desk, turn)


@CHIPS
def test_bytes_lost_by_an_adapter_cost_time_and_nothing_else(tmp_path: Path, chip: str) -> None:
    desk = small_desk(tmp_path, chip, 3, port={"adapter": "pl2303"})
    report = write(desk, 3)
    assert desk.flash == wanted(desk, 3)
    assert report.repeated > 0 or any("did not work" in event.why for event in desk.told(RateChanged))


def test_a_damaged_address_that_erased_elsewhere_is_put_back(tmp_path: Path) -> None:
    """An erase whose address lost a bit on its way: outside the range, and answered as done."""
    desk = small_desk(tmp_path, "N", 5, sr=0)
    with desk.session() as flasher:
        flasher.read()
        original = desk.twin.faults.request
        struck = []

        def request(data: bytes) -> bytes:
            if data[:8] == bytes.fromhex("01 E0 FC FF F4 06 00 0F") and not struck:
                struck.append(data)
                data = data[:11] + bytes((data[11] ^ 0x04,)) + data[12:]  # 0x20000 becomes 0x60000
            return original(data)

        desk.twin.faults.request = request  # type: ignore[method-assign]
        flasher.write(raw(5), start=START, allow=[Risk.UNKNOWN, Risk.WRONG_CHIP])
    assert struck
    assert desk.flash == wanted(desk, 5)
    assert any("put back from the backup" in getattr(event, "words", "") for event in desk.events)
