"""``wattrail image add-crc`` and ``wattrail image strip-crc``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli.exits import UsageError
from wattrail.cli.image.files import Source, WriteOptions, read, write
from wattrail.image import CodeKey, crypt, pack, unpack

Out = Annotated[Path, Parameter(help="The file to write.")]
Key = Annotated[str | None, Parameter(help="Code key: tuya, zero, or 32 hexadecimal digits.")]
Address = Annotated[str, Parameter(help="Logical address of the code (0x10000; a bootloader's is 0).")]


def add_crc(
    file: Source, out: Out, *, key: Key = None, address: Address = "0x10000", options: WriteOptions | None = None
) -> None:
    """Add block CRCs to code.

    Each 32 bytes become 34; the last block is filled up with FF. With --key the code is enciphered first.
    """
    code = read(file)
    filled = code + b"\xff" * (-len(code) % 32)
    write(out, pack(_crypted(filled, key, address)), options or WriteOptions(), sources=(file,))


def strip_crc(
    file: Source, out: Out, *, key: Key = None, address: Address = "0x10000", options: WriteOptions | None = None
) -> None:
    """Check the block CRCs of code, and remove them.

    The first block whose CRC is wrong is named and nothing is written. With --key the code is deciphered too.
    """
    write(out, _crypted(unpack(read(file)), key, address), options or WriteOptions(), sources=(file,))


def _crypted(code: bytes, key: str | None, address: str) -> bytes:
    """Code under a key, or as it is without one. Raises UsageError for an address that is not a number."""
    if key is None:
        return code
    try:
        return crypt(code, CodeKey.parse(key), int(address, 0))
    except ValueError as error:
        raise UsageError(f"--address {address}: {error}") from error
