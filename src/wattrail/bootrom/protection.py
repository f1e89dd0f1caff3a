"""Removing the flash's protection and restoring it, planned before anything is written.

A status register is written only if that changes a protection bit. On one Puya part an unprotecting write of the
unchanged value 0 arrived as FFFF and locked the chip until its power was cut. Source: bk-boot/flash-parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wattrail.bootrom.commands import WRITE_SR, WRITE_SR_16, Command
from wattrail.bootrom.geometry import WIP, WRITE_ENABLE, FlashPart

__all__ = [
    "StatusWrite",
    "is_busy",
    "is_unprotected",
    "joined",
    "plan_restore",
    "plan_unprotect",
    "settled",
]


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
    return not (sr ^ write.sr) & part.guard
