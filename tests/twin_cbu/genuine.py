"""Images of a person's own folder, FIRMWARE, for the tests that need a certain one."""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path

import pytest

from wattrail.bk7231 import Chip
from wattrail.image.openbeken_configuration import configuration_place, default_configuration
from wattrail.twin import Board

FOLDER = os.environ.get("FIRMWARE", "")
FLASH_BYTES = 1 << 21
MAC = bytes.fromhex("c8478c000001")


def image(name: str) -> bytes:
    """An image of the folder by its name, with or without the ending. Skips the test where there is none."""
    found = sorted(Path(FOLDER).rglob(f"{name}*.bin"), key=lambda path: len(path.name)) if FOLDER else []
    if not found:
        pytest.skip(f"no image {name}*.bin: make firmware FIRMWARE=folder")
    return found[0].read_bytes()


def openbeken(chip: Chip, commands: str, *, broker: tuple[str, int] | None = None) -> bytes:
    """OpenBeken 1.18.300 in a whole flash, with a startup command in its configuration."""
    settings = default_configuration(chip, MAC).with_text("startup_command", commands)
    if broker:
        settings = settings.with_text("mqtt_host", broker[0]).with_number("mqtt_port", broker[1])
    flash = bytearray(image(f"Open{chip.value}_QIO_1.18.300").ljust(FLASH_BYTES, b"\xff"))
    place = configuration_place(chip)
    sector = settings.sector()
    flash[place.start : place.start + len(sector)] = sector
    return bytes(flash)


def asked(board: Board, path: str, *, body: bytes | None = None) -> bytes:
    """What the firmware's web server answers."""
    request = urllib.request.Request(f"http://127.0.0.1:{board.network().port()}{path}", data=body)

    def ask() -> bytes:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return bytes(answer.read())

    return board.run_while(ask, within=300)


def command(board: Board, text: str) -> bytes:
    """Type a command of OpenBeken's console, over HTTP."""
    return asked(board, "/cm?cmnd=" + text.replace(" ", "%20"))
