"""Plain MQTT: JSON below the name of each meter, and on request one bare number per topic."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from wattrail.alarms import StandingAlarm
from wattrail.publish.dialect import MqttMessage, alarms_json, live_json, registers_json, state_word
from wattrail.publish.values import LiveValues, PublishedMeter, RegisterValues

__all__ = ["PlainDialect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainDialect:
    """``<topic>/state``; of each meter ``<topic>/<name>/state``, ``live``, ``registers``, ``alarm``, ``flat/<key>``.

    Everything is retained. Live values carry an expiry of three times ``live_s``: the broker forgets them by itself,
    so a value of the past is never taken for a present one.
    """

    topic: str = "meters"
    is_flat: bool = False
    live_s: float = 10.0
    replays: bool = True
    birth_topic: str | None = None

    def owns(self, meter: PublishedMeter, topic: str) -> bool:
        """Topics carry the name: a meter that is renamed leaves its old ones behind."""
        base = f"{self.topic}/{meter.name}/"
        return topic.startswith(base) and (self.is_flat or not topic.startswith(f"{base}flat/"))

    def gateway_state(self, *, online: bool) -> MqttMessage:
        """Whether this service runs."""
        return MqttMessage(topic=f"{self.topic}/state", payload=state_word(online), retain=True)

    def announcement(self, meter: PublishedMeter, keys: Set[str]) -> tuple[MqttMessage, ...]:
        """Nothing: who reads these topics knows them."""
        return ()

    def meter_state(self, meter: PublishedMeter, *, online: bool) -> tuple[MqttMessage, ...]:
        """Whether a meter is read."""
        return (MqttMessage(topic=f"{self.topic}/{meter.name}/state", payload=state_word(online), retain=True),)

    def live(self, meter: PublishedMeter, live: LiveValues) -> tuple[MqttMessage, ...]:
        """Values of this moment."""
        # At least one: a message that expires after 0 seconds would reach nobody.
        expiry_s = max(1, round(3 * self.live_s))
        leaves = {"live": live_json(meter, live)}
        if self.is_flat:
            leaves |= {f"flat/{key}": repr(value) for key, value in live.values.items()}
        return tuple(
            MqttMessage(topic=f"{self.topic}/{meter.name}/{leaf}", payload=payload, retain=True, expiry_s=expiry_s)
            for leaf, payload in leaves.items()
        )

    def registers(self, meter: PublishedMeter, registers: RegisterValues) -> tuple[MqttMessage, ...]:
        """Energy registers, in kWh."""
        leaves = {"registers": registers_json(meter, registers)}
        if self.is_flat:
            leaves["flat/import_kwh"] = repr(registers.import_kwh)
            leaves["flat/export_kwh"] = repr(registers.export_kwh)
        return tuple(
            MqttMessage(topic=f"{self.topic}/{meter.name}/{leaf}", payload=payload, retain=True)
            for leaf, payload in leaves.items()
        )

    def alarms(self, meter: PublishedMeter, alarms: Sequence[StandingAlarm]) -> tuple[MqttMessage, ...]:
        """Raised alarms, with their texts."""
        topic = f"{self.topic}/{meter.name}/alarm"
        return (MqttMessage(topic=topic, payload=alarms_json(meter, alarms), retain=True),)
