"""The result of classifying a serial line: the kind of traffic, and a report for one rate. Data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

__all__ = ["LISTEN_RATES", "LineReport", "ListenRate", "TrafficKind", "clearest"]


class TrafficKind(Enum):
    """What can arrive on a serial line, the least specific first."""

    SILENCE = "silence"
    GARBAGE = "garbage"
    BREAK = "line low"
    ECHO = "own echo"
    TEXT = "text"
    BL0942 = "BL0942"
    CSE7766 = "CSE7766"
    TUYA_MCU = "TuyaMCU"
    HALF_ANSWER = "half an answer"
    LINK = "answer"


_SPECIFICITY: Final = tuple(TrafficKind)


@dataclass(frozen=True, slots=True)
class LineReport:
    """What was received at one rate in one span of listening.

    ``count`` is in the kind's own unit: answers, frames, echoed requests, else bytes. ``shown`` is the evidence,
    48 bytes at most; ``words`` describe it. ``banners`` counts boot banners, one a start of the chip. ``from_module``:
    the sender, where frames tell: the module itself, or the device connected to it.
    """

    kind: TrafficKind
    baud: int
    count: int
    shown: bytes
    words: str
    banners: int = 0
    from_module: bool | None = None


class ListenRate(NamedTuple):
    """A rate to listen at, and who may be sending at it."""

    baud: int
    reason: str


LISTEN_RATES: Final = tuple(
    ListenRate(*row)
    for row in (
        (115200, "boot ROM, bootloader and the logs of most firmware"),
        (9600, "a TuyaMCU, or a BL0942 that is strapped to it"),
        (4800, "a BL0942"),
        (921600, "a chip that an earlier flasher left at that rate"),
        (460800, "the same, the default of one flasher for the BK7231N"),
        (1_500_000, "the same"),
        (2_000_000, "the same"),
        (230400, "the same"),
        (3_000_000, "the same"),
        (19200, "a BL0942 that its driver has set to it"),
        (38400, "the same"),
    )
)
"""Rates to try, in this order, when what arrives is garbage. Source: bk-boot/hosts for the flashers' rates."""


def clearest(reports: Iterable[LineReport]) -> LineReport | None:
    """The most specific report, None of none."""
    return max(reports, key=lambda report: (_SPECIFICITY.index(report.kind), report.count), default=None)
