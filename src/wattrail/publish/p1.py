"""A DSMR 5 telegram from our registers, as the P1 port of a Dutch smart meter sends it.

Home Assistant's dsmr, dsmr-reader and evcc read it over TCP. What the format cannot express: the sign of a current.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from wattrail.publish.values import LiveValues, PublishedMeter, RegisterValues
from wattrail.wire.octets import crc16_arc

__all__ = ["telegram"]


def telegram(
    meter: PublishedMeter, live: LiveValues, registers: RegisterValues, *, local: datetime, is_summer: bool
) -> bytes:
    """One telegram. ``local`` is the local time of the reading; ``is_summer`` whether daylight saving time holds.

    Everything is in tariff 1. Quantities that are unknown are left out. Source: dsmr/p1-5.
    """
    lines = [*_head(meter, local, is_summer=is_summer), *_energy(registers), *_power(live), "!"]
    text = "\r\n".join(lines).encode("ascii", "replace")
    return text + f"{crc16_arc(text):04X}\r\n".encode("ascii")


def _head(meter: PublishedMeter, local: datetime, *, is_summer: bool) -> Iterator[str]:
    # Three letters for a maker, ours are in no register; 5 is IEC 62056-21 for 9600 baud, which TCP ignores.
    yield f"/WTR5\\wattrail-{'simulated' if meter.simulated else 'meter'}"
    yield ""
    # Version 5.0 of the format, by which readers choose what to expect.
    yield "1-3:0.2.8(50)"
    yield f"0-0:1.0.0({local:%y%m%d%H%M%S}{'S' if is_summer else 'W'})"
    yield f"0-0:96.1.1({meter.identity.encode().hex().upper()})"


def _energy(registers: RegisterValues) -> Iterator[str]:
    yield f"1-0:1.8.1({registers.import_kwh:010.3f}*kWh)"
    yield "1-0:1.8.2(000000.000*kWh)"
    yield f"1-0:2.8.1({registers.export_kwh:010.3f}*kWh)"
    yield "1-0:2.8.2(000000.000*kWh)"
    yield "0-0:96.14.0(0001)"


def _power(live: LiveValues) -> Iterator[str]:
    values = live.values
    power = values.get("power")
    # The format has no sign: each direction has a register of its own. Source: dsmr/p1-5
    taken, given = (None, None) if power is None else (max(power, 0.0) / 1000, max(-power, 0.0) / 1000)
    if taken is not None and given is not None:
        yield f"1-0:1.7.0({taken:06.3f}*kW)"
        yield f"1-0:2.7.0({given:06.3f}*kW)"
    if "voltage" in values:
        yield f"1-0:32.7.0({values['voltage']:05.1f}*V)"
    if "current" in values:
        yield f"1-0:31.7.0({abs(values['current']):03.0f}*A)"
    if taken is not None and given is not None:
        yield f"1-0:21.7.0({taken:06.3f}*kW)"
        yield f"1-0:22.7.0({given:06.3f}*kW)"
