"""Updates over the air of a genuine firmware by its genuine bootloader, also with the power cut in between."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Collection

import pytest

from tests.twin_cbu.genuine import FOLDER, asked, image, openbeken
from wattrail.bk7231 import Chip
from wattrail.image import convert, recognise
from wattrail.image.convert import OutputKind
from wattrail.image.layout import LAYOUTS
from wattrail.image.rbl import build_ota
from wattrail.twin import Board
from wattrail.twin.bootrom.flash import NorFlash
from wattrail.twin.cbu.board import FirmwareSilent
from wattrail.twin.cbu.cpu import CpuFault
from wattrail.twin.cbu.firmware import ChipLetter, LoadedFirmware

CUTS = int(os.environ.get("CUTS", "0"))
SEED = 7
APP = 0x10000
INSTALL_S = 150.0
CHIPS = (Chip.N, Chip.T)
LETTERS: dict[Chip, ChipLetter] = {Chip.N: "N", Chip.T: "T"}
SECTOR = 0x1000

OPENBEKEN, LIBRETINY = "Main_Init_After_Delay done", "setup() finished"
UPDATES = (
    (Chip.N, "OpenBeken-v1.18.219_bk7231n", "version 1.18.219", OPENBEKEN),
    (Chip.N, "ESPHome-Kickstart-v25.05.28_bk7231n", "LibreTiny v1.8.0", LIBRETINY),
    (Chip.T, "OpenBK7231T_QIO_1.18.302_berry", "version 1.18.302_berry", OPENBEKEN),
    (Chip.T, "OpenBeken-v1.18.219_bk7231t", "version 1.18.219", OPENBEKEN),
)
"""Chip, image, and what it says when it begins and when it has started. The first of a chip is for the cuts."""


def container(name: str) -> bytes:
    """An update in a container: the vendor's packager made it (UG), or we do of a whole image."""
    return convert(recognise(image(name)), OutputKind.RBL)


def uploaded(board: Board, update: bytes) -> None:
    board.wait_for("softap: 1", within=40)
    board.run(2.0)
    assert str(len(update)).encode() in asked(board, "/api/ota", body=update)


@pytest.mark.skipif(not FOLDER, reason="no images: make firmware FIRMWARE=folder")
@pytest.mark.parametrize(("chip", "name", "said", "started"), UPDATES, ids=[name for _, name, _, _ in UPDATES])
def test_the_bootloader_installs_what_came_over_http(chip: Chip, name: str, said: str, started: str) -> None:
    update = container(name)
    with Board(openbeken(chip, "")) as board:
        board.wait_for("version 1.18.300", within=10)
        uploaded(board, update)

        board.reset()

        board.wait_for(said, within=INSTALL_S, new=True)
        board.wait_for(started, within=20)
        assert not board.machine.undefined


class Flashes:
    """Copies of the flash at certain writes: what is left where the power goes at that moment.

    Every second is torn: of that program only the first bytes were done, of that erase some bits rose, by chance.
    """

    def __init__(self, board: Board, wanted: Collection[int] = ()) -> None:
        self.writes = 0
        self.kept: dict[int, tuple[bytes, str]] = {}
        self._flash = board.machine.flash
        self._wanted = frozenset(wanted)
        self._torn = frozenset(sorted(wanted)[1::2])
        self._before = b""
        self._chance = random.Random(SEED)
        board.machine.on_flash.append(self._written)

    def _written(self, address: int, length: int) -> None:
        self.writes += 1
        if self.writes in self._torn:
            self.kept[self.writes] = self._tear(address, length)
        elif self.writes in self._wanted:
            self.kept[self.writes] = bytes(self._flash.data), ""
        if self.writes + 1 in self._torn:
            self._before = bytes(self._flash.data)

    def _tear(self, address: int, length: int) -> tuple[bytes, str]:
        left, fraction = NorFlash(self._flash.mid, image=self._before, seed=self.writes), self._chance.random()
        if length < SECTOR:
            left.tear_program(address, self._flash.read(address, length), fraction)
        else:
            left.tear_erase(address, length, fraction)
        return bytes(left.data), f", {fraction:.0%} of it done"


def powered_on(chip: Chip, flash: bytes, wanted: Collection[int] = ()) -> tuple[str, Flashes]:
    """Power on with this flash; what starts and what it says of itself, and copies of the flash on the way."""
    with Board(LoadedFirmware(LETTERS[chip], flash, 0, "flash")) as board:
        copies = Flashes(board, wanted)
        try:
            return board.wait_for(", version ", within=INSTALL_S), copies
        except (FirmwareSilent, CpuFault) as error:
            return f"nothing starts: {error}", copies


NEEDS_CUTS = pytest.mark.skipif(CUTS < 2, reason="takes seconds a cut: make firmware FIRMWARE=folder CUTS=50")


def shown(capsys: pytest.CaptureFixture[str], chip: Chip, phase: str, flashes: Flashes) -> list[str]:
    """Power on after each cut, and print what came of it."""
    outcomes = []
    for write, (flash, torn) in flashes.kept.items():
        said, after = powered_on(chip, flash)
        outcomes.append(said)
        with capsys.disabled():
            more = f", after {after.writes} more writes" if after.writes else ""
            sys.stdout.write(f"\n  {chip.value}, {phase}: cut at write {write} of {flashes.writes}{torn}: {said}{more}")
            sys.stdout.flush()
    return outcomes


@NEEDS_CUTS
@pytest.mark.parametrize("chip", CHIPS)
def test_after_a_cut_in_the_upload_the_old_firmware_starts(chip: Chip, capsys: pytest.CaptureFixture[str]) -> None:
    update = container(next(name for of, name, _, _ in UPDATES if of is chip))
    wanted = {*random.Random(SEED).sample(range(1, len(update) // 32), CUTS // 2)}
    with Board(openbeken(chip, "")) as board:
        upload = Flashes(board, wanted)
        uploaded(board, update)

    outcomes = shown(capsys, chip, "upload", upload)

    assert len(outcomes) == CUTS // 2
    assert all("version 1.18.300" in said for said in outcomes)


@NEEDS_CUTS
@pytest.mark.parametrize("chip", CHIPS)
def test_after_a_cut_in_the_installation_the_new_one_starts(
    chip: Chip, compiled: Callable[..., bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    code = compiled("small", at=APP).ljust(32 << 10, b"\0") + chance.randbytes(64 << 10)  # does not compress
    update, flash = build_ota(code, version="2"), bytearray(openbeken(chip, ""))
    waiting = LAYOUTS[chip]["download"].start
    flash[waiting : waiting + len(update)] = update
    said, rehearsal = powered_on(chip, bytes(flash))
    assert said == "small, version 2"
    _, install = powered_on(chip, bytes(flash), {*chance.sample(range(1, rehearsal.writes), CUTS - CUTS // 2)})

    outcomes = shown(capsys, chip, "installation", install)

    assert len(outcomes) == CUTS - CUTS // 2
    assert all(said == "small, version 2" for said in outcomes)
