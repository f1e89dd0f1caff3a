"""What goes with a request: the address to send, the range a CRC covers, the status to write, and how long to wait.

Offsets and lengths are bytes, times seconds. Sources: bk-boot/loader-1, bk-boot/crc, bk-boot/flash-parts,
bk-boot/timing.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wattrail.bootrom.commands import (
    CHECK_CRC,
    ERASE,
    ERASE_4K,
    ERASE_ALL,
    FLASH_READ,
    FLASH_WRITE,
    LINK_CHECK,
    READ_4K,
    SET_BAUD,
    TRAITS,
    WRITE_4K,
    WRITE_SR,
    WRITE_SR_16,
    Command,
    CrcEnd,
    Namespace,
    Responder,
)
from wattrail.bootrom.constants import (
    BAUD_AT_RESET,
    CLOCK_HZ,
    CRC_BLOCK,
    CRC_MAX_BLOCKS,
    MAX_DIVIDER,
    MIN_DIVIDER,
    TICK_S,
)
from wattrail.bootrom.geometry import ERASE_32K, ERASE_64K, ERASE_SECTOR, MIB, WIP, WRITE_ENABLE, FlashPart
from wattrail.bootrom.link import LONG_HEAD, SHORT_HEAD, reply_lengths

__all__ = [
    "DELAY_MS",
    "ERASE_S",
    "REPLY_BUDGETS",
    "ReplyBudget",
    "StatusWrite",
    "crc_range",
    "host_switch_s",
    "is_busy",
    "is_guarded",
    "is_unprotected",
    "joined",
    "plan_restore",
    "plan_unprotect",
    "real_baud",
    "reply_after_s",
    "reply_timeout_s",
    "settled",
    "wire_crc",
    "wire_s",
    "wrapped",
]


# ---- addresses and ranges

# The bootloader compares the address as it was sent; the flash takes it modulo its size. So the same byte is reached
# one flash size higher, where nothing is compared. Source: bk-boot/loader-1.


def is_guarded(command: Command, address: int, responder: Responder) -> bool:
    """Whether the responder refuses this command at this address (status 06)."""
    traits = TRAITS[responder]
    if command is WRITE_4K:
        return address < traits.write_4k_guard
    if command is ERASE or command is FLASH_WRITE or command is READ_4K:
        # The loader's comparison is signed: the upper half of all addresses counts as below the guard. Write4K's is
        # not, and its guard is lower: what lies between is kept from erases only. Source: bk-boot/loader-1.
        signed = address - (1 << 32) if address >> 31 else address
        return signed < traits.guard
    return False


def wrapped(address: int, flash_bytes: int) -> int:
    """The same byte one flash size higher, where the bootloader's guard does not apply.

    Meant for reading: writing there overwrites the only program that answers on the UART.
    Raises ValueError if the address lies outside the flash.
    """
    if not 0 <= address < flash_bytes:
        raise ValueError(f"{address:#x} lies outside the flash of {flash_bytes:#x} bytes")
    return address + flash_bytes


def wire_crc(data: bytes) -> int:
    """CRC-32 as the chip sends it: without the final inversion. Source: bk-boot/crc."""
    return zlib.crc32(data) ^ 0xFFFF_FFFF


def crc_range(start: int, length: int, responder: Responder) -> tuple[int, int]:
    """Start and end to send so that exactly ``length`` bytes are counted.

    Raises ValueError for an empty range, or for one the responder cannot count: the bootloader takes whole blocks of
    256 bytes, up to 65535 of them. Source: bk-boot/crc.
    """
    if length <= 0 or start < 0 or start + length - 1 > 0xFFFF_FFFF:
        raise ValueError(f"{length} bytes from {start:#x} are not a valid range")
    blocks, rest = divmod(length, CRC_BLOCK)
    if TRAITS[responder].crc_end is CrcEnd.BLOCKS and (rest or blocks > CRC_MAX_BLOCKS):
        raise ValueError(
            f"the {responder.value} counts 1 to {CRC_MAX_BLOCKS} blocks of {CRC_BLOCK} bytes, got {length} bytes"
        )
    # uartprogram asks one byte too far, and reports a CRC error after every read of an N. Source: bk-boot/hosts.
    # One end suits both: the boot ROM counts the byte at the end, the bootloader divides end - start + 1 by 256.
    return start, start + length - 1


# ---- protection

# A status register is written only if that changes a protection bit. On one Puya part an unprotecting write of the
# unchanged value 0 arrived as FFFF and locked the chip until its power was cut. Source: bk-boot/flash-parts.


@dataclass(frozen=True, slots=True)
class StatusWrite:
    """One write of the status registers: which command, which opcode of the flash, which value."""

    command: Command
    register: int
    sr: int


def joined(part: FlashPart, values: Sequence[int]) -> int:
    """One status word from the bytes of ``part.reads``, low register first. Raises ValueError for a wrong number."""
    if len(values) != len(part.reads) or any(not 0 <= value <= 0xFF for value in values):
        raise ValueError(f"{part.name} has {len(part.reads)} status registers, got {list(values)}")
    return sum(value << 8 * place for place, value in enumerate(values))


def is_busy(sr: int) -> bool:
    """Whether the flash still writes or erases: ask again before planning."""
    return bool(sr & WIP)


def is_unprotected(part: FlashPart, sr: int) -> bool:
    """Whether no protection bit within reach is set."""
    return not sr & part.guard


def plan_unprotect(part: FlashPart, sr: int) -> StatusWrite | None:
    """The write that clears every protection bit; None if none is set, because then nothing must be written."""
    return plan_restore(part, sr, 0)


def plan_restore(part: FlashPart, sr: int, original: int) -> StatusWrite | None:
    """The write that restores every protection bit within reach from ``original``; None if none is due.

    Bits outside the mask keep their value; the flash's own two (busy, enabled) are sent as 0. Raises ValueError for a
    status word of a busy flash.
    """
    if is_busy(sr):
        raise ValueError(f"{part.name} is busy (status {sr:#06x}): its other bits may still change")
    if not (sr ^ original) & part.guard:
        return None
    word = (sr & ~part.guard | original & part.guard) & ~(WIP | WRITE_ENABLE) & ((1 << part.bits) - 1)
    return StatusWrite(WRITE_SR if part.bits == 8 else WRITE_SR_16, part.write, word)


def settled(part: FlashPart, write: StatusWrite, sr: int) -> bool:
    """Whether a read-back shows what was written. Only protection bits are compared: others change by themselves."""
    # WIP was still set in the read-back of an older bk7231tools, which called that a failure (#19).
    return not (sr ^ write.sr) & part.guard


# ---- rates and deadlines

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
    # Hosts wait 1 ms (uartprogram) to 5 ms (bk7231tools) before they send the next one. Source: bk-boot/hosts.
    LINK_CHECK: ReplyBudget(0.005),
    SET_BAUD: ReplyBudget(1.0),
    # uartprogram allows 5 s for 2 MiB, its original 15 s a MiB; no chip's speed was ever measured. Source: bk-boot/crc.
    CHECK_CRC: ReplyBudget(0.5, 5.0),
    READ_4K: ReplyBudget(0.5),
    FLASH_READ: ReplyBudget(0.5),
    # Two hosts allow 50 ms, of which a sector takes about 20 beside its time on the wire. Source: bk-boot/timing.
    WRITE_4K: ReplyBudget(0.3),
    FLASH_WRITE: ReplyBudget(0.3),
    ERASE_4K: ReplyBudget(ERASE_S[ERASE_SECTOR.code]),
    ERASE: ReplyBudget(ERASE_S[ERASE_64K.code]),
    ERASE_ALL: ReplyBudget(2.0),
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
