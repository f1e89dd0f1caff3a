"""UG: Tuya's wrapping of an update, 32 bytes in front of an RBL container.

    55 AA 55 AA  version[12]  size  sum of all bytes that follow the header  sum of these 24 bytes  AA 55 AA 55

Its numbers are big-endian. Source: bk7231-image/ug.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from wattrail.errors import ImageError

__all__ = ["HEADER", "MAGIC", "UgHeader", "decode_ug", "unwrap", "wrap"]

MAGIC: Final = b"\x55\xaa\x55\xaa"
HEADER: Final = 32
_END: Final = b"\xaa\x55\xaa\x55"
_FIELDS: Final = struct.Struct(">4s12sIII4s")


@dataclass(frozen=True, slots=True)
class UgHeader:
    """The header: version, and what follows it, in bytes and as their sum."""

    version: str
    size: int
    byte_sum: int

    def encode(self) -> bytes:
        """The 32 bytes. Raises ImageError for a version that does not fit."""
        version = self.version.encode("ascii", "replace")
        if len(version) > 12:
            raise ImageError(f"UG version: {self.version!r} has {len(version)} bytes, 12 fit")
        body = _FIELDS.pack(MAGIC, version, self.size, self.byte_sum, 0, _END)[:24]
        return body + sum(body).to_bytes(4, "big") + _END


def decode_ug(data: bytes) -> UgHeader:
    """The header at the start of some bytes. Raises ImageError naming the field, what was got and what was wanted."""
    if len(data) < HEADER:
        raise ImageError(f"the UG header is cut off after {len(data)} of {HEADER} bytes", offset=len(data))
    magic, version, size, byte_sum, own, end = _FIELDS.unpack_from(data)
    for field, got, want, offset in (("magic", magic, MAGIC, 0), ("end mark", end, _END, 28)):
        if got != want:
            raise ImageError(f"UG {field}: got {got.hex(' ')}, want {want.hex(' ')}", offset=offset)
    want_sum = sum(data[:24])
    if own != want_sum:
        raise ImageError(f"UG header sum: got {own:#x}, want {want_sum:#x}", offset=24)
    text = version.partition(b"\0")[0].decode("ascii", "backslashreplace")
    return UgHeader(text, size, byte_sum)


def wrap(package: bytes, version: str) -> bytes:
    """An RBL container with a UG header in front."""
    return UgHeader(version[:12], len(package), sum(package) & 0xFFFFFFFF).encode() + package


def unwrap(data: bytes) -> tuple[UgHeader, bytes]:
    """The header, and the container behind it. Raises ImageError naming the field that does not fit."""
    header = decode_ug(data)
    package = data[HEADER : HEADER + header.size]
    if len(package) != header.size:
        raise ImageError(
            f"UG size: {header.size}, but only {len(package)} bytes follow the header",
            offset=len(data),
            hint="the file was cut short: fetch it again",
        )
    if sum(package) & 0xFFFFFFFF != header.byte_sum:
        raise ImageError(f"UG byte sum: got {header.byte_sum:#x}, want {sum(package) & 0xFFFFFFFF:#x}", offset=20)
    return header, package
