"""Rates the chip can really make, how a change of rate is timed, and how long each reply may take. Baud and seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wattrail.bootrom import commands as c
from wattrail.bootrom.commands import Command, Namespace, Responder
from wattrail.bootrom.constants import BAUD_AT_RESET, CLOCK_HZ, MAX_DIVIDER, MIN_DIVIDER, TICK_S
from wattrail.bootrom.frames import LONG_HEAD, SHORT_HEAD, reply_lengths
from wattrail.bootrom.geometry import ERASE_32K, ERASE_64K, ERASE_SECTOR, MIB

__all__ = [
    "DELAY_MS",
    "ERASE_S",
    "REPLY_BUDGETS",
    "ReplyBudget",
    "host_switch_s",
    "real_baud",
    "reply_after_s",
    "reply_timeout_s",
    "wire_s",
]

DELAY_MS: Final = 20
"""The delay most hosts put into SetBaud. Source: bk-boot/hosts."""


def real_baud(baud: int) -> float:
    """The rate the chip makes of the one asked for; 0 asks for 115200. Source: bk-boot/loader-1.

    115200 becomes 115044, 921600 becomes 928571 (+0.76 %), 3000000 becomes 2888889 (-3.7 %).
    """
    if baud < 0:
        raise ValueError(f"a baud rate must not be negative, got {baud}")
    wanted = baud or BAUD_AT_RESET
    # Rounded as the loader rounds: half of the rate is added before it is divided. Source: bk-boot/loader-1.
    divider = (CLOCK_HZ - 1 + wanted // 2) // wanted - 1
    return CLOCK_HZ / (min(max(divider, MIN_DIVIDER), MAX_DIVIDER) + 1)


def host_switch_s(delay_ms: int) -> float:
    """How long after its last bit the host waits before it changes its own rate: half the delay."""
    return delay_ms / 2000


def reply_after_s(delay_ms: int, responder: Responder) -> float:
    """When the reply to SetBaud begins, after the request's end. The boot ROM's is assumed to be the delay itself."""
    return (delay_ms + 1) * TICK_S if responder is Responder.BOOTLOADER else delay_ms / 1000


BITS: Final = 10
"""Start, eight data, stop."""


@dataclass(frozen=True, slots=True)
class ReplyBudget:
    """Time the chip may take for a command: a fixed share, and one for each MiB it looks at."""

    fixed_s: float
    per_mib_s: float = 0.0


QUICK: Final = ReplyBudget(0.1)

ERASE_S: Final = {ERASE_SECTOR.code: 1.0, ERASE_32K.code: 2.0, ERASE_64K.code: 3.0}
"""Erase by the code of its size; slow parts and weak supplies included."""

REPLY_BUDGETS: Final = {
    c.LINK_CHECK: ReplyBudget(0.005),
    c.SET_BAUD: ReplyBudget(1.0),
    c.CHECK_CRC: ReplyBudget(0.5, 5.0),
    c.READ_4K: ReplyBudget(0.5),
    c.FLASH_READ: ReplyBudget(0.5),
    c.WRITE_4K: ReplyBudget(0.3),
    c.FLASH_WRITE: ReplyBudget(0.3),
    c.ERASE_4K: ReplyBudget(ERASE_S[ERASE_SECTOR.code]),
    c.ERASE: ReplyBudget(ERASE_S[ERASE_64K.code]),
    c.ERASE_ALL: ReplyBudget(2.0),
}
"""Commands not listed are QUICK. EraseAll replies at once and erases afterwards, about 20 s a MiB at worst.

The values are the advice drawn from all hosts' deadlines and users' reports, not a datasheet's. Source: bk-boot/timing.
"""


def wire_s(count: int, baud: float) -> float:
    """Seconds that many bytes spend on the wire."""
    return count * BITS / baud


def reply_timeout_s(
    command: Command, baud: float, *, sent: int = 0, length: int = 0, erase: int | None = None
) -> float:
    """Seconds to wait for the reply, both ways on the wire included.

    ``sent`` is the request's length in bytes, ``length`` what a CRC covers, ``erase`` the code of an erase's size. The
    wait counts from the return of the write call, when the bytes may still be in a kernel buffer: so the request's
    own time on the wire is part of it.
    """
    budget = REPLY_BUDGETS.get(command, QUICK)
    chip = ERASE_S[erase] if erase is not None else budget.fixed_s + budget.per_mib_s * length / MIB
    head = LONG_HEAD if command.namespace is Namespace.LONG else SHORT_HEAD
    reply = head + reply_lengths(command.reply)[-1] if command.reply is not None else 0
    return chip + wire_s(sent + reply, baud)
