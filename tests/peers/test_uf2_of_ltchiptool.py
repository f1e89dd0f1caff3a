"""UF2 files as ltchiptool makes them for LibreTiny and ESPHome: what its flasher would write is what we write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.image.boards import Board
from tests.peers.rig import PEERS
from wattrail.image import Chip, ImageKind, OutputKind, as_flash_image, build_ota, convert, recognise

MAKE = (
    "uf2 write -o {out} -b generic-{family}-qfn32-tuya -L 1.9.0 -F blink:1.0 -d 1700000000"
    " {app}=flasher:app {update}=device:download"
)


@pytest.mark.parametrize("chip", [Chip.N, Chip.T], ids=lambda chip: chip.value)
def test_the_app_in_it_comes_out_byte_for_byte_with_its_chip(chip: Chip, tmp_path: Path) -> None:
    board, app, update, out = Board(chip, seed=2), tmp_path / "app.crc", tmp_path / "ota.rbl", tmp_path / "out.uf2"
    app.write_bytes(board.ua)
    update.write_bytes(build_ota(board.code))
    PEERS["ltchiptool"].say(MAKE, out=out, family=chip.value.lower(), app=app, update=update)
    image = recognise(out.read_bytes())
    assert (image.kind, image.chip, image.problems) == (ImageKind.UF2, chip, ())
    lies = as_flash_image(image)
    assert (lies.kind, lies.chip, lies.base, lies.flash) == (ImageKind.UA, chip, 0x11000, board.ua)
    assert convert(image, OutputKind.PLAIN) == board.code
