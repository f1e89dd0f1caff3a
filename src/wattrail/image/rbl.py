"""RBL, the container of RT-Thread's over-the-air loader, in its two lives.

In flash it is a header in the last 96 code bytes of a partition. Its checks run over the code as it is enciphered
there, without block CRCs: FNV-1a over ``raw_size`` bytes, CRC-32 over those and a filling of n bytes of value n, where
n is ``package_size - raw_size``. The filling is only in the sum: flash holds FF in its place. A loader that installs
an update leaves the update's own header there instead: its hash runs over the plain code, its package is elsewhere.

Over the air the header comes first and the package follows: plain code, compressed by gzip, enciphered by AES-256-CBC.
CRC-32 runs over the package, FNV-1a over the plain code. Source: bk7231-image/rbl.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from wattrail.bk7231 import MAX_FLASH_BYTES
from wattrail.errors import ImageError, needs_library

__all__ = [
    "HEADER",
    "MAGIC",
    "OTA_IV",
    "OTA_KEY",
    "PACKED_HEADER",
    "Compression",
    "Encryption",
    "RblHeader",
    "add_rbl",
    "build_ota",
    "decode_header",
    "open_ota",
    "package_faults",
    "stored_code",
    "stored_faults",
    "updated_faults",
]

MAGIC: Final = b"RBL\x00"
HEADER: Final = 96
PACKED_HEADER: Final = 102
"""Bytes of a header over the air, and in flash, where its three blocks carry CRCs."""

VERSION_BYTES: Final = 24
"""Of the header's version, with the 0 that ends it."""

FNV_START: Final = 0x811C9DC5

OTA_KEY: Final = b"0123456789ABCDEF0123456789ABCDEF"
OTA_IV: Final = b"0123456789ABCDEF"
"""Text, not digits: the loaders of Tuya's N and T all carry these."""

# In flash it carries block CRCs like the code before it, but is not enciphered. Source: bk7231-image/rbl.
_FIELDS: Final = struct.Struct("<4sII16s24s24sIIIII")
_AES_BLOCK = 16
_FILLING: Final = 16
"""Bytes of FF that end the code before an RBL header in flash, and again of the filling that only its CRC-32 sees."""


class Encryption(IntEnum):
    """Low byte of ``algo``."""

    NONE = 0
    XOR = 1
    AES256 = 2


class Compression(IntEnum):
    """Second byte of ``algo``."""

    NONE = 0
    GZIP = 1
    QUICKLZ = 2
    FASTLZ = 3


@dataclass(frozen=True, slots=True)
class RblHeader:
    """The header. Sizes are bytes, ``timestamp`` is Unix seconds as some build machine saw them."""

    algo: int = 0
    timestamp: int = 0
    name: str = "app"
    version: str = ""
    serial: str = ""
    package_crc: int = 0
    raw_hash: int = 0
    raw_size: int = 0
    package_size: int = 0

    @property
    def is_of_update(self) -> bool:
        """Whether its package was compressed or enciphered, as only that of an update over the air is."""
        return self.algo != 0

    @property
    def encryption(self) -> str:
        """Its name: none, xor, aes256, or the number."""
        return _word(Encryption, self.algo & 0xFF)

    @property
    def compression(self) -> str:
        """Its name: none, gzip, quicklz, fastlz, or the number."""
        return _word(Compression, self.algo >> 8)

    def encode(self) -> bytes:
        """The 96 bytes. Raises ImageError for a text that does not fit its field."""
        texts = (
            _text("name", self.name, 16),
            _text("version", self.version, VERSION_BYTES),
            _text("serial", self.serial, 24),
        )
        body = _FIELDS.pack(
            MAGIC, self.algo, self.timestamp, *texts,
            self.package_crc, self.raw_hash, self.raw_size, self.package_size, 0,
        )[:-4]  # fmt: skip
        return body + zlib.crc32(body).to_bytes(4, "little")


def decode_header(data: bytes) -> RblHeader:
    """The header at the start of some bytes. Raises ImageError naming the field, what was got and what was wanted."""
    if len(data) < HEADER:
        raise ImageError(f"the RBL header is cut off after {len(data)} of {HEADER} bytes", offset=len(data))
    magic, algo, timestamp, name, version, serial, crc, hash_, raw, package, own = _FIELDS.unpack_from(data)
    _expect("magic", int.from_bytes(magic, "big"), int.from_bytes(MAGIC, "big"), 0)
    _expect("header CRC-32", own, zlib.crc32(data[: HEADER - 4]), HEADER - 4)
    # Before anything is unpacked: a header is believed no size that a flash has not.
    for field, size in (("raw size", raw), ("package size", package)):
        if size > MAX_FLASH_BYTES:
            raise ImageError(f"RBL {field}: {size} bytes, no flash has more than {MAX_FLASH_BYTES}", offset=84)
    return RblHeader(algo, timestamp, _read(name), _read(version), _read(serial), crc, hash_, raw, package)


def stored_faults(header: RblHeader, code: bytes) -> tuple[str, ...]:
    """What does not fit between a header and the enciphered code before it in flash; empty if all does.

    For half of all lengths of code ltchiptool counts the filling twice in its raw size and hashes it as well. Such
    images run, so the sums are held against what that tool summed.
    """
    if len(code) < header.raw_size:
        return (f"raw size: {header.raw_size}, but the partition holds {len(code)} bytes before its header",)
    filling = header.package_size - header.raw_size
    if filling == -_FILLING:
        package = hashed = code[: header.package_size - _FILLING] + bytes([_FILLING]) * _FILLING
    elif 0 <= filling <= 0xFF:
        hashed = code[: header.raw_size]
        package = hashed + bytes([filling]) * filling
    else:
        return (f"package size: {header.package_size} is not 0 to 255 more than the raw size {header.raw_size}",)
    pairs = (
        ("package CRC-32", header.package_crc, zlib.crc32(package)),
        ("hash FNV-1a", header.raw_hash, _fnv1a(hashed)),
    )
    return tuple(f"{field}: {got:08X}, the code gives {want:08X}" for field, got, want in pairs if got != want)


def updated_faults(header: RblHeader, plain: bytes) -> tuple[str, ...]:
    """What does not fit between the header of an installed update and the plain code before it; empty if all does.

    Its package was not kept, so nothing can be held against the package's size and CRC-32.
    """
    if len(plain) < header.raw_size:
        return (f"raw size: {header.raw_size}, but the partition holds {len(plain)} bytes before its header",)
    want = _fnv1a(plain[: header.raw_size])
    if header.raw_hash == want:
        return ()
    return (f"hash FNV-1a: {header.raw_hash:08X}, the plain code gives {want:08X}",)


def stored_code(header: RblHeader, code: bytes) -> bytes:
    """The enciphered code that a header in flash was made for, out of what stands before it."""
    if header.is_of_update:
        return code[: header.raw_size]
    if header.raw_size - header.package_size == _FILLING:
        return code[: max(0, header.package_size - 2 * _FILLING)]
    return code[: header.raw_size].removesuffix(b"\xff" * _FILLING)


def add_rbl(code: bytes, container: int, *, name: str = "app", version: str = "", timestamp: int = 0) -> bytes:
    """Enciphered code, filled with FF up to a container of so many bytes and closed by its header.

    Raises ImageError if it does not fit.
    """
    raw = code + b"\xff" * (-len(code) % 32) + b"\xff" * _FILLING
    room = container - HEADER
    if len(raw) + _FILLING > room:
        raise ImageError(
            f"the code has {len(code)} bytes, {room - 2 * _FILLING} fit before the header of this partition",
            hint="it was built for another partition table, or holds more than code",
        )
    header = RblHeader(
        timestamp=timestamp,
        name=name,
        version=version,
        # What ltchiptool writes: a partition made here is the same byte for byte.
        serial="0" * 23,
        package_crc=zlib.crc32(raw + bytes([_FILLING]) * _FILLING),
        raw_hash=_fnv1a(raw),
        raw_size=len(raw),
        package_size=len(raw) + _FILLING,
    )
    return raw.ljust(room, b"\xff") + header.encode()


def build_ota(
    code: bytes,
    *,
    version: str = "",
    timestamp: int = 0,
    compress: bool = True,
    encrypt: bool = True,
) -> bytes:
    """Plain code as a container for an update over the air. Raises MissingExtra without the library for AES."""
    package = _gzip(code) if compress else code
    if encrypt:
        # At least one byte, a whole block behind whole blocks: the last byte always says how many.
        filling = _AES_BLOCK - len(package) % _AES_BLOCK
        package = _aes(package + bytes([filling]) * filling, decrypt=False)
    header = RblHeader(
        algo=(Encryption.AES256 if encrypt else 0) | (Compression.GZIP << 8 if compress else 0),
        timestamp=timestamp,
        version=version,
        serial="0" * 23,
        package_crc=zlib.crc32(package),
        raw_hash=_fnv1a(code),
        raw_size=len(code),
        package_size=len(package),
    )
    return header.encode() + package


def open_ota(data: bytes) -> tuple[RblHeader, bytes]:
    """Header and plain code of a container that begins some bytes, every check done.

    Raises ImageError naming the first field that does not fit; MissingExtra without the library for AES.
    """
    header = decode_header(data)
    package = data[HEADER : HEADER + header.package_size]
    # In this order: the error names the damage, and not what unpacking damaged bytes led to.
    _expect("package size", len(package), header.package_size, 88, hint="the file was cut short: fetch it again")
    _expect(
        "package CRC-32", header.package_crc, zlib.crc32(package), 76, hint="the package is damaged: fetch it again"
    )
    code = _decompressed(_decrypted(package, header), header)
    _expect("raw size", len(code), header.raw_size, 84)
    _expect("hash FNV-1a", header.raw_hash, _fnv1a(code), 80)
    return header, code


def package_faults(data: bytes) -> tuple[str, ...]:
    """What is wrong with the container that begins some bytes, without opening it; empty if nothing is."""
    try:
        header = decode_header(data)
    except ImageError as error:
        return (str(error),)
    return tuple(_package_faults(header, data[HEADER:]))


def _package_faults(header: RblHeader, rest: bytes) -> Iterator[str]:
    if len(rest) < header.package_size:
        yield f"package size: {header.package_size}, but only {len(rest)} bytes follow the header"
        return
    want = zlib.crc32(rest[: header.package_size])
    if want != header.package_crc:
        yield f"package CRC-32: {header.package_crc:08X}, the package gives {want:08X}"
    if len(rest) > header.package_size:
        yield f"package size: {header.package_size}, but {len(rest)} bytes follow the header"


def _decrypted(package: bytes, header: RblHeader) -> bytes:
    match header.algo & 0xFF:
        case Encryption.NONE:
            return package
        case Encryption.AES256 if len(package) % _AES_BLOCK:
            raise ImageError(f"RBL package size: {len(package)} is not a multiple of AES's {_AES_BLOCK}", offset=88)
        case Encryption.AES256:
            return _without_filling(_aes(package, decrypt=True))
    raise ImageError(f"RBL algo: encryption {header.encryption} cannot be undone here", offset=4)


def _decompressed(package: bytes, header: RblHeader) -> bytes:
    match header.algo >> 8:
        case Compression.NONE:
            return package
        case Compression.GZIP:
            return _gunzip(package, header.raw_size)
    raise ImageError(f"RBL algo: compression {header.compression} cannot be undone here", offset=4)


def _gzip(code: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=31)  # a gzip header without name or time: equal code gives equal bytes
    return packer.compress(code) + packer.flush()


def _gunzip(package: bytes, size: int) -> bytes:
    """Decompress, never beyond one byte more than the header promises."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        code = unpacker.decompress(package, size + 1)
    except zlib.error as error:
        raise ImageError(
            f"the package does not decompress: {error}", offset=HEADER, hint="it may be enciphered with another key"
        ) from error
    if not unpacker.eof and len(code) <= size:
        raise ImageError(f"the compressed package ends after {len(code)} of {size} bytes", offset=HEADER)
    return code


def _aes(data: bytes, *, decrypt: bool) -> bytes:
    with needs_library("an enciphered RBL package", "cryptography", extra="image"):
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    cipher = Cipher(algorithms.AES256(OTA_KEY), modes.CBC(OTA_IV))
    worker = cipher.decryptor() if decrypt else cipher.encryptor()
    return worker.update(data) + worker.finalize()


def _without_filling(data: bytes) -> bytes:
    """Without the filling at the end, where there is one: not every tool adds it to whole blocks."""
    count = data[-1] if data else 0
    return data[:-count] if 1 <= count <= _AES_BLOCK and data.endswith(bytes([count]) * count) else data


def _fnv1a(data: bytes) -> int:
    from wattrail.image import vectorised

    return vectorised.fnv1a(data, FNV_START)


def _expect(field: str, got: int, want: int, offset: int, *, hint: str | None = None) -> None:
    if got != want:
        raise ImageError(f"RBL {field}: got {got:#x}, want {want:#x}", offset=offset, hint=hint)


def _word(words: type[Encryption | Compression], value: int) -> str:
    return words(value).name.lower() if value in words._value2member_map_ else str(value)


def _read(field: bytes) -> str:
    """A text up to its NUL; what stands behind it is left over from older ones."""
    return field.partition(b"\0")[0].decode("ascii", "backslashreplace")


def _text(name: str, text: str, length: int) -> bytes:
    raw = text.encode("ascii", "replace")
    if len(raw) >= length:
        raise ImageError(f"RBL {name}: {text!r} has {len(raw)} bytes, at most {length - 1} fit")
    return raw.ljust(length, b"\0")
