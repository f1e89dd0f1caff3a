"""Which meters a gateway reads, and how."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from zoneinfo import ZoneInfoNotFoundError

from wattrail.calibration import Calibration
from wattrail.clock import zone_of
from wattrail.errors import ConfigError
from wattrail.urls import METER_NAME

__all__ = ["GatewayPlan", "MeterPlan"]

_FASTEST_S, _SLOWEST_S = 0.2, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterPlan:
    """One meter to read. The scale comes from ``calibration``, else ``front_end``, else the usual one for the port.

    ``inverted``: the wire passes the meter in the other direction. Raises ConfigError for values that cannot work.
    """

    name: str
    url: str
    front_end: str | None = None
    calibration: Calibration | None = None
    poll_s: float = 1.0
    inverted: bool = False
    address: int = 0
    chip: str | None = None

    def __post_init__(self) -> None:
        if not METER_NAME.fullmatch(self.name):
            raise ConfigError(
                f"{self.name!r} cannot be the name of a meter",
                hint="use letters, digits, dot, dash and underscore, at most 64: it is part of addresses and topics",
            )
        if not _FASTEST_S <= self.poll_s <= _SLOWEST_S:
            raise ConfigError(
                f"meter {self.name}: poll_s = {self.poll_s} is outside {_FASTEST_S} to {_SLOWEST_S} s",
                hint="the chip refreshes every 0.8 s, and the ledger calls more than 10 s unwatched: use 1.0",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPlan:
    """Every meter to read, and the time zone in which a day begins; None is the zone of this machine."""

    meters: tuple[MeterPlan, ...] = ()
    zone: str | None = None

    def __post_init__(self) -> None:
        names = [meter.name for meter in self.meters]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(
                    f"two meters are named {name!r}",
                    hint="give each a name of its own: its account is kept under that name",
                )
        try:
            self.zone_info()
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ConfigError(f"unknown time zone {self.zone!r}", hint="for example Europe/Berlin") from error

    def zone_info(self) -> tzinfo:
        """The zone."""
        return zone_of(self.zone)
