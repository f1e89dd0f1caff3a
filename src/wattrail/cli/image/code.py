"""What packing and unpacking have in common on the command line: a key and an address."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from wattrail.cli.exits import UsageError
from wattrail.image import CodeKey, crypt

__all__ = ["Address", "Key", "under_key"]

Key = Annotated[str | None, Parameter(help="Code key: tuya, zero, or 32 hexadecimal digits.")]
Address = Annotated[str, Parameter(help="Logical address of the code (0x10000; a bootloader's is 0).")]


def under_key(code: bytes, key: str | None, address: str) -> bytes:
    """Code under a key, or as it is without one. Raises UsageError for an address that is none."""
    if key is None:
        return code
    try:
        return crypt(code, CodeKey.parse(key), int(address, 0))
    except ValueError as error:
        raise UsageError(f"--address {address}: {error}") from error
