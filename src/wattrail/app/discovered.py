"""Which of the meters that a search found can be added to a configuration, and under which names. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wattrail.network_meters.discovery import FoundMeter

__all__ = ["configured_meters", "proposed"]


def configured_meters(tables: Mapping[str, Any]) -> dict[str, str]:
    """The names of the meters of a file by their URL; what is not written as it should be is left out."""
    meters = tables.get("meter", [])
    found = [one for one in meters if isinstance(one, Mapping)] if isinstance(meters, list) else []
    return {str(one.get("url", "")): str(one.get("name", "")) for one in found}


def proposed(meters: Sequence[FoundMeter], configured: Mapping[str, str]) -> tuple[list[FoundMeter], dict[str, str]]:
    """What can be added, each device once and under a name of its own; and what is configured already, by URL.

    ``configured`` are names by URL.
    """
    known = {meter.url: name for meter in meters for url, name in configured.items() if _is_same(meter, url)}
    names = set(configured.values())
    identities: set[str] = set()
    found: list[FoundMeter] = []
    for meter in meters:
        if meter.note or meter.url in known or (meter.identity and meter.identity in identities):
            continue
        name = next(name for name in _names(meter.name) if name not in names)
        names.add(name)
        identities.add(meter.identity)
        # With its MAC it is found again after its address has changed.
        url = f"{meter.url}?mac={meter.mac}" if meter.mac else meter.url
        found.append(replace(meter, name=name, url=url))
    return found, known


def _is_same(meter: FoundMeter, url: str) -> bool:
    """Whether a configured URL is that of this meter, by its place or by its MAC."""
    place, _, options = url.partition("?")
    # By the MAC too: its address may be another one by now.
    return url == meter.url or (bool(meter.mac) and (place == meter.url or f"mac={meter.mac}" in options.split("&")))


def _names(name: str) -> Sequence[str]:
    # Cut, so that with its number it still has the 64 characters of a name.
    return [name, *(f"{name[:60]}-{number}" for number in range(2, 2000))]
