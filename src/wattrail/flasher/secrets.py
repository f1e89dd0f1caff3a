"""What passes between host and chip and must not be logged: the code key, and what a flash holds.

A dump holds an owner's Wi-Fi password and the keys of a cloud; with the code key, all code can be read. Hence neither
is in a log that somebody may publish to be helped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from wattrail.bootrom.commands import FLASH_READ, FLASH_WRITE, READ_4K, READ_REG, WRITE_4K, Command
from wattrail.bootrom.constants import EFUSE_RESULT

__all__ = ["secret_of"]

_CONTENT: Final = (READ_4K, WRITE_4K, FLASH_READ, FLASH_WRITE)


def secret_of(command: Command, fields: Mapping[str, int]) -> str:
    """Why the bytes of an exchange must not be logged, "" if they may be."""
    if command is READ_REG and fields.get("address") == EFUSE_RESULT:
        return "a byte of the code key"
    return "what the flash holds" if command in _CONTENT else ""
