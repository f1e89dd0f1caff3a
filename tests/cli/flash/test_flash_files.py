"""Files that people hand over: looked at before the port, refused by what they are, taken where they can be."""

from __future__ import annotations

import io
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, Type
from tests.cli.flash.conftest import PORT, Bench, board, written
from tests.image.boards import libretiny_uf2
from wattrail.image import OutputKind, convert, recognise

PAGE = b"<!DOCTYPE html>\n<html><head><title>Releases</title></head></html>"
OF_T = 0x675A40B0

NEVER_AN_IMAGE = {
    "first byte missing": (board("N", 2).ua[1:], "nothing in the packed code can be placed in flash"),
    "empty": (b"", "the file is empty"),
}
NOT_WITHOUT_A_WORD = {
    "web page": (PAGE, "is a web page (HTML), not a firmware image", "unknown-image"),
    "notes": (b"shopping list", "the unknown file is not a flash image", "unknown-image"),
    "update": (
        convert(recognise(board("N", 2).ua), OutputKind.UG),
        "the UG container is not a flash image",
        "unknown-image",
    ),
    "app of no chip": (board("N", 2).ua, "nothing in the UA image says which chip it is for", "unknown-chip"),
    "cut": (board("N", 2).qio[:-100], "the image is damaged", "damaged-image"),
}
NO_DUMP = {
    "zeros": (bytes(1 << 21), "not a dump of the whole flash: every byte is 00"),
    "web page": (PAGE.ljust(1 << 21), "is a web page (HTML), not a firmware image"),
    "rotated": (board("N", 2).rotated, "not a dump of the whole flash: it is rotated"),
    "shifted": (board("N", 2).dump[1:] + b"\xff", "not a dump of the whole flash: it is shifted"),
    "image": (board("N", 2).qio, "not a dump of the whole flash: it is a QIO image"),
    "short": (board("N", 2).dump[:-4096], "not a dump of the whole flash: it has 0x1ff000 bytes"),
}
EVERY_WORD = (
    "wrong-chip", "unknown-chip", "damaged-image", "unknown-image", "wrong-place", "bootloader", "rf", "no-backup",
)  # fmt: skip
ALL_ALLOWED = tuple(word for risk in EVERY_WORD for word in ("--allow", risk))


@pytest.fixture
def file(home: Path) -> Callable[[bytes], str]:
    """A file with such bytes; its name."""

    def made(data: bytes, name: str = "file.bin") -> str:
        Path(name).write_bytes(data)
        return name

    return made


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


# ---- refused before a port is opened


@pytest.mark.parametrize("verb", [("write",), ("write", "--dry-run"), ("recover",), ("verify",)], ids=" ".join)
@pytest.mark.parametrize(("data", "error"), NEVER_AN_IMAGE.values(), ids=NEVER_AN_IMAGE)
def test_a_file_with_nothing_to_place_is_always_refused_before_the_port(
    flash: Type, bench: Bench, file: Callable[[bytes], str], verb: tuple[str, ...], data: bytes, error: str
) -> None:
    allowed = () if verb == ("verify",) else ALL_ALLOWED
    said = flash(verb[0], *(["--start", "0x11000"] if verb[0] == "write" else []), file(data), *verb[1:], *allowed)
    assert said.code == 5
    assert f"error: {error}" in said.err
    assert "--allow" not in said.err  # no word helps, so none is named
    assert bench.opened == []


@pytest.mark.parametrize("verb", [("write",), ("write", "--dry-run"), ("recover",)], ids=" ".join)
@pytest.mark.parametrize(("data", "error", "risk"), NOT_WITHOUT_A_WORD.values(), ids=NOT_WITHOUT_A_WORD)
def test_what_the_file_shows_is_refused_before_the_port_safe_way_first(
    flash: Type, bench: Bench, file: Callable[[bytes], str], verb: tuple[str, ...], data: bytes, error: str, risk: str
) -> None:
    said = flash(verb[0], file(data), *verb[1:])
    assert said.code == 5
    lines = said.err.splitlines()
    assert lines[0].startswith("error: ")
    assert error in lines[0]
    assert lines[1].startswith("hint: ")
    assert lines[2:] == [f"use --allow {risk} to override"]
    assert bench.opened == []


@pytest.mark.parametrize(
    ("data", "error"), [*NEVER_AN_IMAGE.values(), *[case[:2] for case in NOT_WITHOUT_A_WORD.values()]]
)
def test_the_old_command_line_looks_at_the_file_first_too(
    wattrail: Type, bench: Bench, file: Callable[[bytes], str], data: bytes, error: str
) -> None:
    said = wattrail("uartprogram", file(data), "-w", "-d", PORT)
    assert said.code == 5
    assert error in said.err.splitlines()[0]
    assert bench.opened == []


def test_an_unknown_part_in_such_a_file_is_refused_before_the_port(
    flash: Type, bench: Bench, file: Callable[[bytes], str]
) -> None:
    said = flash("write", file(board("N", 2).qio), "--part", "tuya-kv")
    assert (said.code, said.err.splitlines()[0]) == (1, "error: the image holds nothing of the partition tuya-kv")
    assert bench.opened == []


@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)], ids=["restore", "dry run"])
@pytest.mark.parametrize(("data", "error"), NO_DUMP.values(), ids=NO_DUMP)
def test_what_is_not_a_dump_is_not_restored_whatever_is_allowed(
    flash: Type, bench: Bench, file: Callable[[bytes], str], data: bytes, error: str, dry_run: tuple[str, ...]
) -> None:
    # A dry run once listed the sectors that would be written; with --allow rf the zeros were written.
    said = flash("restore", file(data), *dry_run, *ALL_ALLOWED)
    assert said.code == 5
    assert error in said.err.splitlines()[0]
    assert "--allow" not in said.err
    assert (bench.opened, bench.flash) == ([], bench.before)


def refusals_of(flash: Type, *words: str) -> tuple[Outcome, Outcome]:
    return flash(*words), flash(*words, "--dry-run")


@pytest.mark.parametrize(
    "words",
    [
        ("write", "t.bin"),
        ("write", "t.bin", "--allow", "unknown-chip", "--allow", "damaged-image"),
        ("write", "foreign.bin", "--part", "rf"),
        ("restore", "foreign.bin"),
        ("restore", "t.dump"),
        ("erase", "--part", "rf"),
    ],
    ids=" ".join,
)
def test_a_dry_run_refuses_what_the_real_run_refuses(
    flash: Type, bench: Bench, file: Callable[..., str], words: tuple[str, ...]
) -> None:
    foreign = bytearray(board("N", 2).dump)
    foreign[0x1D0030] ^= 1
    file(bytes(foreign), "foreign.bin")
    file(board("T", 2).qio, "t.bin")
    file(board("T", 2).dump, "t.dump")
    real, dry = refusals_of(flash, *words)
    assert (real.code, dry.code) == (5, 5)
    errors = [
        [line for line in said.err.splitlines() if line.startswith(("error", "hint", "to do"))] for said in (real, dry)
    ]
    assert errors[0] == errors[1] != []
    assert bench.flash == bench.before


def test_a_damaged_dump_needs_a_word_and_then_goes_back(
    flash: Type, bench: Bench, file: Callable[[bytes], str]
) -> None:
    hurt = bytearray(board("N", 2).dump)
    hurt[0x40000] ^= 1
    said = flash("restore", file(bytes(hurt)))
    assert (said.code, said.err.splitlines()[-1]) == (5, "use --allow damaged-image to override")
    assert flash("restore", "file.bin", "--allow", "damaged-image").code == 0
    assert bench.flash == bytes(hurt)


def test_a_backup_of_this_board_goes_back_as_damaged_as_the_board_was(flash: Type, bench: Bench, home: Path) -> None:
    hurt = bytearray(board("N").dump)
    hurt[0x40000] ^= 1
    bench.build("N", image=bytes(hurt))
    Path("new.bin").write_bytes(board("N", 2).qio)
    assert flash("write", "new.bin").code == 0
    assert flash("restore").code == 0
    assert bench.flash == bytes(hurt)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name on this system")
@pytest.mark.parametrize("verb", ["write", "restore", "recover", "verify"])
def test_a_pipe_is_not_a_file_and_nobody_waits_for_it(flash: Type, bench: Bench, home: Path, verb: str) -> None:
    os.mkfifo("pipe.bin")
    said = flash(verb, "pipe.bin")
    assert (said.code, said.err.splitlines()[0]) == (2, "error: pipe.bin is a pipe, not a file")
    assert bench.opened == []


# ---- taken


def test_a_zip_with_one_image_in_it_is_written(flash: Type, bench: Bench, file: Callable[..., str]) -> None:
    file(zipped(("OpenBK7231N_QIO.bin", board("N", 2).qio), ("readme.txt", b"read me")), "release.zip")
    said = flash("write", "release.zip")
    assert said.code == 0
    assert said.err.startswith("release.zip is a zip archive with one image in it: OpenBK7231N_QIO.bin is taken\n")
    assert bench.flash == written()


def test_a_zip_with_one_dump_in_it_is_put_back(flash: Type, bench: Bench, file: Callable[..., str]) -> None:
    file(zipped(("stock.bin", board("N", 2).dump)), "stock.zip")
    assert flash("restore", "stock.zip").code == 0
    assert bench.flash == board("N", 2).dump


@pytest.mark.parametrize("verb", ["flash", "uartprogram"])
def test_a_uf2_file_is_written_without_a_question(
    wattrail: Type, flash: Type, bench: Bench, file: Callable[..., str], verb: str
) -> None:
    # Its family number says which chip it is for; 'flash write' once named 'image convert', which named 'image info'.
    file(libretiny_uf2(board("N", 2).ua), "esphome.uf2")
    said = (
        flash("write", "esphome.uf2")
        if verb == "flash"
        else wattrail("uartprogram", "esphome.uf2", "-w", "-d", PORT, "--reset", "rts")
    )
    assert said.code == 0
    assert "esphome.uf2: done and verified" in said.out
    assert bench.flash == written()
    assert flash("verify", "esphome.uf2").code == 0


def test_a_uf2_file_for_another_chip_is_refused(flash: Type, bench: Bench, file: Callable[..., str]) -> None:
    # The app in it says nothing: an app for T has the key and the place of one for N.
    file(libretiny_uf2(board("T", 2).ua, family=OF_T), "esphome.uf2")
    said = flash("write", "esphome.uf2", "--allow", "unknown-chip", "--allow", "damaged-image")
    assert said.code == 5
    assert "the image is for a BK7231T (its blocks carry the family number of BK7231T)" in said.err
    assert said.err.splitlines()[-1] == "use --allow wrong-chip to override"
    assert bench.flash == bench.before


def test_a_converted_update_is_still_for_its_chip(
    wattrail: Type, flash: Type, bench: Bench, file: Callable[..., str]
) -> None:
    update = convert(recognise(libretiny_uf2(board("T", 2).ua, family=OF_T)), OutputKind.UG)
    file(update, "kickstart.ug.bin")
    assert wattrail("image", "convert", "kickstart.ug.bin", "app.bin", "--to", "ua").code == 0
    said = flash("write", "app.bin")
    assert said.code == 5
    assert "the image is for a BK7231T" in said.err
    assert bench.flash == bench.before


@pytest.mark.parametrize(
    ("data", "verb"),
    [(convert(recognise(board("N", 2).qio), OutputKind.UG), "write"), (board("N", 2).rotated, "restore")],
    ids=["update", "rotated"],
)
def test_the_command_in_a_refusal_makes_what_is_taken(
    wattrail: Type, flash: Type, bench: Bench, file: Callable[..., str], data: bytes, verb: str
) -> None:
    refused = flash(verb, file(data))
    (hint,) = (line for line in refused.err.splitlines() if line.startswith("hint: "))
    command = hint.partition(": wattrail ")[2].replace("FILE", "file.bin").replace("OUT", "out.bin")
    assert wattrail(*command.split()).code == 0
    assert flash(verb, "out.bin").code == 0
    made = recognise(Path("out.bin").read_bytes())
    assert bench.flash[made.base :].startswith(made.flash)
    assert convert(recognise(bench.flash), OutputKind.PLAIN) == board("N", 2).code


def test_a_conversion_that_cannot_keep_the_chip_says_so(wattrail: Type, file: Callable[..., str]) -> None:
    file(board("N", 2).qio, "qio.bin")
    said = wattrail("image", "convert", "qio.bin", "app.bin", "--to", "ua")
    assert "note: app.bin does not say that it is for a BK7231N; keep that in its name" in said.err


def test_a_foreign_file_goes_to_its_start_once_that_is_allowed(
    flash: Type, bench: Bench, file: Callable[..., str]
) -> None:
    file(PAGE, "index.html")
    assert flash("write", "index.html", "--start", "0x1d2000", "--allow", "unknown-image").code == 0
    assert bench.flash == bench.before[:0x1D2000] + PAGE + bench.before[0x1D2000 + len(PAGE) :]


def test_noise_is_not_written_where_an_app_belongs_without_a_word(
    flash: Type, bench: Bench, file: Callable[..., str]
) -> None:
    file(random.Random(3).randbytes(0x1000), "noise.bin")
    said = flash("write", "noise.bin", "--start", "0x11000", "--allow", "damaged-image", "--allow", "unknown-chip")
    assert (said.code, said.err.splitlines()[-1]) == (5, "use --allow unknown-image to override")
    assert bench.flash == bench.before
