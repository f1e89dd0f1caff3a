"""What an answer or a message of a network meter says, whatever its firmware."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final, Protocol

from wattrail.energy_register import BootEvidence, EnergyRegister, Freshness, RegisterCount
from wattrail.units import NO_EVIDENCE, Quantities

__all__ = [
    "MAX_WATTS",
    "SIMULATED_MARK",
    "UNIT_MWH",
    "Decoded",
    "HttpLink",
    "LinkQuality",
    "MqttCommand",
    "TopicLink",
    "count_of",
    "is_marked_simulated",
    "merged",
]

MAX_WATTS: Final = 44_000
"""What an installation carries at most, unless a URL says otherwise: three phases of 63 A."""

SIMULATED_MARK: Final = "SIMULATED"
"""Stands in the version, the module or a field of its own of everything a simulated device sends."""

UNIT_MWH: Final = {
    "mWh": Fraction(1),
    "Wmin": Fraction(1000, 60),
    "Wh": Fraction(1000),
    "kWh": Fraction(1_000_000),
    "MWh": Fraction(1_000_000_000),
}
"""Units of energy registers in milliwatt-hours; Wmin is a watt-minute (Shelly Gen1 plugs)."""


NO_QUANTITIES: Final = Quantities()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkQuality:
    """How well a device is connected; None for what was not said."""

    signal_dbm: float | None = None
    device_celsius: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What was said; None and empty for what was not.

    ``advice`` is what a person should change, one sentence each. ``is_online`` comes from an availability topic.
    ``is_power_only``: the device has no energy register, and the power in this was measured since the message before.
    """

    sample: Quantities = NO_QUANTITIES
    registers: tuple[RegisterCount, ...] = ()
    evidence: BootEvidence = NO_EVIDENCE
    quality: LinkQuality = LinkQuality()
    freshness: Freshness = Freshness.POLLED
    is_online: bool | None = None
    is_simulated: bool = False
    is_power_only: bool = False
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MqttCommand:
    """A message to publish."""

    topic: str
    payload: str = ""


class HttpLink(Protocol):
    """A conversation with a device's web server, one poll after the other; raises LinkError for what makes no sense.

    ``begin``, then ``next_request`` and ``receive`` until there is no request left, then ``finish``.
    """

    def begin(self) -> None:
        """Start a poll."""
        ...

    def next_request(self) -> str | None:
        """The next path with its query, or None where nothing is left to ask."""
        ...

    def receive(self, status: int, body: bytes) -> None:
        """The answer to the last request."""
        ...

    def finish(self) -> Decoded:
        """What the poll has found."""
        ...


class TopicLink(Protocol):
    """A conversation with a device behind a broker. ``filters`` may change after a message (discovery)."""

    def filters(self) -> Sequence[str]:
        """The topics to subscribe to."""
        ...

    def commands(self) -> Sequence[MqttCommand]:
        """What to publish to get the state now; nothing for a device that is only listened to."""
        ...

    def receive(self, topic: str, payload: bytes, *, is_retained: bool, at: float) -> Decoded | None:
        """What a message says that came ``at`` a moment of the monotonic clock, in seconds.

        None where it says nothing of a meter. Raises LinkError for what makes no sense.
        """
        ...


def count_of(register: EnergyRegister, value: Decimal, unit: str) -> RegisterCount:
    """A register's value as whole counts of its step; what is below a step is cut, as a register does."""
    # In integers, for a float loses a step: 0.29 kWh times 100 is 28.999999999999996.
    (number, over), unit_mwh, step = value.as_integer_ratio(), UNIT_MWH[unit], register.step_mwh
    counts = number * unit_mwh.numerator * step.denominator // (over * unit_mwh.denominator * step.numerator)
    return RegisterCount(register, counts)


def merged(parts: Iterable[Quantities]) -> Quantities:
    """The quantities of several messages; a later one wins."""
    whole = Quantities()
    for part in parts:
        said = {f.name: getattr(part, f.name) for f in fields(part) if getattr(part, f.name) is not None}
        whole = replace(whole, **said)
    return whole


def is_marked_simulated(*texts: object) -> bool:
    """Whether any of these texts carries the mark of a simulated device."""
    return any(SIMULATED_MARK in text.upper() for text in texts if isinstance(text, str))
