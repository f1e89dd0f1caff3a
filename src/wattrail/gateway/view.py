"""The view of one meter: its state and its last reading."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from wattrail.gateway.waiting import UnstoredReadings
from wattrail.ledger import Totals
from wattrail.network_meters.link_health import LinkDay
from wattrail.units import Reading

__all__ = ["STALE_AFTER_POLLS", "MeterState", "MeterView"]

STALE_AFTER_POLLS: Final = 5
"""A live meter that missed this many readings is shown as stale, even while its thread is blocked."""


class MeterState(StrEnum):
    """The state of a meter."""

    CONNECTING = "connecting"  # not read yet
    LIVE = "live"  # the last reading is fresh
    STALE = "stale"  # the port is there, the chip is silent or makes no sense
    LOST = "lost"  # the port cannot be opened, or went away
    FAILED = "failed"  # wrong configuration, a full disk, or a defect of this program


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterView:
    """One meter as it is shown. ``reading`` is the last one there was; how old it is, its ``at`` and ``state`` say.

    ``scale`` says which constants give the numbers their scale, None before the meter was reached.
    ``silence_s`` is what its source says of ``usual_silence_s``, 0 where it says nothing. ``link`` is the connection of
    a network meter today, and ``advice`` what to change about it, a sentence each.
    ``has_waveform``: its chip shows single samples.
    ``has_estimates``: some of its energy is estimated, by adding up power; ``is_estimated``: all that is booked now.
    ``notice`` is what its owner should know although it is read: that the wall clock jumped. ``unstored`` is what
    waits in memory because the database cannot be written.
    """

    name: str
    url: str
    simulated: bool
    poll_s: float = 1.0
    silence_s: float = 0.0
    state: MeterState = MeterState.CONNECTING
    error: str | None = None
    hint: str | None = None
    notice: str | None = None
    unstored: UnstoredReadings | None = None
    retry_at: datetime | None = None
    reading: Reading | None = None
    today: Totals | None = None
    total: Totals | None = None
    scale: str | None = None
    link: LinkDay | None = None
    advice: tuple[str, ...] = ()
    has_waveform: bool = False
    has_estimates: bool = False
    is_estimated: bool = False

    @property
    def usual_silence_s(self) -> float:
        """How long it may be silent and is live all the same."""
        return self.silence_s or STALE_AFTER_POLLS * self.poll_s
