"""What an MQTT publisher says: messages, and the protocol behind which each consumer's way of saying it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final, Protocol

from wattrail.alarms import StandingAlarm
from wattrail.publish.values import LiveValues, PublishedMeter, RegisterValues
from wattrail.units import utc_text

__all__ = ["ALARM", "MqttDialect", "MqttMessage", "alarms_json", "live_json", "registers_json", "state_word"]


ALARM: Final = "alarm"
"""Beside the keys of live quantities: the meter is watched by alarms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttMessage:
    """One message. ``expiry_s``: the broker forgets it after that time, a retained one too (MQTT 5)."""

    topic: str
    payload: str
    retain: bool = False
    # Not 2: it does not help where we are killed between acknowledgement and commit, and a register carries its time:
    # a second one does no harm (ADR 33).
    qos: int = 1
    expiry_s: int | None = None


class MqttDialect(Protocol):
    """How one consumer wants meters on a broker."""

    @property
    def replays(self) -> bool:
        """Whether registers of the past are of use, each with its time; else only the newest of each meter is sent."""
        ...

    @property
    def birth_topic(self) -> str | None:
        """The consumer says ``online`` here when it has started, and wants everything again."""
        ...

    def owns(self, meter: PublishedMeter, topic: str) -> bool:
        """Whether a retained topic belongs to a meter as it is named and configured now."""
        ...

    def gateway_state(self, *, online: bool) -> MqttMessage:
        """Whether this service runs; ``offline`` is also the will."""
        ...

    def announcement(self, meter: PublishedMeter, keys: Set[str]) -> tuple[MqttMessage, ...]:
        """What makes a meter known, with the live quantities that it has; ``alarm`` is one where it is watched."""
        ...

    def meter_state(self, meter: PublishedMeter, *, online: bool) -> tuple[MqttMessage, ...]:
        """Whether a meter is read."""
        ...

    def live(self, meter: PublishedMeter, live: LiveValues) -> tuple[MqttMessage, ...]:
        """Values of this moment."""
        ...

    def registers(self, meter: PublishedMeter, registers: RegisterValues) -> tuple[MqttMessage, ...]:
        """Energy registers of the moment that they carry."""
        ...

    def alarms(self, meter: PublishedMeter, alarms: Sequence[StandingAlarm]) -> tuple[MqttMessage, ...]:
        """The alarms of a meter that are raised now."""
        ...


def state_word(online: bool) -> str:
    """What both dialects say of a meter and of this service; Home Assistant expects these words by default."""
    return "online" if online else "offline"


def live_json(meter: PublishedMeter, live: LiveValues) -> str:
    """Live values as an object: time, the known quantities, and ``simulated`` for a twin."""
    return _json(meter, {"t": utc_text(live.at), **live.values})


def registers_json(meter: PublishedMeter, registers: RegisterValues) -> str:
    """Registers as an object: time, import and export in kWh to the watt-hour; ``estimated`` where power made them."""
    return _json(
        meter,
        {
            "t": utc_text(registers.at),
            "import_kwh": registers.import_kwh,
            "export_kwh": registers.export_kwh,
            **({"estimated": True} if meter.has_estimates else {}),
        },
    )


def alarms_json(meter: PublishedMeter, alarms: Sequence[StandingAlarm]) -> str:
    """Raised alarms as an object: ``state`` is ON while there is any."""
    rows = [
        {
            "rule": alarm.raised.rule, "severity": alarm.raised.severity, "text": alarm.raised.text,
            "since": utc_text(alarm.raised.at), "acknowledged": alarm.acknowledged_at is not None,
        }
        for alarm in alarms
    ]  # fmt: skip
    return _json(meter, {"state": "ON" if rows else "OFF", "alarms": rows})


def _json(meter: PublishedMeter, content: Mapping[str, object]) -> str:
    mark = {"simulated": True} if meter.simulated else {}
    return json.dumps({**content, **mark}, separators=(",", ":"))
