"""Which meters a gateway reads, and how."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Final, Self
from zoneinfo import ZoneInfoNotFoundError

from wattrail.calibration import Calibration
from wattrail.clock import zone_of
from wattrail.errors import ConfigError
from wattrail.ledger import Definition
from wattrail.sources import POLL_S, is_polled, is_source
from wattrail.store import DEFAULT_RETENTION, Retention
from wattrail.urls import METER_NAME

__all__ = ["GatewayPlan", "MeterPlan", "PlanChanges", "VirtualPlan"]

CHIP_POLL_S: Final = 1.0

_FASTEST_S: Final = 0.2
_SLOWEST_CHIP_S: Final = 10.0
_SLOWEST_SOURCE_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterPlan:
    """One meter to read: a chip on a wire, or a network meter (``is_network``).

    The scale of a chip comes from ``calibration``, else ``front_end``, else the usual one for the port; ``inverted``:
    the wire passes the meter in the other direction. A network meter scales by itself. ``poll_s`` is the time between
    two polls; 0 becomes the usual one, 1 s for a chip and 10 s for a network meter. A meter behind a broker sends by
    itself and takes none. Raises ConfigError for values that cannot work.
    """

    name: str
    url: str
    front_end: str | None = None
    calibration: Calibration | None = None
    poll_s: float = 0.0
    inverted: bool = False
    address: int = 0
    chip: str | None = None

    @property
    def is_network(self) -> bool:
        """Whether it is a network meter, of the room ``sources``."""
        return is_source(self.url)

    def __post_init__(self) -> None:
        if not METER_NAME.fullmatch(self.name):
            raise ConfigError(
                f"{self.name!r} cannot be the name of a meter",
                hint="use letters, digits, dot, dash and underscore, at most 64: it is part of addresses and topics",
            )
        if self.is_network:
            self._require_no_chip()
        if self.poll_s == 0:
            object.__setattr__(self, "poll_s", POLL_S if self.is_network else CHIP_POLL_S)
        slowest = _SLOWEST_SOURCE_S if self.is_network else _SLOWEST_CHIP_S
        if not _FASTEST_S <= self.poll_s <= slowest:
            raise ConfigError(
                f"meter {self.name}: poll_s = {self.poll_s} is outside {_FASTEST_S} to {slowest:g} s",
                hint="use 10: these web servers answer one client at a time"
                if self.is_network
                else "the chip refreshes every 0.8 s, and the ledger calls more than 10 s unwatched: use 1.0",
            )

    def _require_no_chip(self) -> None:
        given = {
            "front_end": self.front_end, "calibration": self.calibration, "chip": self.chip, "address": self.address,
            "inverted": self.inverted,
        }  # fmt: skip
        if names := [name for name, value in given.items() if value]:
            raise ConfigError(
                f"meter {self.name}: {', '.join(names)} is for a chip on a wire; a network meter scales by itself",
                hint="remove it, or set it in the firmware of the meter",
            )
        if self.poll_s and not is_polled(self.url):
            raise ConfigError(
                f"meter {self.name}: poll_s = {self.poll_s:g}, but a meter that publishes is not polled",
                hint="remove poll_s; ask= in its URL says how often it is asked",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualPlan:
    """A virtual meter: its name, and which meters it is made of."""

    name: str
    definition: Definition


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPlan:
    """Every meter to read, those made of them, and the zone in which a day begins; None is that of this machine.

    ``retention`` is how long readings and their rollups are kept.
    """

    meters: tuple[MeterPlan, ...] = ()
    virtual: tuple[VirtualPlan, ...] = ()
    zone: str | None = None
    retention: Retention = DEFAULT_RETENTION

    def __post_init__(self) -> None:
        names = self.names
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

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all, in the order in which they are shown."""
        return *(meter.name for meter in self.meters), *(meter.name for meter in self.virtual)

    def by_name(self) -> dict[str, MeterPlan | VirtualPlan]:
        """Every meter by its name, in the order in which they are shown."""
        found: dict[str, MeterPlan | VirtualPlan] = {meter.name: meter for meter in self.meters}
        return found | {meter.name: meter for meter in self.virtual}

    def zone_info(self) -> tzinfo:
        """The zone."""
        return zone_of(self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanges:
    """From one plan to another: the names of meters that are added, removed, or read in another way.

    ``recalibrated`` are read on with constants that were kept meanwhile; ``why_not_recalibrated`` says why nobody
    could look for them.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    recalibrated: tuple[str, ...] = ()
    why_not_recalibrated: str | None = None

    @classmethod
    def between(cls, before: GatewayPlan, after: GatewayPlan) -> Self:
        """What differs. A meter is the same where its whole table says the same."""
        old, new = before.by_name(), after.by_name()
        return cls(
            added=tuple(name for name in new if name not in old),
            removed=tuple(name for name in old if name not in new),
            changed=tuple(name for name in new if name in old and old[name] != new[name]),
        )
