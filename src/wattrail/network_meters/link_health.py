"""How well a network meter was connected on one day, and what the numbers point to: range, power or broker."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

__all__ = ["LinkDay", "LinkEvents", "LinkWatch", "advice"]

WEAK_DBM: Final = -75.0
"""Mean signal below which a link begins to lose packets: a usual figure of Wi-Fi planning, not measured here."""

GOOD_DBM: Final = -67.0
"""Mean signal from which range explains nothing."""

MIN_DROPOUTS: Final = 3
MIN_RESTARTS: Final = 2
"""Fewer in a day happen to every meter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDay:
    """One meter's connection on one local day; signal is in dBm, silence in seconds.

    ``dropouts`` are the times it fell silent or could not be reached, ``broker_dropouts`` those of them where the
    broker was the cause. ``reconnects`` are the times it said that it connected again, ``restarts`` the boots that it
    gave evidence of, ``power_cuts`` those of them that were a power-on.
    """

    day: date
    readings: int = 0
    signal_min: float | None = None
    signal_sum: float = 0.0
    signals: int = 0
    dropouts: int = 0
    broker_dropouts: int = 0
    reconnects: int = 0
    restarts: int = 0
    power_cuts: int = 0
    longest_silence_s: float = 0.0

    @property
    def signal_mean(self) -> float | None:
        """Mean signal, None where the meter does not say it."""
        return self.signal_sum / self.signals if self.signals else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEvents:
    """What happened since the reading before: for ``LinkWatch.take``."""

    signal_dbm: float | None = None
    reconnects: int = 0
    is_restart: bool = False
    is_power_on: bool = False


class LinkWatch:
    """Follows one meter through its readings and failures, day by day, beginning with ``day``."""

    def __init__(self, day: date) -> None:
        self.day = LinkDay(day=day)
        self._heard_at: float | None = None
        self._is_down = self._is_down_by_broker = False

    def take(self, day: date, monotonic: float, events: LinkEvents) -> None:
        """A reading, at a time of the monotonic clock in seconds."""
        silence_s = 0.0 if self._heard_at is None else monotonic - self._heard_at
        signal = events.signal_dbm
        self._heard_at, self._is_down, self._is_down_by_broker = monotonic, False, False
        added = LinkDay(
            day=day,
            readings=1,
            signal_min=signal,
            signal_sum=signal or 0.0,
            signals=int(signal is not None),
            reconnects=events.reconnects,
            restarts=int(events.is_restart),
            power_cuts=int(events.is_restart and events.is_power_on),
            longest_silence_s=silence_s,
        )
        self.day = _sum(self._of(day), added)

    def fail(self, day: date, *, is_broker: bool) -> None:
        """The meter could not be read. Failures in a row are one dropout, the broker's if any of them was its."""
        before = self._of(day)
        self.day = replace(
            before,
            dropouts=before.dropouts + (not self._is_down),
            broker_dropouts=before.broker_dropouts + (is_broker and not self._is_down_by_broker),
        )
        self._is_down, self._is_down_by_broker = True, self._is_down_by_broker or is_broker

    def restore(self, kept: Iterable[LinkDay]) -> None:
        """Add what is kept of this day from before the program was started."""
        for earlier in kept:
            if earlier.day == self.day.day:
                self.day = _sum(earlier, self.day)

    def _of(self, day: date) -> LinkDay:
        return self.day if self.day.day == day else LinkDay(day=day)


def advice(link: LinkDay) -> tuple[str, ...]:
    """What to change, a sentence each, where the numbers of a day point to a cause; empty where they do not."""
    if not link.signals and not link.dropouts and not link.restarts:
        return ()  # nearly every reading of nearly every meter
    return tuple(text for is_so, text in _RULES if is_so(link))


def _sum(some: LinkDay, more: LinkDay) -> LinkDay:
    return LinkDay(
        day=some.day,
        readings=some.readings + more.readings,
        signal_min=_lower(some.signal_min, more.signal_min),
        signal_sum=some.signal_sum + more.signal_sum,
        signals=some.signals + more.signals,
        dropouts=some.dropouts + more.dropouts,
        broker_dropouts=some.broker_dropouts + more.broker_dropouts,
        reconnects=some.reconnects + more.reconnects,
        restarts=some.restarts + more.restarts,
        power_cuts=some.power_cuts + more.power_cuts,
        longest_silence_s=max(some.longest_silence_s, more.longest_silence_s),
    )


def _lower(some: float | None, other: float | None) -> float | None:
    return some if other is None else other if some is None else min(some, other)


def _own_dropouts(link: LinkDay) -> int:
    return link.dropouts - link.broker_dropouts


def _is_weak(link: LinkDay) -> bool:
    return link.signal_mean is not None and link.signal_mean < WEAK_DBM


def _is_good(link: LinkDay) -> bool:
    return link.signal_mean is not None and link.signal_mean >= GOOD_DBM


_RULES: Final[tuple[tuple[Callable[[LinkDay], bool], str], ...]] = (
    (
        lambda link: _is_weak(link) and _own_dropouts(link) >= MIN_DROPOUTS,
        "range: the signal is weak and the meter drops out; add an access point near it, or an outside antenna where a "
        "metal cabinet shields it",
    ),
    (
        lambda link: _is_weak(link) and _own_dropouts(link) < MIN_DROPOUTS,
        "range: the signal is weak; move the access point nearer before the meter drops out",
    ),
    (
        lambda link: link.power_cuts >= MIN_RESTARTS,
        "power: the meter lost its supply repeatedly; check its terminals and the breaker before it",
    ),
    (
        lambda link: link.restarts - link.power_cuts >= MIN_RESTARTS,
        "firmware or power: the meter restarted repeatedly; read the reason of its last restart, update its firmware, "
        "and check its supply",
    ),
    (
        lambda link: link.broker_dropouts >= MIN_RESTARTS,
        "broker: the connection to the broker was lost repeatedly; check the machine that it runs on, and its log",
    ),
    (
        lambda link: _is_good(link) and link.restarts < MIN_RESTARTS and _own_dropouts(link) >= MIN_DROPOUTS,
        "network: the meter drops out although its signal is good; give it a fixed address, and fix the channel of the "
        "access point",
    ),
)
