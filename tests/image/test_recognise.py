"""Every kind of image is known by its content; damage, cuts and wrong beginnings are said and do not hide the kind."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.image.boards import VECTORS, Board, damaged, put, rf_block, uf2
from wattrail.errors import ImageError
from wattrail.image import (
    MAX_FILE_BYTES,
    TUYA_KEY,
    Chip,
    CodeKey,
    Confidence,
    Image,
    ImageKind,
    build_ota,
    code_key,
    crypt,
    pack,
    recognise,
    ug,
)
from wattrail.image.layout import LAYOUTS
from wattrail.image.rbl import RblHeader, add_rbl

BOARDS = [Board(chip) for chip in Chip]


def problems(image: Image) -> str:
    return "\n".join(str(problem) for problem in image.problems)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.chip.value)
@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("loader", ImageKind.BOOTLOADER),
        ("ua", ImageKind.UA),
        ("qio", ImageKind.QIO),
        ("dump", ImageKind.DUMP),
        ("rotated", ImageKind.ROTATED),
    ],
)
def test_every_kind_of_every_chip_is_recognised(board: Board, what: str, kind: ImageKind) -> None:
    image = recognise(getattr(board, what))
    assert (image.kind, image.confidence) == (kind, Confidence.CERTAIN)
    assert image.key == code_key(board.chip)
    nameless = what == "ua" or (board.chip is Chip.Q and what in ("loader", "qio"))
    assert image.chip is (None if nameless else board.chip)
    assert image.chip_contradictions == ()
    assert problems(image) == ("" if what != "rotated" else problems(image))


def test_a_dump_tells_everything_about_its_board(n: Board) -> None:
    image = recognise(n.dump)
    assert (image.chip, image.chip_confidence) == (Chip.N, Confidence.CERTAIN)
    assert image.chip_reasons == (
        "the bootloader's checksum is that of BK7231N 1.0.1",
        "the bootloader calls itself BK7231N_1.0.1",
        "the bootloader's partition table has download at 0x12a000",
        "the RF block is at 0x1d0000",
    )
    assert image.rf is not None
    assert image.rf.mac == "C8:47:8C:01:02:FE"
    assert image.settings == (
        "OpenBeken settings, version 5, at 0x1d1000",
        "Tuya settings, their key at 0x1ee000",
    )
    assert [(c.offset, c.header.name, c.faults) for c in image.containers] == [
        (0x10F9A, "bootloader", ()),
        (0x129F0A, "app", ()),
    ]
    assert [r.name for r in image.ranges] == [p.name for p in LAYOUTS[Chip.N].partitions]
    assert image.reasons[0] == "it begins with a bootloader whose checksum is known"


def test_a_rotated_dump_is_straightened_and_keeps_offsets_of_the_file(t: Board) -> None:
    image = recognise(t.rotated)
    assert image.flash == t.dump
    assert image.data == t.rotated
    assert "it is rotated: its first byte is flash 0x11000" in problems(image)
    places = {r.name: r.offset for r in image.ranges}
    assert t.rotated[places["rf"] :][:4] == b"TLV\0"
    assert places["rf"] == 0x1CF000
    assert places["bootloader"] == 0x1EF000


def turned(flash: bytes, by: int) -> bytes:
    """A flash read from ``by`` on until it wrapped."""
    return flash[by:] + flash[:by]


@pytest.mark.parametrize("by", [0x1000, 0x8000, 0x22000, 0x80000, 0x130000, 0x1D0000, 0x1E0000, 0x1EE000, 0x1FF000])
@pytest.mark.parametrize("chip", ["n", "t"])
def test_a_dump_read_from_any_sector_on_is_straightened(chip: str, by: int, request: pytest.FixtureRequest) -> None:
    board: Board = request.getfixturevalue(chip)
    image = recognise(turned(board.dump, by))
    assert (image.kind, image.chip, image.flash == board.dump) == (ImageKind.ROTATED, board.chip, True)
    assert f"it is rotated: its first byte is flash {by:#x}; straighten it" in problems(image)
    assert image.confidence is Confidence.CERTAIN
    places = {r.name: r.offset for r in image.ranges}
    assert places["bootloader"] == 0x200000 - by
    assert turned(board.dump, by)[places["rf"] :][:4] == b"TLV\0"


@pytest.mark.parametrize("lost", [0x1D0000, 0x1EE000])
def test_a_rotated_dump_with_a_blank_bootloader_is_known_by_its_marks(t: Board, lost: int) -> None:
    flash = bytearray(t.dump)
    put(flash, 0, b"\xff" * 0x11000)
    put(flash, lost, b"\xff" * 0x1000)
    image = recognise(turned(bytes(flash), 0x80000))
    assert (image.kind, image.flash == bytes(flash)) == (ImageKind.ROTATED, True)
    assert "it is rotated: its first byte is flash 0x80000" in problems(image)


def test_a_straight_dump_with_a_lost_sector_is_not_called_rotated(n: Board) -> None:
    flash = n.dump[:0x150000] + n.dump[0x151000:] + b"\xff" * 0x1000
    assert recognise(flash).kind is ImageKind.DUMP
    assert "rotated" not in problems(recognise(b"\xff" * 0x11000 + flash[0x11000:]))


@pytest.mark.parametrize("missing", [0x1000, 0x10000, 1, 4095])
def test_a_short_dump_says_how_much_is_missing(n: Board, missing: int) -> None:
    image = recognise(n.dump[:-missing])
    assert (image.kind, image.chip) == (ImageKind.DUMP, Chip.N)
    assert f"a dump of 2 MiB has 0x200000, {missing} are missing" in problems(image)


def test_a_sector_lost_in_the_middle_is_noticed_by_what_stands_behind_it(n: Board) -> None:
    image = recognise(n.dump[:0x150000] + n.dump[0x151000:])
    assert "4096 are missing" in problems(image)
    assert "the RF block belongs at 0x1d0000: 4096 bytes before it are missing, between 0x129f70 and" in problems(image)


def test_a_dump_without_an_rf_block_says_what_is_lost(n: Board) -> None:
    flash = bytearray(n.dump)
    put(flash, 0x1D0000, b"\xff" * 0x1000)
    assert "no RF block anywhere: calibration and MAC address of this board are lost" in problems(
        recognise(bytes(flash))
    )


def test_an_erased_bootloader_is_reported_and_the_rest_recognised(t: Board) -> None:
    image = recognise(b"\xff" * 0x11000 + t.dump[0x11000:])
    assert (image.kind, image.chip) == (ImageKind.DUMP, Chip.T)
    assert "the bootloader is blank: a T with it will not answer a flasher" in problems(image)
    assert image.loader is None


def test_a_dump_that_begins_with_the_app_says_what_it_lacks(n: Board) -> None:
    image = recognise(n.dump[0x11000:])
    assert (image.kind, image.base, image.chip) == (ImageKind.DUMP, 0x11000, Chip.N)
    assert "it begins at flash 0x11000: the bootloader is missing" in problems(image)


def test_a_changed_bit_in_code_is_named_with_its_block_and_header(n: Board) -> None:
    image = recognise(damaged(n.qio, 0x20000))
    assert image.kind is ImageKind.QIO
    assert image.confidence is Confidence.LIKELY
    assert "at 0x1fffe: block 1807 of the app: CRC-16 is" in problems(image)
    assert "1 of 10241 are bad" in problems(image)  # of those of the code; what stands up to its header is not in use
    assert "RBL of app: package CRC-32: " in problems(image)


def test_bytes_lost_in_the_middle_of_code_differ_from_damage(n: Board) -> None:
    image = recognise(n.qio[:0x20000] + n.qio[0x20003:])
    assert "from there on every block stands 31 bytes too late, or 3 too early: bytes were added or lost" in problems(
        image
    )


@pytest.mark.parametrize("cut", [1, 33, 100])
def test_code_whose_beginning_is_missing_is_still_packed_code(n: Board, cut: int) -> None:
    image = recognise(n.ua[cut:])
    assert (image.kind, image.confidence) == (ImageKind.PACKED, Confidence.POSSIBLE)
    assert f"its first whole block begins at byte {-cut % 34}: " in problems(image)


@pytest.mark.parametrize("length", [0x11001, 0x20000, 0x129000, 0x129F6F])
def test_a_qio_image_cut_short_says_so(n: Board, length: int) -> None:
    image = recognise(n.qio[:length])
    assert image.kind is ImageKind.QIO
    assert "without the RBL header that closes an app" in problems(image)


def test_bytes_after_the_end_of_an_image_are_counted(n: Board) -> None:
    assert "at 0x129f70: 16 bytes follow the RBL header that closes the app" in problems(recognise(n.qio + bytes(16)))


def test_bytes_after_an_app_alone_are_placed_in_the_file_not_in_flash(n: Board) -> None:
    said = problems(recognise(n.ua + bytes(16)))
    assert f"at {len(n.ua):#x}: 16 bytes follow the RBL header that closes the app" in said


def test_openbekens_image_for_t_has_its_header_off_the_grid(t: Board) -> None:
    """Its app's header stands in the last 102 bytes of 0x100000, not a whole number of blocks from the app on."""
    stored = crypt(t.code, TUYA_KEY, 0x10000)
    header = pack(add_rbl(stored, 0xE1000)[-96:])
    data = (t.loader + pack(stored + b"\xff" * 32)).ljust(0xFFF9A, b"\xff") + header
    image = recognise(data)
    assert (len(data), image.kind, image.chip, problems(image)) == (0x100000, ImageKind.QIO, Chip.T, "")
    assert [c.offset for c in image.containers] == [0x10F9A, 0xFFF9A]


def test_a_header_left_by_an_earlier_image_is_not_damage(t: Board) -> None:
    stored = crypt(Board(Chip.T, seed=2).code, TUYA_KEY, 0x10000)
    newer = (t.loader + pack(stored + b"\xff" * 32)).ljust(0xFFF9A, b"\xff") + pack(add_rbl(stored, 0xE1000)[-96:])
    image = recognise(newer + t.dump[len(newer) :])
    assert [(c.offset, c.stale) for c in image.containers] == [(0x10F9A, False), (0xFFF9A, False), (0x129F0A, True)]
    assert (image.kind, problems(image)) == (ImageKind.DUMP, "")
    assert "an RBL header of 'app' at 0x129f0a: left there by an earlier image" in image.reasons


def test_a_file_full_of_headers_is_not_checked_a_thousand_times(n: Board) -> None:
    headers = pack(RblHeader(name="app", raw_size=0x40000, package_size=0x40000).encode()) * 1000
    image = recognise(n.loader + n.ua[: 34 * 0x2000] + headers)
    assert sum(bool(c.faults) for c in image.containers) == 2
    assert len(image.containers) < 70


def test_an_app_that_names_its_chip_is_believed_with_care() -> None:
    code = VECTORS + random.Random(1).randbytes(4000) + b"\0OpenBK7231N_1.18" + bytes(8)
    image = recognise(pack(crypt(code, TUYA_KEY, 0x10000)))
    assert (image.kind, image.chip, image.chip_confidence) == (ImageKind.PACKED, Chip.N, Confidence.LIKELY)
    assert image.chip_reasons == ("the build names itself OpenBK7231N_1.18",)


def test_clues_that_contradict_each_other_are_said(n: Board, t: Board) -> None:
    mixed = bytearray(n.dump)
    put(mixed, 0x1D0000, b"\xff" * 0x1000)
    put(mixed, 0x1E0000, rf_block())
    image = recognise(bytes(mixed))
    assert image.chip is Chip.N
    assert image.chip_contradictions == ("the RF block is at 0x1e0000, which speaks for BK7231T",)
    assert problems(image) == ""  # nothing of it is damaged; an earlier version said so


def test_a_key_nobody_knows_is_not_guessed() -> None:
    board = Board(Chip.N, key=CodeKey(1, 2, 3, 0x12345670))
    image = recognise(board.dump)
    assert (image.kind, image.key, image.chip) == (ImageKind.DUMP, None, Chip.N)
    assert "no known code key makes sense of it" in image.reasons[0]
    assert recognise(board.ua).kind is ImageKind.PACKED


def test_code_without_crcs_is_recognised_by_its_first_words(n: Board) -> None:
    plain = recognise(n.code)
    assert (plain.kind, plain.confidence) == (ImageKind.PLAIN, Confidence.LIKELY)
    stored = recognise(crypt(n.code, TUYA_KEY, 0x10000))
    assert (stored.kind, stored.key, stored.base) == (ImageKind.STORED, TUYA_KEY, 0x11000)


@pytest.mark.parametrize(
    ("data", "kind", "confidence", "said"),
    [
        (b"", ImageKind.BLANK, Confidence.CERTAIN, "the file is empty: nothing was read"),
        (b"\xff" * 4096, ImageKind.BLANK, Confidence.CERTAIN, "every byte is FF"),
        (bytes(4096), ImageKind.BLANK, Confidence.CERTAIN, "every byte is 00"),
        (uf2(9), ImageKind.UF2, Confidence.CERTAIN, ""),
        (uf2(9)[:-512], ImageKind.UF2, Confidence.LIKELY, "8 of 9 blocks are there"),
        (uf2(9)[:300], ImageKind.UF2, Confidence.LIKELY, "not a whole block"),
        (build_ota(VECTORS * 20), ImageKind.RBL, Confidence.CERTAIN, ""),
        (build_ota(VECTORS * 20)[:-1], ImageKind.RBL, Confidence.LIKELY, "package size: "),
        (damaged(build_ota(VECTORS * 20), 100), ImageKind.RBL, Confidence.LIKELY, "package CRC-32: "),
        (damaged(build_ota(VECTORS * 20), 50), ImageKind.RBL, Confidence.LIKELY, "RBL header CRC-32: got"),
        (build_ota(VECTORS * 20) + b"x", ImageKind.RBL, Confidence.LIKELY, "bytes follow the header"),
        (ug.wrap(build_ota(VECTORS * 20), "1.0"), ImageKind.UG, Confidence.CERTAIN, ""),
        (ug.wrap(build_ota(VECTORS * 20), "1.0")[:-1], ImageKind.UG, Confidence.LIKELY, "UG size"),
        (ug.wrap(b"something else", "1.0"), ImageKind.UG, Confidence.LIKELY, "no RBL container follows"),
        (rf_block(), ImageKind.RF, Confidence.LIKELY, ""),
        (random.Random(1).randbytes(9999), ImageKind.UNKNOWN, Confidence.NONE, ""),
        (b"#!/bin/sh\necho\n" * 100, ImageKind.UNKNOWN, Confidence.NONE, ""),
    ],
)
def test_files_of_other_kinds(data: bytes, kind: ImageKind, confidence: Confidence, said: str) -> None:
    image = recognise(data)
    assert (image.kind, image.confidence) == (kind, confidence)
    assert said in problems(image)
    assert image.reasons


def test_an_update_that_names_its_chip_is_believed_with_care() -> None:
    image = recognise(build_ota(VECTORS * 20, version="24.01.01-bk7231n"))
    assert (image.chip, image.chip_confidence) == (Chip.N, Confidence.LIKELY)


def test_a_file_larger_than_any_flash_is_refused() -> None:
    with pytest.raises(ImageError, match="more than any image of this family"):
        recognise(bytes(MAX_FILE_BYTES + 1))


def test_letters_of_a_header_by_chance_are_not_a_header(n: Board) -> None:
    flash = bytearray(n.dump)
    for at in range(0x150000, 0x151000, 16):
        put(flash, at, b"RBL\0")
    assert [c.offset for c in recognise(bytes(flash)).containers] == [0x10F9A, 0x129F0A]


def test_an_update_waiting_in_flash_is_found(n: Board) -> None:
    flash = bytearray(n.dump)
    put(flash, 0x12A000, build_ota(n.code, version="2.0"))
    waiting = recognise(bytes(flash)).containers[-1]
    assert (waiting.offset, waiting.packed, waiting.header.version, waiting.faults) == (0x12A000, False, "2.0", ())


def test_a_header_with_an_unknown_name_is_not_a_reason_to_fail(n: Board) -> None:
    flash = bytearray(n.dump)
    put(flash, 0x129F0A, pack(RblHeader(name="mystery").encode()))
    assert "name: 'mystery' is not a partition with a container" in problems(recognise(bytes(flash)))


SMALL = Board(Chip.N)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_an_image_cut_anywhere_is_recognised_or_refused_plainly(data: st.DataObject) -> None:
    whole = getattr(SMALL, data.draw(st.sampled_from(["loader", "ua", "qio", "dump", "rotated"])))
    start, end = data.draw(st.integers(0, 200)), data.draw(st.integers(0, len(whole)))
    image = recognise(whole[start:end])
    assert image.reasons
    for span in image.ranges:
        assert 0 <= span.offset < max(1, end - start)


@given(st.binary(max_size=2000))
def test_any_bytes_are_recognised_as_something(data: bytes) -> None:
    assert recognise(data).kind in ImageKind


@given(st.binary(min_size=1, max_size=60), st.integers(0, 0x12F00), st.sampled_from(["loader", "qio"]))
@settings(max_examples=60, deadline=None)
def test_an_image_overwritten_anywhere_is_recognised_as_something(junk: bytes, at: int, what: str) -> None:
    flash = bytearray(getattr(SMALL, what)[:0x13000])
    put(flash, at, junk)
    assert recognise(bytes(flash)).reasons


def test_a_damaged_first_block_does_not_hide_what_follows(n: Board) -> None:
    image = recognise(damaged(n.ua, 0x10))
    assert image.kind is ImageKind.UA
    assert "at 0x0: block 0 of the app: CRC-16 is" in problems(image)


@pytest.mark.parametrize("chip", [Chip.N, Chip.T, Chip.M])
def test_a_flash_read_twice_over_is_a_dump(chip: Chip) -> None:
    """The address wraps: 4 MiB asked of a flash of 2. The second copy is off the grid of block CRCs."""
    image = recognise(Board(chip).dump * 2)
    assert (image.kind, image.chip, problems(image)) == (ImageKind.DUMP, chip, "")
