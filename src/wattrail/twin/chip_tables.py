"""What a metering chip's twin states in tables. Nothing outside its folder of ``twin.chips`` names its registers.

The tables are the modules ``registers`` and ``constants`` of its driver; ``RegisterTable`` and ``Silicon`` say what a
twin needs of them, under the names that the datasheets of this family share. ``UartDialect`` is what its UART adds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from wattrail.wire.register import Field, Register

__all__ = ["RegisterTable", "Silicon", "UartDialect", "UartTiming"]


class Silicon(Protocol):
    """The measurement constants of a chip: its module ``constants``."""

    V_REF: float
    I_RMS_PER_MV: int
    V_RMS_PER_MV: int
    WATT_PER_MV2: int
    FAST_RMS_RATIO: float
    CF_WATT_SECONDS: float
    CREEP_STEP: float
    I_CLIP_MV: float
    V_CLIP_MV: float
    SAMPLE_HZ: float
    REFRESH_S: tuple[float, float]


class RegisterTable(Protocol):
    """The registers that every chip here has: its module ``registers``."""

    BY_ADDRESS: dict[int, Register]
    I_WAVE: Register
    V_WAVE: Register
    I_RMS: Register
    V_RMS: Register
    I_FAST_RMS: Register
    WATT: Register
    CF_CNT: Register
    WA_CREEP: Register
    MODE: Register
    RMS_UPDATE: Field
    SOFT_RESET: Register
    USR_WRPROT: Register
    UNLOCK_KEY: int
    UNLOCKED_READS: int
    RESET_KEY: int


@dataclass(frozen=True, slots=True)
class UartTiming:
    """What differs between chips, and between versions of their datasheets.

    A frame is forgotten ``frame_s`` after the end of its head, or when ``gap_s`` pass between two of its bytes. A reply
    comes ``reply_bits`` bit times plus ``reply_s`` seconds after its request, with ``byte_gap_s`` after each byte. A
    line held low for more than ``break_bits`` bit times resets the receiver.
    """

    frame_s: float = math.inf
    gap_s: float = math.inf
    reply_bits: float = 0.0
    reply_s: float = 0.0
    byte_gap_s: float = 0.0
    break_bits: float = 32.0


@dataclass(frozen=True, slots=True)
class UartDialect:
    """What one chip adds to the common grammar. ``straps`` are the rates its pins can select, the usual one first."""

    packet: tuple[Register, ...]
    straps: tuple[int, ...]
    timing: UartTiming
