"""Home Assistant over MQTT: one retained document per meter describes the device and all its entities.

Topics and unique ids carry the meter's identity, not its name: a meter that is renamed keeps its entities and their
history. Home Assistant has this form since 2024.11.
"""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

from wattrail import __version__
from wattrail.alarms import StandingAlarm
from wattrail.publish.dialect import ALARM, MqttMessage, alarms_json, live_json, registers_json, state_word
from wattrail.publish.values import QUANTITIES, LiveValues, PublishedMeter, PublishedQuantity, RegisterValues

__all__ = ["HomeAssistantDialect"]

_MIN_EXPIRY_S: Final = 60
_SUPPORT_URL: Final = "https://github.com/wattrail/wattrail"


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAssistantDialect:
    """Discovery, availability at two levels, live values, and registers that fit the energy dashboard.

    ``live_s`` is the live cadence in seconds; after three of them without a value an entity is unavailable.
    """

    topic: str = "wattrail"
    discovery_prefix: str = "homeassistant"
    live_s: float = 10.0
    configuration_url: str | None = None
    replays: bool = False  # Home Assistant books a register when it arrives: the past would become one step now

    @property
    def birth_topic(self) -> str | None:
        """Home Assistant's own birth and will."""
        return f"{self.discovery_prefix}/status"

    def owns(self, meter: PublishedMeter, topic: str) -> bool:
        """Topics carry the identity: only another base or prefix leaves some behind."""
        return topic == self._discovery_topic(meter) or topic.startswith(self._of(meter, ""))

    def gateway_state(self, *, online: bool) -> MqttMessage:
        """The upper level of availability."""
        return MqttMessage(topic=f"{self.topic}/bridge/state", payload=state_word(online), retain=True)

    def announcement(self, meter: PublishedMeter, keys: Set[str]) -> tuple[MqttMessage, ...]:
        """The discovery document of a meter."""
        unique = f"wattrail_{meter.identity}"
        document = {
            "device": self._device(meter, unique),
            "origin": {"name": "wattrail", "sw_version": __version__, "support_url": _SUPPORT_URL},
            "availability": [{"topic": f"{self.topic}/bridge/state"}, {"topic": self._of(meter, "state")}],
            # By default the latest word counts: a meter would stay available after its gateway has died.
            "availability_mode": "all",
            "state_topic": self._of(meter, "live"),
            "qos": 1,
            "components": {
                "import": self._register(meter, unique, "import"),
                "export": self._register(meter, unique, "export"),
                **{one.key: self._quantity(one, unique) for one in QUANTITIES if one.key in keys},
                "link": self._link(meter, unique),
                **({"alarm": self._alarm(meter, unique)} if ALARM in keys else {}),
            },
        }
        topic = self._discovery_topic(meter)
        return (MqttMessage(topic=topic, payload=json.dumps(document, separators=(",", ":")), retain=True),)

    def meter_state(self, meter: PublishedMeter, *, online: bool) -> tuple[MqttMessage, ...]:
        """The lower level of availability."""
        return (MqttMessage(topic=self._of(meter, "state"), payload=state_word(online), retain=True),)

    def live(self, meter: PublishedMeter, live: LiveValues) -> tuple[MqttMessage, ...]:
        """Never retained: a value of the past would be shown as present."""
        # Once at most: a live value that is lost is followed by the next one.
        message = MqttMessage(
            topic=self._of(meter, "live"), payload=live_json(meter, live), qos=0, expiry_s=self._expiry_s()
        )
        return (message,)

    def registers(self, meter: PublishedMeter, registers: RegisterValues) -> tuple[MqttMessage, ...]:
        """Retained, which is safe for what never falls, and shows it directly after a start of Home Assistant."""
        return (MqttMessage(topic=self._of(meter, "registers"), payload=registers_json(meter, registers), retain=True),)

    def alarms(self, meter: PublishedMeter, alarms: Sequence[StandingAlarm]) -> tuple[MqttMessage, ...]:
        """Retained: an alarm stands until it is cleared, and no entity is unknown after a start of Home Assistant."""
        return (MqttMessage(topic=self._of(meter, "alarm"), payload=alarms_json(meter, alarms), retain=True),)

    def _discovery_topic(self, meter: PublishedMeter) -> str:
        return f"{self.discovery_prefix}/device/wattrail_{meter.identity}/config"

    def _of(self, meter: PublishedMeter, leaf: str) -> str:
        return f"{self.topic}/m/{meter.identity}/{leaf}"

    def _expiry_s(self) -> int:
        return max(_MIN_EXPIRY_S, round(3 * self.live_s))

    def _device(self, meter: PublishedMeter, unique: str) -> dict[str, object]:
        device: dict[str, object] = {
            "identifiers": [unique],
            "name": f"{meter.name} (simulated)" if meter.simulated else meter.name,
            "model": "Simulated energy meter" if meter.simulated else "Energy meter",
            "serial_number": meter.identity,
        }
        if self.configuration_url:
            device["configuration_url"] = self.configuration_url
        return device

    def _register(self, meter: PublishedMeter, unique: str, way: str) -> dict[str, object]:
        return {
            "platform": "sensor",
            "unique_id": f"{unique}_{way}",
            "name": f"Energy {way} (estimated)" if meter.has_estimates else f"Energy {way}",
            "state_topic": self._of(meter, "registers"),
            "value_template": f"{{{{ value_json.{way}_kwh }}}}",
            "device_class": "energy",
            # Both registers are kept by us and never fall. Where a database is lost all the same, this class costs
            # the new value at most; class "total" would draw a large negative bar.
            "state_class": "total_increasing",
            "unit_of_measurement": "kWh",
            "suggested_display_precision": 2,
        }

    def _quantity(self, quantity: PublishedQuantity, unique: str) -> dict[str, object]:
        component: dict[str, object] = {
            "platform": "sensor",
            "unique_id": f"{unique}_{quantity.key}",
            # None, which Home Assistant shows as unknown, where the live values lack the key at this moment.
            "value_template": f"{{{{ value_json.get('{quantity.key}') }}}}",
            "device_class": quantity.device_class,
            "state_class": "measurement",
            "suggested_display_precision": min(quantity.decimals, 2),
            "expire_after": self._expiry_s(),
        }
        if quantity.is_diagnostic:
            component["entity_category"] = "diagnostic"
        if quantity.unit:  # an empty unit is an error to Home Assistant
            component["unit_of_measurement"] = quantity.unit
        return component

    def _link(self, meter: PublishedMeter, unique: str) -> dict[str, object]:
        """Says that a meter is offline, so it stays available then.

        Its availability is a list, as that of the device: one with ``availability_topic`` would inherit the list as
        well and be refused, while all other entities appear.
        """
        return {
            "platform": "binary_sensor",
            "unique_id": f"{unique}_link",
            "name": "Link",
            "state_topic": self._of(meter, "state"),
            "payload_on": state_word(True),
            "payload_off": state_word(False),
            "availability": [{"topic": f"{self.topic}/bridge/state"}],
            "device_class": "connectivity",
            "entity_category": "diagnostic",
        }

    def _alarm(self, meter: PublishedMeter, unique: str) -> dict[str, object]:
        """Available while the gateway runs: that a meter is silent is an alarm as well."""
        return {
            "platform": "binary_sensor",
            "unique_id": f"{unique}_alarm",
            "name": "Alarm",
            "state_topic": self._of(meter, "alarm"),
            "value_template": "{{ value_json.state }}",
            "json_attributes_topic": self._of(meter, "alarm"),
            "availability": [{"topic": f"{self.topic}/bridge/state"}],
            "device_class": "problem",
        }
