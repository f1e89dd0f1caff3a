"""Which chip an image is for: a build's own name with its version, and what contradicts it is never called damage.

Names and texts are those of public builds: OpenBeken 1.17.203 to 1.18.302, LibreTiny 1.8.0, Tuya's of 2020 to 2025.
Earlier tests held only a build's own name, so that a search for a bare part of it passed them.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.image.boards import VECTORS, Board, openbeken
from wattrail.image import (
    TUYA_KEY,
    ZERO_KEY,
    Chip,
    Confidence,
    ImageKind,
    add_rbl,
    build_ota,
    crypt,
    pack,
    recognise,
    ug,
)
from wattrail.image.chips import build_names, chip_in
from wattrail.image.convert import pack_with_rbl


@pytest.mark.parametrize("chip", [chip for chip in Chip if chip is not Chip.Q], ids=lambda chip: chip.value)
def test_a_genuine_openbeken_image_names_its_chip_and_nothing_against_it(chip: Chip) -> None:
    image = recognise(Board(chip, says=openbeken(chip)).qio)
    assert (image.kind, image.chip) == (ImageKind.QIO, chip)
    assert (image.problems, image.chip_contradictions) == ((), ())
    assert any("the build names itself OpenBK72" in reason for reason in image.chip_reasons)


@pytest.mark.parametrize("chip", [chip for chip in Chip if chip is not Chip.Q], ids=lambda chip: chip.value)
def test_an_openbeken_app_alone_names_its_chip(chip: Chip) -> None:
    image = recognise(Board(chip, says=openbeken(chip)).ua)
    assert (image.chip, image.chip_confidence, image.chip_contradictions) == (chip, Confidence.LIKELY, ())


@pytest.mark.parametrize(
    "text",
    [
        b"https://example.invalid/OpenBK7231T_App",
        b"https://example.invalid/OpenBK7231T_1.18.300/latest",
        b"OpenBK7231N_%02X%02X%02X%02X",
        b"/OpenBK7231T_.*.rbl/",
        b"OpenBK7231T",
        b"OpenBK7231T_App",
        b"update to OpenBK7231T_1.18.300",
        b"OpenBK7231T_1.18.300 is out",
        b"a LibreTiny v1.8.0 on generic-bk7231t-qfn32-tuya, compiled at noon",
        b"LibreTiny v1.8.0 on generic-rtl8710bn, compiled at noon",
        b"github://libretiny-eu/esphome-kickstart/yaml/import-bk7231n.yaml",
        b"*********** finally result 7231N **********",
        b"arm-none-eabi-addr2line -e beken7231n.elf -a -f",
    ],
)
def test_a_chip_named_in_passing_is_not_the_name_of_the_build(text: bytes) -> None:
    assert list(build_names(b"\0" + text + b"\0")) == []


@pytest.mark.parametrize(
    ("text", "chip"),
    [
        (b"OpenBK7231N_1.18.300", Chip.N),
        (b"OpenBK7231T 1.18.302_berry Aug 18 2026 20:05:25", Chip.T),
        (b"OpenBK7231T_2178_merge_bde63cebc7e3", Chip.T),
        (b"OpenBK7252N_1.18.300", Chip.BK7252N),
        (b"LibreTiny v1.8.0 on generic-bk7231t-qfn32-tuya, compiled at May 28 2025 16:16:19", Chip.T),
        (b"LibreTiny v1.8.0 on generic-bk7252, compiled at May 28 2025 16:16:19", Chip.BK7252),
        (b"LibreTiny v1.9.1 on cbu, compiled at May 28 2025 16:16:19", Chip.N),
        (b"LibreTiny v1.9.1 on wb2l-m1, compiled at May 28 2025 16:16:19", Chip.N),
        (b"LibreTiny v1.9.1 on wb3s, compiled at May 28 2025 16:16:19", Chip.T),
        (b"< BUILD AT:2025_01_07_14_25_09 BY ci_manage FOR tuyaos-iot AT bk7231n >", Chip.N),
        (b"< BUILD AT:2020_09_25_17_24_52 BY embed FOR ty_iot_wf_bt_sdk_bk AT bk7231t >", Chip.T),
        (b"< BUILD AT:2021_09_26_11_33_20 BY embed FOR ty_iot_sdk_bk7231 AT bk7231 >", Chip.Q),
    ],
)
def test_a_name_with_a_version_is_the_builds_own(text: bytes, chip: Chip) -> None:
    assert [found for found, _ in build_names(b"\1" + text + b"\0")] == [chip]


def test_a_version_names_a_chip_only_as_a_word() -> None:
    assert chip_in("25.05.28-bk7231n") is Chip.N
    assert chip_in("BK7231S") is Chip.T
    assert chip_in("beken7231n") is None
    assert chip_in("xbk7231n") is None


def test_an_app_for_another_chip_contradicts_its_bootloader_undamaged() -> None:
    mixed = Board(Chip.N).loader + Board(Chip.N, says=openbeken(Chip.T)).ua
    image = recognise(mixed)
    assert (image.chip, image.problems) == (Chip.N, ())
    assert image.chip_contradictions == (
        "the build names itself OpenBK7231T 1.18.300 Aug  2 2026 19:38:04, which speaks for BK7231T",
    )


def test_an_update_is_opened_for_the_name_inside() -> None:
    """OpenBeken's updates carry no chip in their header."""
    package = build_ota(VECTORS + b"\0" + openbeken(Chip.T) + bytes(64), version="1.18.219")
    image = recognise(ug.wrap(package, "1.18.219"))
    assert (image.kind, image.chip, image.chip_contradictions) == (ImageKind.UG, Chip.T, ())


def test_an_update_under_another_key_is_not_called_damaged() -> None:
    package = bytearray(build_ota(VECTORS * 20, compress=False, encrypt=False))
    package[4:8] = (0x103).to_bytes(4, "little")  # an encryption that cannot be undone here
    package[92:96] = zlib.crc32(bytes(package[:92])).to_bytes(4, "little")
    image = recognise(bytes(package))
    assert (image.kind, image.problems, image.chip) == (ImageKind.RBL, (), None)


def test_a_bootloader_without_encipherment_is_known_by_its_record() -> None:
    """The loader of an image for M, without its RBL header: nothing but its own words tells it from an app."""
    code = bytearray(Board(Chip.M).loader)
    code[0x10F00:] = b"\xff" * (len(code) - 0x10F00)
    image = recognise(bytes(code))
    assert (image.kind, image.chip, image.base) == (ImageKind.BOOTLOADER, Chip.M, 0)
    assert "it is a bootloader: it holds the version BK7231N_1.0.1" in image.reasons[0]


def test_a_bootloader_file_that_ends_with_its_table_is_whole() -> None:
    """As toolkits have it before it is sealed: code and table of partitions, packed, nothing behind."""
    whole = Board(Chip.BK7238).loader[: (0xD200 + 192) // 32 * 34]
    image = recognise(whole)
    assert (image.kind, image.chip, image.problems) == (ImageKind.BOOTLOADER, Chip.BK7238, ())
    cut = recognise(Board(Chip.M).loader[:0x8000])
    assert (cut.kind, cut.chip) == (ImageKind.BOOTLOADER, Chip.M)
    assert "a bootloader's partition has 0x11000" in str(cut.problems)


def test_a_bootloader_before_packing_is_not_an_app() -> None:
    loader = Board(Chip.BK7238).loader
    code = b"".join(loader[at : at + 32] for at in range(0, 0xD2C0 // 32 * 34, 34))
    image = recognise(code)
    assert (image.kind, image.chip) == (ImageKind.PLAIN, Chip.BK7238)
    assert "it is a bootloader: it holds the version BK7238_1.0.15" in image.reasons


def test_bare_settings_of_tuya_are_named() -> None:
    """The last 0x12000 bytes of a flash, as some tools save them."""
    image = recognise(Board(Chip.T).dump[0x1EE000:])
    assert (image.kind, image.confidence, image.problems) == (ImageKind.TUYA, Confidence.LIKELY, ())
    assert [(span.flash, span.length) for span in image.ranges] == [(0x1EE000, 0x12000)]
    assert image.settings == ("Tuya settings, their key at byte 0x0 of the file",)


def test_a_production_image_with_three_apps_is_whole() -> None:
    """Tuya's for the T2 (an N) are longer than an app partition, end with a header, and are not taken for cut dumps."""
    board = Board(Chip.N)
    more = b"".join(
        pack_with_rbl(add_rbl(crypt(Board(Chip.N, seed=seed).code[:0x8000], TUYA_KEY, at), 0x20000))
        for seed, at in ((5, 0x118700), (6, 0x138700))
    )
    image = recognise(board.qio + more)
    assert (image.kind, image.chip, image.problems) == (ImageKind.QIO, Chip.N, ())
    assert "3 programs end to end behind the bootloader: a production image" in image.reasons
    cut = recognise((board.qio + more)[:-0x3000])
    assert cut.kind is ImageKind.DUMP
    assert cut.problems


def test_an_image_with_openbekens_settings_is_not_a_cut_dump() -> None:
    """OpenBeken's builder appends settings: the image ends behind them, and has no calibration of any board."""
    board = Board(Chip.T, says=openbeken(Chip.T))
    image = recognise(board.qio.ljust(0x1E1000, b"\xff") + board.dump[0x1E1000:0x1E2000])
    assert (image.kind, image.chip, image.problems) == (ImageKind.QIO, Chip.T, ())
    cut = recognise(board.dump[:0x1E2000])
    assert (cut.kind, len(cut.problems)) == (ImageKind.DUMP, 1)  # a board's calibration is in it: a dump, cut


def test_info_says_which_chips_are_only_recognised(wattrail: Type, tmp_path: Path) -> None:
    file = tmp_path / "7238.bin"
    file.write_bytes(Board(Chip.BK7238, says=openbeken(Chip.BK7238)).qio)
    said = wattrail("image", "info", str(file))
    assert "chip: BK7238, likely; wattrail does not flash this chip" in said.out
    found = json.loads(wattrail("image", "info", str(file), "--json").out)
    assert (found["chip"], found["flashable"], found["chip_contradictions"]) == ("BK7238", False, [])


def test_info_lists_what_contradicts_the_chip(wattrail: Type, tmp_path: Path) -> None:
    file = tmp_path / "mixed.bin"
    file.write_bytes(Board(Chip.N).loader + Board(Chip.N, says=openbeken(Chip.T)).ua)
    said = wattrail("image", "info", str(file))
    assert "  but: the build names itself OpenBK7231T 1.18.300" in said.out
    assert "problem:" not in said.out


def test_an_app_without_a_name_says_nothing_of_its_chip() -> None:
    assert recognise(pack(crypt(Board(Chip.N).code, ZERO_KEY, 0x10000))).chip is None
