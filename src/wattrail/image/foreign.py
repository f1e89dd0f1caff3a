"""Files of other formats that people hand over in place of an image, recognised by content.

An archive, the web page round a download link, a pointer of Git LFS, text that encodes bytes, firmware for another
family of chips. Each comes with the way to the image, where possible one command. Only formats that cannot be mistaken
for code of this family are listed: every one has a signature of three bytes or more, or a structure that is checked.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["Foreign", "recognise_foreign"]

_MAX_TEXT_LOOKED_AT: Final = 4096
"""Bytes in which a text shows what it is: the first lines of every text format here are shorter."""

_MIN_ENCODED: Final = 64
"""Characters from which on a text of nothing but base64 or hexadecimal digits is taken for encoded bytes."""

_MIN_DIGITS: Final = 8
"""Different digits in such a text; fewer are somebody's pattern."""

_FETCH: Final = (
    "download the file itself, not the page about it (on GitHub: 'Download raw file'): curl -L -o image.bin URL"
)
_OTHER_FAMILY: Final = "use the firmware for the BK7231 in the module, for example OpenBK7231N_QIO_<version>.bin"


@dataclass(frozen=True, slots=True)
class Foreign:
    """A format that is not a firmware image of this family. ``what`` reads after "the file is"."""

    what: str
    remedy: str

    def hint(self, file: str = "FILE") -> str:
        """The way to an image; ``file`` is the name as a shell takes it."""
        return self.remedy.replace("{file}", file)

    @property
    def is_zip(self) -> bool:
        """Whether ``zipped`` can look inside."""
        return self is _ZIP


_ZIP: Final = Foreign("a zip archive", "unpack it: unzip {file}")

_SIGNATURES: Final = (
    (b"PK\x03\x04", _ZIP),
    (b"PK\x05\x06", _ZIP),
    (b"\x1f\x8b\x08", Foreign("a gzip archive", "unpack it: gzip -dc {file} > image.bin")),
    (b"\xfd7zXZ\x00", Foreign("an xz archive", "unpack it: xz -dc {file} > image.bin")),
    (b"BZh", Foreign("a bzip2 archive", "unpack it: bzip2 -dc {file} > image.bin")),
    (b"7z\xbc\xaf\x27\x1c", Foreign("a 7-Zip archive", "unpack it: 7z x {file}")),
    (b"Rar!\x1a\x07", Foreign("a RAR archive", "unpack it: unrar x {file}")),
    (b"\x28\xb5\x2f\xfd", Foreign("a Zstandard archive", "unpack it: zstd -d {file} -o image.bin")),
    (
        b"\x00\x05\x16\x07",
        Foreign(
            "an AppleDouble file: what macOS keeps beside a file, not the file",
            "take the file whose name lacks the leading '._'",
        ),
    ),
    (
        b"\x7fELF",
        Foreign("an ELF program, as a linker makes it", "use the .uf2 or QIO file that the same build makes from it"),
    ),
    (b"%PDF-", Foreign("a PDF document", _FETCH)),
    (b"\x89PNG\r\n\x1a\n", Foreign("a PNG picture", _FETCH)),
    (b"\xff\xd8\xff", Foreign("a JPEG picture", _FETCH)),
)
_TAR: Final = (257, b"ustar", Foreign("a tar archive", "unpack it: tar -xf {file}"))

_ESP: Final = Foreign("firmware for an ESP8266 or ESP32", _OTHER_FAMILY)
_ESP_MAGIC: Final = 0xE9
_ESP32_BOOTLOADER: Final = 0x1000
_ESP_ENTRIES: Final = range(0x4000_0000, 0x5080_0000)
_ESP_SEGMENTS: Final = range(0x3C00_0000, 0x6000_0000)
"""Where code and data of the family lie: instruction memory, and everything an image loads."""

_GIT_LFS: Final = b"version https://git-lfs.github.com/spec/"
_HTML: Final = re.compile(
    rb"\s*(?:<!doctype html|<html|<head|(?:<\?xml[^>]*>|<!--.*?-->)\s*<(?:!doctype html|html))", re.I | re.S
)
_XML: Final = re.compile(rb"\s*<\?xml\s", re.I)
_JSON: Final = re.compile(rb"\s*(?:\{\s*(?:\"|\})|\[\s*[\[{\"])")
_INTEL_HEX: Final = re.compile(rb"\s*:((?:[0-9A-Fa-f]{2}){5,})\s")
_S_RECORD: Final = re.compile(rb"\s*S[0-9]((?:[0-9A-Fa-f]{2}){3,})\s")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/\s]+={0,2}\s*")
_HEX: Final = re.compile(rb"[0-9A-Fa-f\s]+")


def recognise_foreign(data: bytes) -> Foreign | None:
    """The format of a file that is not an image of this family; None for everything else, images among it."""
    return next(_formats(data), None)


def _formats(data: bytes) -> Iterator[Foreign]:
    yield from (found for signature, found in _SIGNATURES if data.startswith(signature))
    at, signature, found = _TAR
    if data[at : at + len(signature)] == signature:
        yield found
    # A whole flash of an ESP32 begins with 4 KiB of FF: its bootloader stands at 0x1000.
    if _is_esp(data) or (not data[:_ESP32_BOOTLOADER].strip(b"\xff") and _is_esp(data[_ESP32_BOOTLOADER:])):
        yield _ESP
    yield from _texts(data)


def _is_esp(data: bytes) -> bool:
    """Header, entry address and first segment; the segments of an ESP32 begin 16 bytes later than those of an ESP8266.

    Source: esptool, image format.
    """
    if len(data) < 32 or data[0] != _ESP_MAGIC or not 1 <= data[1] <= 16 or data[2] > 5:
        return False
    (entry,) = struct.unpack_from("<I", data, 4)
    if entry not in _ESP_ENTRIES:
        return False
    segments = (struct.unpack_from("<II", data, at) for at in (8, 24))
    return any(address in _ESP_SEGMENTS and 0 < length < 1 << 24 for address, length in segments)


def _texts(data: bytes) -> Iterator[Foreign]:
    # Some editors put a byte order mark before a text.
    start = data[:_MAX_TEXT_LOOKED_AT].removeprefix(b"\xef\xbb\xbf")
    if start.startswith(_GIT_LFS):
        yield Foreign(
            "a pointer of Git LFS: it refers to the file and does not contain it",
            "fetch the file it stands for, in its repository: git lfs pull --include {file}",
        )
    if _HTML.match(start):
        yield Foreign("a web page (HTML)", _FETCH)
    if _XML.match(start):
        yield Foreign("an XML document", _FETCH)
    if _JSON.match(start) and b"\0" not in start:
        yield Foreign("a JSON document", _FETCH)
    yield from _encoded(data, start)


def _encoded(data: bytes, start: bytes) -> Iterator[Foreign]:
    """Texts that encode bytes; the first record's checksum is part of the recognition."""
    # With its checksum a record of the one adds up to 0, of the other to FF.
    if (record := _INTEL_HEX.match(start)) and sum(bytes.fromhex(record[1].decode())) % 256 == 0:
        yield Foreign("Intel HEX", "make bytes of it: objcopy -I ihex -O binary {file} image.bin")
    if (record := _S_RECORD.match(start)) and sum(bytes.fromhex(record[1].decode())) % 256 == 0xFF:
        yield Foreign("Motorola S-records", "make bytes of it: objcopy -I srec -O binary {file} image.bin")
    if len(data) < _MIN_ENCODED:
        return
    # The start first: nearly every file fails there, and its megabytes are not searched.
    if _HEX.fullmatch(start) and _HEX.fullmatch(data) and len(set(data)) > _MIN_DIGITS:
        yield Foreign("hexadecimal digits as text", "make bytes of it: xxd -r -p {file} image.bin")
    if _BASE64.fullmatch(start) and _BASE64.fullmatch(data) and _looks_encoded(data):
        yield Foreign("base64 text", "make bytes of it: base64 -d {file} > image.bin")


def _looks_encoded(data: bytes) -> bool:
    """Long lines of mixed characters: no list of words, and no single character over and over."""
    lines = data.split()
    whole = sum(map(len, lines))
    return whole % 4 == 0 and whole >= _MIN_ENCODED and whole >= 40 * len(lines) and len(set(data)) > 16
