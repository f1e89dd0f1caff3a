"""Rates the chip can really make, and how a change of rate is timed. Rates in baud, times in seconds."""

from __future__ import annotations

from typing import Final

from wattrail.bootrom.commands import Responder
from wattrail.bootrom.constants import BAUD_AT_RESET, CLOCK_HZ, LEAST_DIVIDER, MOST_DIVIDER, RATES, TICK_S

__all__ = ["DELAY_MS", "host_switch_s", "real_baud", "reply_after_s", "slower"]

DELAY_MS: Final = 20
"""The delay most hosts put into SetBaud. Source: bk-boot/hosts."""


def real_baud(baud: int) -> float:
    """The rate the chip makes of the one asked for; 0 asks for 115200. Source: bk-boot/loader-1.

    115200 becomes 115044, 921600 becomes 928571 (+0.76 %), 3000000 becomes 2888889 (-3.7 %).
    """
    if baud < 0:
        raise ValueError(f"{baud} is no rate")
    wanted = baud or BAUD_AT_RESET
    divider = (CLOCK_HZ - 1 + wanted // 2) // wanted - 1
    return CLOCK_HZ / (min(max(divider, LEAST_DIVIDER), MOST_DIVIDER) + 1)


def slower(baud: int) -> int | None:
    """The next lower usual rate, None below the slowest."""
    return max((rate for rate in RATES if rate < baud), default=None)


def host_switch_s(delay_ms: int) -> float:
    """How long after its last bit the host waits before it changes its own rate: half the delay."""
    return delay_ms / 2000


def reply_after_s(delay_ms: int, responder: Responder) -> float:
    """When the reply to SetBaud begins, after the request's end. The boot ROM's is assumed to be the delay itself."""
    return (delay_ms + 1) * TICK_S if responder is Responder.BOOTLOADER else delay_ms / 1000
