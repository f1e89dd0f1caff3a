"""What is refused before anything is touched, and the word that would allow it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flasher.desk import Desk, board, known_image, over
from wattrail.errors import ImageError, WriteRefused
from wattrail.flasher import Risk
from wattrail.image import recognise


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
    error = refused(desk, known_image(kind="ua"), "belongs at 0x11000, not at 0x0", start=0)
    assert error.risk == "wrong-place"
    assert error.hint == "leave the start away; 'wrong-place', allowed in words, overrules this"


def test_an_update_file_is_not_something_that_lies_in_flash(desk: Desk) -> None:
    from wattrail.image import build_ota

    error = refused(desk, recognise(build_ota(board("N", 2).code)), "RBL container is not something that lies in flash")
    assert "wattrail image convert" in str(error.hint)


def test_bytes_of_no_known_kind(desk: Desk) -> None:
    image = recognise(b"hello, this is no firmware" * 400)
    assert refused(desk, image, "unknown file .*nobody said where").risk == "unknown-image"


def test_bytes_of_no_known_kind_are_written_when_both_is_said(desk: Desk) -> None:
    text = b"hello, this is no firmware" * 400
    desk.write(recognise(text), start=0x1D2000, allow=[Risk.UNKNOWN])
    assert desk.flash == desk.before[:0x1D2000] + text + desk.before[0x1D2000 + len(text) :]


def test_allowed_without_a_place_it_is_still_refused(desk: Desk) -> None:
    with desk.session() as flasher, pytest.raises(ImageError, match="place in flash is not known"):
        flasher.write(recognise(b"hello" * 1000), allow=[Risk.UNKNOWN])


def test_an_app_that_does_not_say_for_which_chip_is_written_with_a_word_about_it(desk: Desk) -> None:
    image = known_image(kind="ua")
    assert image.chip is None
    desk.write(image, name="app.bin")
    assert "app.bin does not tell which chip it is for" in " ".join(getattr(e, "words", "") for e in desk.events)


def test_nothing_overrules_the_end_of_the_flash(desk: Desk) -> None:
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
    with desk.session() as flasher, pytest.raises(ImageError, match="'apple' is no partition") as caught:
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


def test_less_than_a_flash_is_not_restored(desk: Desk) -> None:
    with desk.session() as flasher, pytest.raises(WriteRefused, match="no dump of the whole flash"):
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
