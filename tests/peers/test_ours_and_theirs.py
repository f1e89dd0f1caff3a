"""What one flasher writes another reads: ours through a serial device, as any program opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from tests.image.boards import Board
from tests.peers.rig import FAMILY, PEERS
from wattrail.flasher import Report, open_flasher
from wattrail.image import Chip, recognise
from wattrail.twin.bootrom import AT_ONCE, BootTwin
from wattrail.twin.bootrom.serve import serve_boot

ChipName = Literal["N", "T"]
APP = 0x11000
PAIRS = pytest.mark.parametrize(("peer", "chip"), [(peer, chip) for chip in ("N", "T") for peer in PEERS])


def write(url: str, image: bytes, folder: Path) -> Report:
    with open_flasher(url, folder=folder, patience_s=20) as flasher:
        flasher.connect()
        return flasher.write(recognise(image))


def read(url: str) -> bytes:
    with open_flasher(url, patience_s=20) as flasher:
        flasher.connect()
        return flasher.read()


@PAIRS
def test_what_another_flasher_wrote_is_read_by_ours(peer: str, chip: ChipName, tmp_path: Path) -> None:
    file, board = tmp_path / "image.bin", Board(Chip[chip], seed=2)
    file.write_bytes(board.ua)
    twin = BootTwin(chip, image=Board(Chip[chip]).dump, timing=AT_ONCE)
    with serve_boot(twin, auto_reset=True) as served:
        say = PEERS[peer]
        say.say(say.write, device=served.path, family=FAMILY[chip], baud=921600, file=file, start=hex(APP))
        flash = read(served.url)
    assert flash == twin.flash.data
    assert flash[APP : APP + len(board.ua)] == board.ua


@PAIRS
def test_what_ours_wrote_is_read_by_another_flasher(peer: str, chip: ChipName, tmp_path: Path) -> None:
    file, board = tmp_path / "dump.bin", Board(Chip[chip], seed=2)
    before = Board(Chip[chip]).dump
    twin = BootTwin(chip, image=before, timing=AT_ONCE)
    with serve_boot(twin, auto_reset=True) as served:
        report = write(served.url, board.qio, tmp_path / "boards")
        say = PEERS[peer]
        say.say(say.read, device=served.path, family=FAMILY[chip], baud=921600, length=len(before), file=file)
    assert report.simulated
    assert file.read_bytes() == board.qio + before[len(board.qio) :]
    assert report.backup is not None
    assert report.backup.read_bytes() == before


@pytest.mark.parametrize("chip", ["N", "T"])
def test_a_backup_of_ours_is_put_back_by_another_flasher(chip: ChipName, tmp_path: Path) -> None:
    before = Board(Chip[chip]).dump
    twin = BootTwin(chip, image=before, timing=AT_ONCE)
    start = APP if chip == "T" else 0
    with serve_boot(twin, auto_reset=True) as served:
        report = write(served.url, Board(Chip[chip], seed=2).qio, tmp_path / "boards")
        assert report.backup is not None
        file = tmp_path / "tail.bin"
        file.write_bytes(report.backup.read_bytes()[start:])
        say = PEERS["bk7231tools"]
        say.say(say.write, device=served.path, family=FAMILY[chip], baud=921600, file=file, start=hex(start))
    assert twin.flash.data == before
