"""Files that are not images, as people hand them over, and the command that leads from each to the image.

Where a hint names a command of the system, the command is run: what it makes must be the very image.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import random
import shutil
import struct
import subprocess
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.image.boards import Board, libretiny_uf2
from wattrail.errors import ImageError
from wattrail.image import Chip, look_into_zip, recognise_foreign

IMAGE = Board(Chip.N, seed=2).qio


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("image.bin")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def intel_hex(data: bytes) -> bytes:
    """Records of 16 bytes, with the upper half of the address where it changes."""
    lines = []
    for at in range(0, len(data), 16):
        if not at % 0x10000:
            lines.append(_record(struct.pack(">BHBH", 2, 0, 4, at >> 16)))
        chunk = data[at : at + 16]
        lines.append(_record(struct.pack(">BHB", len(chunk), at & 0xFFFF, 0) + chunk))
    return b"\r\n".join([*lines, b":00000001FF", b""])


def _record(body: bytes) -> bytes:
    return b":" + (body + bytes([-sum(body) & 0xFF])).hex().upper().encode()


def s_records(data: bytes) -> bytes:
    bodies = [b"\x03\x00\x00"] + [
        bytes([len(data[at : at + 16]) + 4]) + at.to_bytes(3, "big") + data[at : at + 16]
        for at in range(0, len(data), 16)
    ]
    kinds = [b"S0"] + [b"S2"] * (len(bodies) - 1)
    lines = [
        kind + (body + bytes([~sum(body) & 0xFF])).hex().upper().encode()
        for kind, body in zip(kinds, bodies, strict=True)
    ]
    return b"\n".join([*lines, b""])


def esp(*, esp32: bool) -> bytes:
    """The first bytes of firmware for an ESP. Source: the image format of esptool."""
    head = struct.pack("<4BI", 0xE9, 2, 2, 0x20, 0x40080400 if esp32 else 0x40100004)
    head += bytes(16) if esp32 else b""
    return head + struct.pack("<II", 0x3FFF0018 if esp32 else 0x40100000, 4) + random.Random(1).randbytes(4096)


POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 2097152\n"
)

WITH_A_COMMAND = {
    "gzip": (gzip.compress(IMAGE, mtime=0), "a gzip archive"),
    "xz": (lzma.compress(IMAGE), "an xz archive"),
    "bzip2": (bz2.compress(IMAGE), "a bzip2 archive"),
    "tar": (tarred(IMAGE), "a tar archive"),
    "objcopy": (intel_hex(IMAGE), "Intel HEX"),
    "base64": (base64.encodebytes(IMAGE), "base64 text"),
    "xxd": (IMAGE.hex().encode(), "hexadecimal digits as text"),
}
OTHERS = {
    "web page": (b"\n<!DOCTYPE html>\n<html lang=en>", "a web page (HTML)", "curl -L -o image.bin URL"),
    "page with a mark": (b"\xef\xbb\xbf<html><head>", "a web page (HTML)", "Download raw file"),
    "xhtml": (b"<?xml version='1.0'?>\n<html xmlns='x'>", "a web page (HTML)", "curl"),
    "xml": (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code>", "an XML document", "curl"),
    "json": (json.dumps({"message": "Not Found"}).encode(), "a JSON document", "curl"),
    "json list": (b'[\n {"name": "OpenBK7231N"}]', "a JSON document", "curl"),
    "pointer": (POINTER, "a pointer of Git LFS", "git lfs pull --include FILE"),
    "AppleDouble": (b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(60), "an AppleDouble file", "leading '._'"),
    "esp8266": (esp(esp32=False), "firmware for an ESP8266 or ESP32", "OpenBK7231N_QIO"),
    "esp32": (esp(esp32=True), "firmware for an ESP8266 or ESP32", "OpenBK7231N_QIO"),
    "whole esp32": (b"\xff" * 0x1000 + esp(esp32=True), "firmware for an ESP8266 or ESP32", "OpenBK7231N_QIO"),
    "elf": (b"\x7fELF\1\1\1" + bytes(64), "an ELF program", ".uf2"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4" + bytes(64), "a 7-Zip archive", "7z x FILE"),
    "rar": (b"Rar!\x1a\x07\1\0" + bytes(64), "a RAR archive", "unrar x FILE"),
    "pdf": (b"%PDF-1.7\n", "a PDF document", "curl"),
    "s-records": (s_records(IMAGE[:4096]), "Motorola S-records", "objcopy -I srec -O binary FILE image.bin"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "what", "hint"), OTHERS.values(), ids=OTHERS)
def test_it_is_called_by_its_name_with_the_way_out(data: bytes, what: str, hint: str) -> None:
    found = recognise_foreign(data)
    assert found is not None
    assert found.what.startswith(what)
    assert hint in found.hint()


@pytest.mark.parametrize(("tool", "case"), WITH_A_COMMAND.items(), ids=WITH_A_COMMAND)
def test_the_command_in_the_hint_makes_the_image(
    tool: str, case: tuple[bytes, str], wattrail: Type, home: Path
) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed here")
    Path("it's a file").write_bytes(case[0])
    said = wattrail("image", "info", "it's a file")
    assert said.code == 1
    assert f"error: it's a file is {case[1]}, not a firmware image" in said.err
    _run(said.err.partition("hint: ")[2].partition(": ")[2])
    assert Path("image.bin").read_bytes() == IMAGE


def _run(command: str) -> None:
    subprocess.run(command, shell=True, check=True, timeout=60)  # as the person does who reads it


@pytest.mark.parametrize(
    "data",
    [
        *(getattr(Board(chip), kind) for chip in Chip for kind in ("dump", "rotated", "qio", "ua", "code", "loader")),
        libretiny_uf2(b"\xff" * 512), b"", b"\xff" * 4096, b"shopping list", b"deadbeef", b"[1", b"{not json",
        b":1000000", b"PK", bytes(4096), b"a" * 4096, b"shoppinglist\n" * 64,
    ],
)  # fmt: skip
def test_nothing_else_is_taken_for_a_foreign_file(data: bytes) -> None:
    assert recognise_foreign(data) is None


def test_a_file_beside_which_macos_left_another_is_named(wattrail: Type, home: Path) -> None:
    Path("._new.bin").write_bytes(OTHERS["AppleDouble"][0])
    assert "leading '._'" in wattrail("image", "info", "._new.bin").err
    Path("new.bin").write_bytes(IMAGE)
    said = wattrail("image", "info", "._new.bin")
    assert said.err.splitlines()[-1] == "hint: take the file beside it: new.bin"


# ---- zip archives


def test_a_zip_with_one_image_in_it_is_that_image(wattrail: Type, home: Path) -> None:
    clutter = (("__MACOSX/._dump.bin", b"\0\5\x16\7"), ("readme.txt", b"read me"), ("photo.jpg", b"\xff\xd8\xff\xe0"))
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        Path("report.zip").write_bytes(zipped(("fw/new.bin", IMAGE), *clutter, method=method))
        said = wattrail("image", "info", "report.zip")
        assert said.code == 0
        assert said.out.startswith(f"report.zip: QIO image, certain; {len(IMAGE)} bytes")
        assert said.err == "report.zip is a zip archive with one image in it: fw/new.bin is taken\n"


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed here")
def test_of_two_images_in_a_zip_a_person_takes_one(wattrail: Type, home: Path) -> None:
    Path("two.zip").write_bytes(zipped(("QIO [1].bin", IMAGE), ("app.bin", Board(Chip.N).ua)))
    said = wattrail("image", "info", "two.zip")
    assert (said.code, said.err.splitlines()[0]) == (
        1,
        "error: two.zip is a zip archive with 2 images in it: QIO [1].bin, app.bin",
    )
    _run(said.err.partition("take one of them: ")[2])
    assert Path("image.bin").read_bytes() == IMAGE


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed here")
def test_a_zip_without_an_image_says_what_it_holds(wattrail: Type, home: Path) -> None:
    Path("none.zip").write_bytes(zipped(("notes.txt", b"none yet"), ("blank.bin", b"\xff" * 999)))
    said = wattrail("image", "info", "none.zip")
    assert "error: none.zip is a zip archive without a firmware image: it holds notes.txt, blank.bin" in said.err
    _run(said.err.partition("look at what is in it: ")[2])


def test_names_in_an_archive_do_no_harm(wattrail: Type, home: Path) -> None:
    Path("evil.zip").write_bytes(zipped(("$(touch pwned)\x1b[2J;.bin", IMAGE), ("-d..bin", IMAGE)))
    said = wattrail("image", "info", "evil.zip")
    assert "\x1b" not in said.err
    assert said.err.endswith("hint: unpack it: unzip evil.zip\n")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (zipped(("bomb.bin", bytes(40 << 20))), "unpacks to more than 33554432 bytes"),
        (zipped(*((f"{i}.bin", bytes(30 << 20)) for i in range(3))), "unpacks to more than"),
        (zipped(*((f"{i}", b"") for i in range(300))), "holds 300 files, at most 256 are looked into"),
        (zipped(*((f"{i:0200}", b"") for i in range(3000))), "directory is too large"),
        (zipped(("new.bin", IMAGE))[:-30], "damaged: its directory is missing"),
        (zipped(("new.bin", IMAGE), method=zipfile.ZIP_LZMA), "cannot be read: 'new.bin' is compressed by method 14"),
    ],
    ids=["bomb", "many bombs", "many files", "large directory", "cut", "lzma"],
)  # fmt: skip
def test_an_archive_that_asks_for_too_much_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ImageError, match=why):
        look_into_zip(data)


def test_an_enciphered_archive_says_so() -> None:
    data = bytearray(zipped(("new.bin", IMAGE), method=zipfile.ZIP_STORED))
    at = data.rfind(b"PK\x01\x02")
    data[6] |= 1
    data[at + 8] |= 1
    with pytest.raises(ImageError, match=r"enciphered: 'new\.bin' needs a password"):
        look_into_zip(bytes(data))


def test_a_damaged_archive_is_an_error_with_a_message() -> None:
    whole = zipped(("new.bin", IMAGE), ("readme.txt", b"read me"))
    rng = random.Random(8)
    for _ in range(300):
        hurt = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            hurt[rng.choice((rng.randrange(64), len(hurt) - 1 - rng.randrange(200)))] = rng.randrange(256)
        with suppress(ImageError):  # any other error is a bug
            look_into_zip(bytes(hurt))
