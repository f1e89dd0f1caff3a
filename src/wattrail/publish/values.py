"""What is published of a meter: who it is, its live values, its registers; one table of quantities for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import copysign, isfinite
from types import MappingProxyType
from typing import Final

from wattrail.ledger import Totals
from wattrail.network_meters.link_health import LinkDay
from wattrail.units import Reading

__all__ = [
    "QUANTITIES",
    "LiveValues",
    "PublishedMeter",
    "PublishedQuantity",
    "RegisterValues",
    "live_values",
]


@dataclass(frozen=True, slots=True)
class PublishedQuantity:
    """A live quantity: its key in payloads, its unit, decimals and class in Home Assistant, its metric's name."""

    key: str
    unit: str
    decimals: int
    device_class: str
    metric: str
    help: str
    of: Callable[[Reading, LinkDay | None], float | None]
    is_diagnostic: bool = False


def _signed_amps(reading: Reading, _link: LinkDay | None) -> float | None:
    """Amperes with the sign of power, as charge controllers want them (evcc-io/evcc#4660)."""
    if reading.amps is None or reading.watts is None:
        return reading.amps
    # No -0.0 where nothing flows.
    return copysign(reading.amps, reading.watts) if reading.amps else 0.0


# fmt: off
QUANTITIES: Final = (
    PublishedQuantity("power", "W", 1, "power", "active_power_watts",
                      "Active power; positive is import, negative is export.", lambda reading, _link: reading.watts),
    PublishedQuantity("voltage", "V", 1, "voltage", "voltage_volts", "Voltage, rms.",
                      lambda reading, _link: reading.volts),
    PublishedQuantity("current", "A", 3, "current", "current_amperes",
                      "Current, rms, with the sign of the power.", _signed_amps),
    PublishedQuantity("frequency", "Hz", 2, "frequency", "frequency_hertz", "Frequency.",
                      lambda reading, _link: reading.hertz),
    PublishedQuantity("power_factor", "", 2, "power_factor", "power_factor_ratio",
                      "Active over apparent power.", lambda reading, _link: reading.power_factor),
    PublishedQuantity("temperature", "°C", 1, "temperature", "temperature_celsius", "Temperature of the meter.",
                      lambda reading, _link: reading.celsius),
    PublishedQuantity("signal_strength", "dBm", 0, "signal_strength", "signal_strength_dbm",
                      "Signal of a meter on the network, mean of the day so far.",
                      lambda _reading, link: link.signal_mean if link else None, is_diagnostic=True),
)
# fmt: on
"""In the order in which they are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedMeter:
    """Who a meter is to consumers. ``identity`` is kept for the life of its account, whatever ``name`` becomes.

    ``has_estimates``: its registers include energy that is estimated by power.
    """

    identity: str
    name: str
    simulated: bool = False
    has_estimates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveValues:
    """Quantities of one moment by their key; what is unknown is left out, never 0."""

    at: datetime
    values: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterValues:
    """The energy registers at one moment, in milliwatt-hours. Import is OBIS 1.8.0, export 2.8.0."""

    at: datetime
    import_mwh: int
    export_mwh: int

    @classmethod
    def of(cls, totals: Totals, at: datetime) -> RegisterValues:
        """The registers of the ledger."""
        return cls(at=at, import_mwh=totals.import_mwh, export_mwh=totals.export_mwh)

    @property
    def import_wh(self) -> int:
        """Import in whole watt-hours, rounded down, so that a rounded register never falls."""
        return self.import_mwh // 1000

    @property
    def export_wh(self) -> int:
        """Export in whole watt-hours, rounded down."""
        return self.export_mwh // 1000

    @property
    def import_kwh(self) -> float:
        """Import in kilowatt-hours, to the watt-hour."""
        return self.import_wh / 1000

    @property
    def export_kwh(self) -> float:
        """Export in kilowatt-hours, to the watt-hour."""
        return self.export_wh / 1000

    def is_below(self, other: RegisterValues) -> bool:
        """Whether a register is smaller than in ``other``."""
        return self.import_mwh < other.import_mwh or self.export_mwh < other.export_mwh


def live_values(reading: Reading, link: LinkDay | None = None) -> LiveValues:
    """The known quantities of a reading, and of the connection it came by, rounded to what means something."""
    found = ((quantity, quantity.of(reading, link)) for quantity in QUANTITIES)
    values = {
        quantity.key: round(value, quantity.decimals) + 0.0  # -0.0 becomes 0.0
        for quantity, value in found
        if value is not None and isfinite(value)
    }
    return LiveValues(at=reading.at, values=values)
