"""Which meter stands between house and grid, and which behind the roof: what the first page draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wattrail.ledger import VirtualKind

if TYPE_CHECKING:
    from wattrail.app.schema import Config

__all__ = ["HouseMeters", "house_meters"]


class HouseMeters(NamedTuple):
    """Names of meters; None where it is not known."""

    grid: str | None = None
    solar: str | None = None


def house_meters(config: Config | None, names: tuple[str, ...]) -> HouseMeters:
    """As ``[site]`` says; else as a self-consumption says; else a meter that is the only one stands at the grid."""
    if config is not None:
        if config.site.grid or config.site.solar:
            return HouseMeters(config.site.grid, config.site.solar)
        for virtual in config.virtual:
            if virtual.kind is VirtualKind.SELF_CONSUMPTION:
                return HouseMeters(virtual.grid, virtual.solar)
    return HouseMeters(names[0]) if len(names) == 1 else HouseMeters()
