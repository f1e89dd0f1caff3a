"""The name of this machine's time zone: a browser elsewhere needs a name, for its own zone may be another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["machine_zone", "site_zone"]

_LOCALTIME: Final = Path("/etc/localtime")
_FOREIGN: Final = ("posix/", "right/", "posixrules", "localtime", "Factory")
"""Names of the zone database that no browser knows."""


def machine_zone(localtime: Path = _LOCALTIME) -> str | None:
    """The name in the link that sets the zone; None where there is none."""
    try:
        _, found, zone = str(localtime.readlink()).partition("zoneinfo/")
    except OSError:
        return None
    return zone if found else None


def site_zone(
    configured: str | None, localtime: Path = _LOCALTIME, environment: Mapping[str, str] = os.environ
) -> str | None:
    """The zone of the configuration, else this machine's; None if that has no name that a browser knows."""
    if configured:
        return configured
    # The variable comes before the link, and an empty one means UTC, as the C library takes it.
    variable = environment.get("TZ")
    if variable is not None:
        return _known(variable.removeprefix(":") or "UTC")
    if not localtime.exists():
        return "UTC"  # as the C library does
    return _known(machine_zone(localtime))


def _known(name: str | None) -> str | None:
    if not name or name.startswith(_FOREIGN):
        return None
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    return name
