"""Reading the eFuse through the boot ROM: a byte a round, by its two registers.

    1. read CONTROL   2. write it with the address and the go bit   3. read it until the go bit is 0   4. read RESULT

Source: bk-boot/efuse.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from wattrail.bootrom.commands import READ_REG, WRITE_REG, Command
from wattrail.bootrom.constants import (
    EFUSE_BYTES,
    EFUSE_CLEARED,
    EFUSE_CONTROL,
    EFUSE_GO,
    EFUSE_KEY_BYTES,
    EFUSE_RESULT,
    EFUSE_VALID,
)
from wattrail.errors import TargetError

__all__ = ["EfuseBytes", "Step", "read_efuse"]

POLL_LIMIT: Final = 100
"""Reads of CONTROL before a round is given up: the real controller is done before the first one returns."""


@dataclass(frozen=True, slots=True)
class Step:
    """One register access: ask ``command`` with these ``fields``, and send back the value of the answer."""

    command: Command
    address: int
    value: int | None = None

    @property
    def fields(self) -> dict[str, int]:
        """The request's fields."""
        return {"address": self.address} if self.value is None else {"address": self.address, "value": self.value}


@dataclass(frozen=True, slots=True)
class EfuseBytes:
    """Bytes from 0 on; ``valid`` says of each whether the controller vouched for it."""

    data: bytes
    valid: tuple[bool, ...]

    @property
    def key(self) -> bytes | None:
        """The 16 bytes of the code key, None if they were not all read and vouched for."""
        if len(self.data) < EFUSE_KEY_BYTES or not all(self.valid[:EFUSE_KEY_BYTES]):
            return None
        return self.data[:EFUSE_KEY_BYTES]


def read_efuse(count: int = EFUSE_KEY_BYTES) -> Generator[Step, int, EfuseBytes]:
    """The accesses that read the first ``count`` bytes, as a generator: send it the value of each answer.

    Raises ValueError for a count that is not 1 to 32, TargetError if the controller never finishes.
    """
    if not 1 <= count <= EFUSE_BYTES:
        raise ValueError(f"the eFuse has {EFUSE_BYTES} bytes, not {count}")
    data, valid = bytearray(), []
    for address in range(count):
        control = yield Step(READ_REG, EFUSE_CONTROL)
        yield Step(WRITE_REG, EFUSE_CONTROL, control & ~EFUSE_CLEARED | address << 8 | EFUSE_GO)
        yield from _wait(address)
        result = yield Step(READ_REG, EFUSE_RESULT)
        data.append(result & 0xFF)
        valid.append(bool(result & EFUSE_VALID))
    return EfuseBytes(bytes(data), tuple(valid))


def _wait(address: int) -> Generator[Step, int, None]:
    for _ in range(POLL_LIMIT):
        control = yield Step(READ_REG, EFUSE_CONTROL)
        if not control & EFUSE_GO:
            return
    raise TargetError(
        f"eFuse byte {address}: the controller is still busy after {POLL_LIMIT} reads",
        hint="reset the chip and link again",
    )
