"""Flashers that know nothing of us meet the twin on a pseudo-terminal, and take it for a chip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from tests.image.boards import Board
from tests.peers.rig import FAMILY, PEERS
from wattrail.image import Chip
from wattrail.twin.bootrom import AT_ONCE, BootTiming, BootTwin
from wattrail.twin.bootrom.serve import serve_boot

ChipName = Literal["N", "M", "T"]
WHOLE = 1 << 21
APP = 0x11000

WORKS = pytest.mark.parametrize(
    ("peer", "chip"), [(peer, chip) for chip in ("N", "T", "M") for peer in ("bk7231tools", "ltchiptool")]
)


@pytest.fixture(scope="module")
def images() -> dict[str, bytes]:
    """Flash with a known bootloader (an M's is known to nobody), code, blank parts, a MAC, settings."""
    return {chip.name: Board(chip).dump for chip in (Chip.N, Chip.M, Chip.T)}


@WORKS
def test_it_says_which_chip_it_has_met(peer: str, chip: ChipName, images: dict[str, bytes]) -> None:
    twin = BootTwin(chip, image=images[chip], timing=AT_ONCE)
    with serve_boot(twin, auto_reset=True) as served:
        said = PEERS[peer].say(PEERS[peer].info, device=served.path, family=FAMILY[chip])
    wanted = {
        "N": ("BK7231N", "eb 60 15", "FULL"),
        "M": ("BK7231N", "eb 60 15", "FULL", "unknown bootloader crc"),
        "T": ("BK7231T", "BASIC_TUYA", "1.0.5"),
    }
    for word in wanted[chip]:
        assert word.lower() in said.lower()
    if peer == "ltchiptool":
        assert "C8:47:8C:01:02:FE" in said  # the MAC, from the radio's block
        key = {"N": "510fb093 a3cbeadc 5993a17e c7adeb03", "M": "00000000 00000000", "T": "Finished in"}
        assert key[chip] in said


@WORKS
def test_it_reads_all_of_the_flash(peer: str, chip: ChipName, images: dict[str, bytes], tmp_path: Path) -> None:
    file = tmp_path / "dump.bin"
    twin = BootTwin(chip, image=images[chip], timing=AT_ONCE)
    with serve_boot(twin, auto_reset=True) as served:
        PEERS[peer].say(PEERS[peer].read, device=served.path, family=FAMILY[chip], baud=921600, length=WHOLE, file=file)
    assert file.read_bytes() == images[chip]
    assert twin.flash.data == images[chip]


@WORKS
def test_it_writes_an_image_and_reads_it_back_in_a_second_session(
    peer: str, chip: ChipName, images: dict[str, bytes], tmp_path: Path
) -> None:
    file, back = tmp_path / "image.bin", tmp_path / "back.bin"
    start = APP if chip == "T" else 0  # the bootloader of a T lies below, and must not be lost
    image = Board(Chip[chip], seed=2).dump
    file.write_bytes(image[start:])
    twin = BootTwin(chip, image=images[chip], timing=AT_ONCE)
    with serve_boot(twin, auto_reset=True) as served:
        known = {"device": served.path, "family": FAMILY[chip], "baud": 2_000_000}
        said = PEERS[peer].say(PEERS[peer].write, file=file, start=hex(start), **known)
        assert twin.flash.data == images[chip][:start] + image[start:]
        PEERS[peer].say(PEERS[peer].read, file=back, length=WHOLE, **known)
    assert "retrying" not in said
    assert back.read_bytes() == twin.flash.data


@pytest.mark.parametrize("peer", list(PEERS))
@pytest.mark.parametrize("chip", ["N", "T"])
def test_it_gets_on_with_a_chip_that_takes_its_time(peer: str, chip: ChipName, tmp_path: Path) -> None:
    file, back = tmp_path / "image.bin", tmp_path / "back.bin"
    piece = bytes(reversed(range(256))) * 64
    file.write_bytes(piece)
    twin = BootTwin(chip, timing=replace(BootTiming(), erase_4k_s=0.06))
    with serve_boot(twin, auto_reset=True) as served:
        known = {"device": served.path, "family": FAMILY[chip], "baud": 921600}
        said = PEERS[peer].say(PEERS[peer].write, file=file, start=hex(APP), **known)
        PEERS[peer].say(PEERS[peer].read, file=back, length=APP + len(piece), **known)
    assert "retrying" not in said
    assert back.read_bytes()[APP:] == piece


@pytest.mark.parametrize("peer", list(PEERS))
def test_it_notices_a_flash_that_cannot_be_programmed(peer: str, images: dict[str, bytes], tmp_path: Path) -> None:
    file = tmp_path / "image.bin"
    file.write_bytes(bytes(4096))
    twin = BootTwin("N", image=images["N"], timing=AT_ONCE)
    twin.flash.wear_out(APP + 7, bits=0x10)
    words = {"family": "bk7231n", "baud": 921600, "start": hex(APP), "file": file}
    with serve_boot(twin, auto_reset=True) as served, pytest.raises(AssertionError, match="does not match"):
        PEERS[peer].say(PEERS[peer].write, device=served.path, **words)
