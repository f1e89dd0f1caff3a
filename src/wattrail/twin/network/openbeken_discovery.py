"""What a simulated OpenBeken says to Home Assistant: one document per entity.

Read in the firmware's source: numbers, classes, units, topics, the frequency that is announced twice under one id, the
clear date that comes only with a clock. Not modelled: counters of single days, relays and channels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from wattrail.twin.network.serving import Message

__all__ = ["announcements"]

_FREQUENCY: Final = "138"
_MEASURED: Final = (
    ("0", "Voltage", "voltage", "voltage", "V"),
    ("1", "Current", "current", "current", "A"),
    ("2", "Power", "power", "power", "W"),
    (_FREQUENCY, "Frequency", "frequency", "138", "Hz"),
    ("9", "Apparent Power", "apparent_power", "power_apparent", "VA"),
    ("10", "Reactive Power", "reactive_power", "power_reactive", "var"),
    ("11", "Power Factor", "power_factor", "power_factor", ""),
)
"""Number, name, device class, topic and unit of what is measured."""

_DIAGNOSTICS: Final[tuple[tuple[str, str, dict[str, str]], ...]] = (
    ("temp", "Temperature", {"dev_cla": "temperature", "stat_cla": "measurement", "unit_of_meas": "°C"}),
    ("rssi", "RSSI", {"dev_cla": "signal_strength", "stat_cla": "measurement", "unit_of_meas": "dBm"}),
    ("uptime", "Uptime", {"dev_cla": "duration", "stat_cla": "total_increasing", "unit_of_meas": "s"}),
    ("build", "Build", {}),
    ("ssid", "SSID", {}),
    ("ip", "IP", {}),
)


def announcements(host: str, client: str, *, version: str, energy_unit: str, has_clock: bool) -> list[Message]:
    """Retained documents below ``homeassistant/sensor``; ``host`` is the long name of the device."""
    head = {
        "dev": {
            "ids": [host], "name": host, "sw": version, "mf": "Beken", "mdl": "BK7231N",
            "cu": "http://127.0.0.1/index",
        },
        "~": client, "avty_t": "~/connected", "qos": 1,
    }  # fmt: skip
    return [
        Message(
            f"homeassistant/sensor/{host}_{end}/config",
            json.dumps({**head, "name": name, "uniq_id": f"{host}_{end}", "stat_t": f"~/{topic}", **fields}),
            retain=True,
        )
        for end, name, topic, fields in _entities(energy_unit, has_clock=has_clock)
    ]


def _entities(energy_unit: str, *, has_clock: bool) -> Iterator[tuple[str, str, str, Mapping[str, str]]]:
    """The end of the id, the name, the topic below the client's, and the fields of each."""
    for number, name, kind, topic, unit in _MEASURED:
        with_unit = {"unit_of_meas": unit} if unit else {}
        fields = {"dev_cla": kind, "stat_cla": "measurement", **with_unit}
        for _ in range(2 if number == _FREQUENCY else 1):
            yield f"sensor_{number}", name, f"{topic}/get", fields
    counted = {"dev_cla": "energy", "stat_cla": "total_increasing", "unit_of_meas": energy_unit}
    yield "sensor_3", "Energy Total", "energycounter/get", counted
    yield "sensor_4", "Energy Last Hour", "energycounter_last_hour/get", counted
    if has_clock:
        yield "sensor_8", "Energy Clear Date", "energycounter_clear_date/get", {"dev_cla": "timestamp"}
    for topic, name, fields in _DIAGNOSTICS:
        yield topic, name, topic, {**fields, "entity_category": "diagnostic"}
