"""Bits that flip on the way, either way. There is no checksum on the wire: no corrupted flash may pass for right."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from tests.flasher.desk import Desk
from wattrail.bootrom.commands import ERASE, WRITE_4K, Command
from wattrail.errors import VerifyError, WattrailError
from wattrail.flasher import RateChanged, Risk
from wattrail.image import recognise
from wattrail.twin.line_faults import flipped

SIZE = 0x80000
START, END = 0x20000, 0x40000
CHIPS = pytest.mark.parametrize("chip", ["N", "T"])


def small_desk(folder: Path, chip: str, seed: int, **options) -> Desk:
    """Half a megabyte of flash, so that many sessions take little time.

    Where no erase comes to whose address has one wrong bit it is blank, which costs one question a block.
    """
    chance = random.Random(seed)
    image = bytearray(chance.randbytes(SIZE))
    for blank, blank_end in ((0x30000, 0x38000), (0x40000, 0x60000)):
        image[blank:blank_end] = b"\xff" * (blank_end - blank)
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


class Damage:
    """Inverts one bit of the k-th request from here on, of those of one command if one is given; counts what passes."""

    def __init__(
        self, desk: Desk, command: Command | None, turn: int = 0, byte: int = 0, bit: int | None = None
    ) -> None:
        self.desk, self.command, self.turn, self.byte, self.bit = desk, command, turn, byte, bit
        self.passed = 0
        self.struck: list[bytes] = []
        self._arrives = desk.twin.faults.request
        desk.twin.faults.request = self._request  # type: ignore[method-assign]

    def _request(self, data: bytes) -> bytes:
        if self.command is None or command_of(data) == self.command.opcode:
            if self.bit is not None and self.passed == self.turn:
                self.struck.append(data)
                data = flipped(data, self.byte % len(data), self.bit)
            self.passed += 1
        return self._arrives(data)


def command_of(request: bytes) -> int | None:
    """The code of a flash command: behind two headers and the length."""
    return request[7] if request[:5] == bytes.fromhex("01 E0 FC FF F4") else None


def requests_of_a_write(folder: Path, chip: str, command: Command | None) -> int:
    """How many there are of a command, or of all, when nothing is damaged."""
    desk = small_desk(folder, chip, 0)
    with desk.session() as flasher:
        counted = Damage(desk, command)
        flasher.write(raw(0), start=START, allow=[Risk.UNKNOWN, Risk.WRONG_CHIP])
    return counted.passed


@CHIPS
@pytest.mark.parametrize(("command", "turns"), [(None, 30), (ERASE, 25), (WRITE_4K, 25)])
def test_one_flipped_bit_in_any_request_never_passes(
    tmp_path: Path, chip: str, command: Command | None, turns: int
) -> None:
    """A bit of the first 16 bytes of the k-th request: where commands, lengths and addresses stand.

    Requests that change flash are few among those that read it: so erases and programs have turns of their own.
    """
    chance = random.Random(7)
    requests = requests_of_a_write(tmp_path / "whole", chip, command)
    assert requests > 1
    for turn in range(turns):
        desk = small_desk(tmp_path / str(turn), chip, turn)
        with desk.session() as flasher:
            damage = Damage(desk, command, chance.randrange(requests), chance.randrange(16), chance.randrange(8))
            with suppress(VerifyError):
                flasher.write(raw(turn), start=START, allow=[Risk.UNKNOWN, Risk.WRONG_CHIP])
                assert desk.flash == wanted(desk, turn), damage.struck[0][:16].hex(" ")
        assert damage.struck


@CHIPS
def test_one_flipped_bit_in_any_reply_never_passes(tmp_path: Path, chip: str) -> None:
    chance = random.Random(8)
    replies = requests_of_a_write(tmp_path / "whole", chip, None)
    for turn in range(60):
        desk = small_desk(tmp_path / str(turn), chip, turn)
        with desk.session() as flasher:
            for _ in range(chance.randrange(replies)):
                desk.twin.faults.late(0.0)
            desk.twin.faults.flip_bit(chance.randrange(16), chance.randrange(8))
            flasher.write(raw(turn), start=START, allow=[Risk.UNKNOWN, Risk.WRONG_CHIP])
        assert desk.flash == wanted(desk, turn)


@CHIPS
def test_bytes_lost_by_an_adapter_cost_time_and_nothing_else(tmp_path: Path, chip: str) -> None:
    desk = small_desk(tmp_path, chip, 3, port={"adapter": "pl2303"})
    report = write(desk, 3)
    assert desk.flash == wanted(desk, 3)
    assert report.repeated > 0 or any("did not work" in event.why for event in desk.events_of(RateChanged))


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
