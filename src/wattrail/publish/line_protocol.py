"""InfluxDB line protocol: one line per point, tags sorted by key, times in nanoseconds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from wattrail.publish.values import LiveValues, PublishedMeter, RegisterValues

__all__ = ["live_point", "point", "registers_point"]

_ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def point(measurement: str, tags: Mapping[str, str], fields: Mapping[str, float | int], at: datetime) -> str:
    """One line without its end. A float field stays a float and an integer an integer: the first write fixes the type.

    Raises ValueError without a field, which the protocol does not allow. Empty tags are left out, likewise.
    """
    if not fields:
        raise ValueError(f"a point of {measurement!r} needs a field at least")
    # By key, as InfluxData recommends: a server sorts them itself otherwise. Source: influx/line-protocol
    head = "".join(f",{_key(name)}={_key(value)}" for name, value in sorted(tags.items()) if value)
    body = ",".join(f"{_key(name)}={_number(value)}" for name, value in fields.items())
    nanoseconds = (at - _ORIGIN) // _MICROSECOND * 1000
    return f"{_key(measurement, also='')}{head} {body} {nanoseconds}"


def live_point(measurement: str, meter: PublishedMeter, live: LiveValues) -> str:
    """Live values, each a float."""
    return point(measurement, _tags(meter), {key: float(value) for key, value in live.values.items()}, live.at)


def registers_point(measurement: str, meter: PublishedMeter, registers: RegisterValues) -> str:
    """Registers in whole watt-hours, each an integer."""
    fields = {"import_wh": registers.import_wh, "export_wh": registers.export_wh}
    tags = {**_tags(meter), "estimated": "true" if meter.has_estimates else ""}
    return point(measurement, tags, fields, registers.at)


def _tags(meter: PublishedMeter) -> dict[str, str]:
    return {"meter": meter.name, "id": meter.identity, "simulated": "true" if meter.simulated else ""}


def _key(text: str, *, also: str = "=") -> str:
    """A name or tag escaped; ``also`` is what else must be, beside comma and space. Line breaks cannot be escaped."""
    for char in (",", " ", *also):
        text = text.replace(char, f"\\{char}")
    return text.replace("\n", " ").replace("\r", " ")


def _number(value: float | int) -> str:
    return f"{value}i" if isinstance(value, int) else repr(value)
