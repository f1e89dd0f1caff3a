"""What is refused before anything is touched, and the word that would allow it."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.flasher.desk import Desk, board, known_image, over
from wattrail.bootrom import Identity, Responder
from wattrail.errors import ImageError, WriteRefused
from wattrail.flasher import Flasher, FlashTarget, Risk
from wattrail.flasher.safety_checks import check, check_dump_file, check_file
from wattrail.image import pack, recognise
from wattrail.image.code import strip


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def refused(desk: Desk, image, match: str, **options) -> WriteRefused:
    """The refusal, and that nothing was touched for it."""
    sr = desk.twin.flash.sr
    with desk.session() as flasher, pytest.raises(WriteRefused, match=match) as caught:
        flasher.write(image, **options)
    assert desk.flash == desk.before
    assert desk.twin.flash.sr == sr
    assert not list(desk.folder.rglob("*.jsonl"))
    return caught.value


def test_an_image_for_another_chip(desk: Desk) -> None:
    error = refused(desk, known_image("T"), "for a BK7231T .*, the chip is a BK7231N")
    assert error.risk == "wrong-chip"
    assert "take the image for the BK7231N" in str(error.hint)


def test_an_image_for_an_n_on_an_m(tmp_path: Path) -> None:
    assert (
        refused(Desk(tmp_path, "M"), known_image("N"), "for a BK7231N .*, the chip is a BK7231M").risk == "wrong-chip"
    )


def test_a_truncated_image(desk: Desk) -> None:
    error = refused(desk, recognise(board("N", 2).qio[:-0x20000]), "damaged: .*(cut short|without)")
    assert error.risk == "damaged-image"


def test_a_mis_packed_image(desk: Desk) -> None:
    broken = bytearray(board("N", 2).qio)
    broken[0x40000] ^= 1
    assert refused(desk, recognise(bytes(broken)), "damaged: at 0x3fffc: block 5662").risk == "damaged-image"


def test_an_image_at_the_wrong_place(desk: Desk) -> None:
    error = refused(desk, known_image(kind="ua"), "belongs at 0x11000, not at 0x0", start=0, allow=[Risk.UNKNOWN_CHIP])
    assert error.risk == "wrong-place"
    assert error.hint == "leave the start away"


def test_an_update_file_is_not_a_flash_image(desk: Desk) -> None:
    from wattrail.image import build_ota

    error = refused(desk, recognise(build_ota(board("N", 2).code)), "RBL container is not a flash image")
    assert "wattrail image convert" in str(error.hint)


def test_bytes_of_no_known_kind(desk: Desk) -> None:
    image = recognise(b"hello, this is no firmware" * 400)
    assert refused(desk, image, "unknown file .*no start address").risk == "unknown-image"


def test_bytes_of_no_known_kind_are_written_when_both_is_said(desk: Desk) -> None:
    text = b"hello, this is no firmware" * 400
    desk.write(recognise(text), start=0x1D2000, allow=[Risk.UNKNOWN])
    assert desk.flash == desk.before[:0x1D2000] + text + desk.before[0x1D2000 + len(text) :]


def test_allowed_without_a_place_it_is_still_refused(desk: Desk) -> None:
    with desk.session() as flasher, pytest.raises(ImageError, match="does not say where it belongs in flash"):
        flasher.write(recognise(b"hello" * 1000), allow=[Risk.UNKNOWN])


def test_an_app_that_does_not_say_for_which_chip_is_a_question(desk: Desk) -> None:
    # It was written with a note that nobody reads. An app for T has the key and the place of one for N: on an N it does
    # not start, and nothing in the file or on the wire tells.
    image = known_image(kind="ua")
    assert image.chip is None
    assert refused(desk, image, "nothing in the UA image says which chip it is for").risk == "unknown-chip"
    desk.write(image, allow=[Risk.UNKNOWN_CHIP])
    assert desk.flash == over(desk.before, image)


@pytest.mark.parametrize("allowed", [risk for risk in Risk if risk is not Risk.UNKNOWN_CHIP])
def test_no_other_word_answers_the_question_about_the_chip(desk: Desk, allowed: Risk) -> None:
    assert refused(desk, known_image(kind="ua"), "which chip it is for", allow=[allowed]).risk == "unknown-chip"


def test_allowing_damage_does_not_allow_another_chip(desk: Desk) -> None:
    broken = bytearray(board("T", 2).qio)
    broken[0x40000] ^= 1
    error = refused(desk, recognise(bytes(broken)), "for a BK7231T .*, the chip is a BK7231N", allow=[Risk.DAMAGED])
    assert error.risk == "wrong-chip"


def test_allowing_another_chip_does_not_allow_damage(desk: Desk) -> None:
    broken = bytearray(board("T", 2).qio)
    broken[0x40000] ^= 1
    assert refused(desk, recognise(bytes(broken)), "damaged", allow=[Risk.WRONG_CHIP]).risk == "damaged-image"


def test_code_under_another_key_is_always_for_another_chip(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "M")  # its eFuse is empty: code under the key of Tuya's modules is noise to it
    error = refused(desk, known_image(kind="ua"), "enciphered with another key", allow=[Risk.UNKNOWN_CHIP])
    assert error.risk == "wrong-chip"


def test_a_chip_that_was_not_recognised_is_unknown_and_not_wrong() -> None:
    identity = Identity(None, Responder.BOOTLOADER, ("its bootloader is in no list",))
    target = FlashTarget(identity, Responder.BOOTLOADER, 1 << 21, size_is_measured=False)
    with pytest.raises(WriteRefused, match="not known which chip this is: its bootloader is in no list") as caught:
        check(known_image(), target, None, [Risk.WRONG_CHIP])
    assert caught.value.risk == "unknown-chip"


def test_an_image_that_contradicts_itself_about_the_chip_is_a_question(desk: Desk) -> None:
    image = replace(known_image(), chip_contradictions=("the code names itself OpenBK7231T",))
    error = refused(desk, image, "does not say clearly which chip .*OpenBK7231T", allow=[Risk.DAMAGED])
    assert error.risk == "unknown-chip"


# ---- nothing to write


def test_a_file_without_its_first_byte_has_nothing_to_place(desk: Desk) -> None:
    # It was "done and verified" with 0 sectors: no block is where blocks belong, so not one byte has a place in flash.
    image = recognise(board("N", 2).ua[1:])
    error = refused(desk, image, "nothing in the packed code can be placed in flash: .*1 bytes are missing", allow=Risk)
    assert error.risk == ""
    with desk.session() as flasher, pytest.raises(WriteRefused, match="nothing in the packed code can be placed"):
        flasher.verify(image)


def test_an_empty_file_is_refused_even_with_a_place(desk: Desk) -> None:
    assert refused(desk, recognise(b""), "the file is empty", start=0x1D2000, allow=Risk).risk == ""


def test_a_write_of_the_radio_block_alone_needs_leave_even_in_a_preview(desk: Desk) -> None:
    rf = recognise(board("N", 2).dump[0x1D0000:0x1D1000])
    words = {"start": 0x1D0000, "allow": [Risk.UNKNOWN]}
    assert refused(desk, rf, "they exist on this board only", **words).risk == "rf"
    with desk.session() as flasher, pytest.raises(WriteRefused, match="they exist on this board only"):
        flasher.preview(rf, **words)
    assert refused(desk, recognise(board("N", 2).dump), "exist on this board", parts=["rf"]).risk == "rf"


def test_packed_code_that_does_not_tell_its_place_is_not_written_at_0(desk: Desk) -> None:
    image = recognise(pack(random.Random(4).randbytes(0x4000)))
    with desk.session() as flasher, pytest.raises(ImageError, match="does not say where it belongs in flash"):
        flasher.write(image, allow=list(Risk))
    assert desk.flash == desk.before


def test_a_bootloader_that_is_the_same_counts_as_right_already(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "T")
    report = desk.write(recognise(board("T").loader))
    assert (report.touched, report.untouched) == (0, 0x11)
    assert desk.flash == desk.before


def test_nothing_overrides_the_end_of_the_flash(desk: Desk) -> None:
    with desk.session() as flasher, pytest.raises(ImageError, match="end behind the flash"):
        flasher.write(known_image(kind="ua"), start=0x180000, allow=list(Risk))
    assert desk.flash == desk.before


def test_another_bootloader_on_a_t(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "T")
    broken = bytearray(board("T", 2).qio)
    broken[0x8000:0x8100] = bytes(0x100)  # not the one that answers here
    error = refused(desk, recognise(bytes(broken)), "another bootloader than the chip", allow=[Risk.DAMAGED])
    assert error.risk == "bootloader"
    assert "part 'app'" in str(error.hint)


def test_a_bootloader_under_a_header_of_another_date_is_the_same(tmp_path: Path) -> None:
    """So it is on real boards: OpenBeken's images for T and stock dumps hold loader 1.0.5 under different headers."""
    desk = Desk(tmp_path, "T")
    image = bytearray(board("T", 2).qio)
    header = bytearray(strip(bytes(image[0x10F9A:0x11000])))
    header[8:12] = (1_600_000_000).to_bytes(4, "little")  # its date, and then its own CRC
    header[92:96] = zlib.crc32(header[:92]).to_bytes(4, "little")
    image[0x10F9A:0x11000] = pack(bytes(header))
    report = desk.write(recognise(bytes(image)))
    assert report.touched > 0
    assert desk.flash[:0x11000] == desk.before[:0x11000]
    assert desk.flash[0x11000 : len(image)] == image[0x11000:]


def test_an_rf_block_where_another_chip_has_it_is_kept_back_too(desk: Desk) -> None:
    """A public BL2028N dump has its RF block at 0x1e0000, with the loader of an N, which has it at 0x1d0000."""
    dump = bytearray(board("N", 2).dump)
    dump[0x1E0000:0x1E1000], dump[0x1D0000:0x1D1000] = dump[0x1D0000:0x1D1000], b"\xff" * 0x1000
    image = recognise(bytes(dump))
    assert image.rf_at == 0x1E0000
    desk.write(image, allow=[Risk.DAMAGED, Risk.UNKNOWN_CHIP])
    for start in (0x1D0000, 0x1E0000):
        assert desk.flash[start : start + 0x1000] == desk.before[start : start + 0x1000]


def test_the_same_bootloader_on_a_t_is_left_alone(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "T")
    image = known_image("T")
    desk.write(image)
    assert desk.flash == over(desk.before, image)


def test_the_app_alone_is_written_to_a_t(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "T")
    broken = bytearray(board("T", 2).qio)
    broken[0x8000:0x8100] = bytes(0x100)
    desk.write(recognise(bytes(broken)), parts=["app"], allow=[Risk.DAMAGED])
    assert desk.flash[:0x11000] == desk.before[:0x11000]
    assert desk.flash[0x11000 : 0x11000 + len(board("T", 2).ua)] == board("T", 2).ua


def test_a_part_nobody_knows(desk: Desk) -> None:
    with desk.session() as flasher, pytest.raises(ImageError, match="no partition 'apple'") as caught:
        flasher.write(known_image(), parts=["apple"])
    assert "known: bootloader, app" in str(caught.value.hint)


def test_a_part_the_image_does_not_hold(desk: Desk) -> None:
    with desk.session() as flasher, pytest.raises(ImageError, match="holds nothing of the partition tuya-kv"):
        flasher.write(known_image(), parts=["tuya-kv"])


def test_the_radio_calibration_stays_even_where_a_whole_dump_is_written(desk: Desk) -> None:
    dump = bytearray(board("N", 2).dump)
    dump[0x1D0000:0x1D0010] = bytes(16)
    report = desk.write(recognise(bytes(dump)), allow=[Risk.DAMAGED])
    assert desk.flash[0x1D0000:0x1D1000] == desk.before[0x1D0000:0x1D1000]
    assert desk.flash[:0x1D0000] == bytes(dump[:0x1D0000])
    assert desk.flash[0x1D1000:] == bytes(dump[0x1D1000:])
    assert "RF block at 0x1d0000 stays" in report.kept[0]


def test_another_boards_dump_is_not_restored(desk: Desk) -> None:
    dump = bytearray(board("N", 2).dump)
    dump[0x1D0024] ^= 1  # another MAC
    with desk.session() as flasher, pytest.raises(WriteRefused, match="another RF block") as caught:
        flasher.restore(recognise(bytes(dump)), name="dump.bin")
    assert caught.value.risk == "rf"
    assert desk.flash == desk.before


def test_a_dump_of_this_board_is_known_by_its_radio_block(tmp_path: Path) -> None:
    # A board under a code key that nobody knows: its dump is an unknown file, and its own all the same.
    flash = random.Random(6).randbytes(0x1D0000) + board("N").dump[0x1D0000:]
    desk = Desk(tmp_path, image=flash)
    dump = recognise(flash[:0x12000] + bytes(0x1000) + flash[0x13000:])
    with desk.session() as flasher:
        assert flasher.preview_restore(dump).differing == (0x12000,)
        flasher.restore(dump)
    assert desk.flash == dump.data


SHIFTED = board("N", 2).dump[1:] + b"\xff"
PAGE = b"<!DOCTYPE html>\n<html><head><title>releases</title></head>".ljust(1 << 21, b" ")


@pytest.mark.parametrize(
    ("dump", "why"),
    [
        (bytes(1 << 21), "every byte is 00"),
        (b"\xff" * (1 << 21), "every byte is FF"),
        (PAGE, "a web page"),
        (board("N", 2).rotated, "rotated"),
        (SHIFTED, "shifted: .*1 bytes are missing"),
        (board("N", 2).qio, "it is a QIO image"),
        (board("N", 2).dump[:-0x1000], "0x1ff000 bytes, and no flash has"),
        (board("N", 2).dump + b"\xff" * (1 << 21), "0x400000 bytes, the flash 0x200000"),
    ],
    ids=["zeros", "ones", "web page", "rotated", "shifted", "image", "short", "of another flash"],
)
def test_no_word_makes_a_dump_of_what_is_none(desk: Desk, dump: bytes, why: str) -> None:
    for ask in (Flasher.restore, Flasher.preview_restore):  # a preview once said what would be written of all of them
        with (
            desk.session() as flasher,
            pytest.raises(WriteRefused, match=f"not a dump of the whole flash: .*{why}") as got,
        ):
            ask(flasher, recognise(dump), allow=Risk)
        assert got.value.risk == ""
    assert desk.flash == desk.before


@pytest.mark.parametrize("ask", [Flasher.restore, Flasher.preview_restore])
def test_each_violation_by_a_dump_has_its_own_word(desk: Desk, ask: Callable[..., object]) -> None:
    hurt = bytearray(board("N", 2).dump)
    hurt[0x40000] ^= 1
    noise = random.Random(6).randbytes(1 << 21)
    foreign = bytearray(board("N", 2).dump)
    foreign[0x1D0024] ^= 1
    other = bytearray(board("T", 2).dump)
    other[0x1D0000:0x1D1000] = desk.before[0x1D0000:0x1D1000]
    for dump, risk in ((hurt, Risk.DAMAGED), (noise, Risk.UNKNOWN), (foreign, Risk.RF), (other, Risk.WRONG_CHIP)):
        others = set(Risk) - {risk}
        with desk.session() as flasher, pytest.raises(WriteRefused) as caught:
            ask(flasher, recognise(bytes(dump)), allow=others)
        assert caught.value.risk == risk.value
    assert desk.flash == desk.before


def test_less_than_a_flash_is_not_restored(desk: Desk) -> None:
    with desk.session() as flasher, pytest.raises(WriteRefused, match="not a dump of the whole flash"):
        flasher.restore(known_image())


def test_without_a_place_for_the_backup_nothing_is_written(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.folder = None  # type: ignore[assignment]
    with desk.session() as flasher, pytest.raises(WriteRefused, match="where the backup goes") as caught:
        flasher.write(known_image())
    assert caught.value.risk == "no-backup"
    assert desk.flash == desk.before


def test_a_file_that_exists_is_not_replaced_by_a_backup(desk: Desk, tmp_path: Path) -> None:
    holiday = tmp_path / "holiday.jpg"
    holiday.write_bytes(b"beach")
    with desk.session() as flasher, pytest.raises(WriteRefused, match="exists already"):
        flasher.write(known_image(), backup=holiday)
    assert holiday.read_bytes() == b"beach"
    assert desk.flash == desk.before


DUMP = board("N").dump


@pytest.mark.parametrize(
    ("file", "why", "way"),
    [
        pytest.param(b"\xff" * len(DUMP), "every byte is FF", "erase a flash with 'wattrail flash erase'", id="blank"),
        pytest.param(DUMP[0x11000:] + DUMP[:0x11000], "begins at 0x11000 and wraps", "to=dump", id="rotated"),
        pytest.param(DUMP[0x11000:], "it begins at 0x11000 of a flash", "read the whole flash again", id="no loader"),
        pytest.param(board("N").qio, "it is a QIO image", "'wattrail flash write' writes images", id="an image"),
        pytest.param(b"PK\x03\x04" + DUMP, "it is a zip archive", "unpack it: unzip", id="an archive"),
        pytest.param(DUMP * 3, "bytes, and no flash has", "'wattrail flash write' writes images", id="no flash's size"),
    ],
)
def test_what_cannot_be_restored_is_refused_with_the_way_out(file: bytes, why: str, way: str) -> None:
    with pytest.raises(WriteRefused, match=why) as caught:
        check_dump_file(recognise(file), [Risk.DAMAGED, Risk.UNKNOWN])
    assert way in str(caught.value.hint)
    assert caught.value.risk == "", "no word allows it"


@pytest.mark.parametrize("part", ["bootloader", "download"])
def test_a_part_beside_the_image_is_refused_before_a_port_is_opened(part: str) -> None:
    app = recognise(board("N").qio[0x11000:])
    check_file(app, None, [Risk.UNKNOWN_CHIP], ["app"])
    with pytest.raises(ImageError, match=f"the image holds nothing of the partition {part}"):
        check_file(app, None, [Risk.UNKNOWN_CHIP], [part])
