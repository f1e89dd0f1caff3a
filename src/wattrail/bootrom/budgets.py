"""How long each command may take before its reply must have come. Seconds.

A deadline counts from the moment the write call returned, when the bytes may still stand in a kernel buffer: so the
request's own time on the wire is part of it. Source: bk-boot/timing; the chip's shares are the advice drawn from all
hosts' deadlines and users' reports, not a datasheet's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wattrail.bootrom import commands as c
from wattrail.bootrom.commands import Command, Namespace
from wattrail.bootrom.frames import LONG_HEAD, SHORT_HEAD, reply_lengths
from wattrail.bootrom.geometry import ERASE_32K, ERASE_64K, ERASE_SECTOR, MIB

__all__ = ["BUDGETS", "ERASE_S", "Budget", "deadline_s", "wire_s"]

BITS: Final = 10
"""Start, eight data, stop."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What the chip may take: a fixed share, and one for each MiB it looks at."""

    fixed_s: float
    per_mib_s: float = 0.0


QUICK: Final = Budget(0.1)

ERASE_S: Final = {ERASE_SECTOR.code: 1.0, ERASE_32K.code: 2.0, ERASE_64K.code: 3.0}
"""Erase by the code of its size; slow parts and thin supplies included."""

BUDGETS: Final = {
    c.LINK_CHECK: Budget(0.005),
    c.SET_BAUD: Budget(1.0),
    c.CHECK_CRC: Budget(0.5, 5.0),
    c.READ_4K: Budget(0.5),
    c.FLASH_READ: Budget(0.5),
    c.WRITE_4K: Budget(0.3),
    c.FLASH_WRITE: Budget(0.3),
    c.ERASE_4K: Budget(ERASE_S[ERASE_SECTOR.code]),
    c.ERASE: Budget(ERASE_S[ERASE_64K.code]),
    c.ERASE_ALL: Budget(2.0),
}
"""Commands not listed are QUICK. EraseAll answers at once and erases afterwards, about 20 s a MiB at worst."""


def wire_s(count: int, baud: float) -> float:
    """Seconds that many bytes spend on the wire."""
    return count * BITS / baud


def deadline_s(command: Command, baud: float, *, sent: int = 0, length: int = 0, erase: int | None = None) -> float:
    """Seconds to wait for the reply, both ways on the wire included.

    ``sent`` is the request's length in bytes, ``length`` what a CRC covers, ``erase`` the code of an erase's size.
    """
    budget = BUDGETS.get(command, QUICK)
    chip = ERASE_S[erase] if erase is not None else budget.fixed_s + budget.per_mib_s * length / MIB
    head = LONG_HEAD if command.namespace is Namespace.LONG else SHORT_HEAD
    reply = head + reply_lengths(command.reply)[-1] if command.reply is not None else 0
    return chip + wire_s(sent + reply, baud)
