"""A genuine OpenBeken image, by the command line that people have typed for years, onto a board on a terminal device.

The images are made here, and say what every public build from 1.17.203 to 1.18.302 says, the repository's address and
the templates among it: ``tests.image.boards.openbeken``. An image without those texts was written, a genuine one was
refused as damaged.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome
from tests.cli.flash.conftest import Bench, board
from tests.cli.flash.test_flash_processes import say
from tests.image.boards import Board, openbeken, put
from wattrail.image import Chip
from wattrail.twin.bootrom import AT_ONCE, BootTwin
from wattrail.twin.bootrom.serve import serve_boot


def build(chip: Chip) -> bytes:
    return Board(chip, seed=5, says=openbeken(chip)).qio


@pytest.mark.parametrize("name", ["N", "T", "M"])
def test_a_genuine_image_is_flashed_by_the_classic_command(name: str, home: Path) -> None:
    before, image = board(name).dump, build(Chip[name])
    Path("build.bin").write_bytes(image)
    twin = BootTwin(name, image=before, timing=AT_ONCE)  # type: ignore[arg-type]
    with serve_boot(twin, auto_reset=True) as served:
        line = f"uartprogram build.bin --unprotect -d {served.path}?simulated=yes -w --startaddr 0x0"
        said = say(*line.split())
    assert (said.returncode, "build.bin: done and verified" in said.stdout) == (0, True), said.stderr
    expected = bytearray(before)
    put(expected, 0, image)
    assert bytes(twin.flash.data) == bytes(expected)
    (kept,) = (home / "data/wattrail/boards/simulated").glob("*/backup-*-simulated.bin")
    assert kept.read_bytes() == before


def test_an_app_for_another_chip_behind_the_right_bootloader_needs_a_yes(
    flash: Callable[..., Outcome], bench: Bench
) -> None:
    mixed = board("N").loader + Board(Chip.N, says=openbeken(Chip.T)).ua
    Path("mixed.bin").write_bytes(mixed)
    said = flash("write", "mixed.bin", "--allow", "damaged-image")
    assert said.code == 5
    assert "the QIO image does not say clearly which chip it is for" in said.err
    assert "the build names itself OpenBK7231T" in said.err
    assert "--allow unknown-chip" in said.err
    assert bench.flash == bench.before
