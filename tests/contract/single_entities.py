"""Our announcement of a device as one document per entity, for a Home Assistant that reads no others (before 2024.11).

A newer one takes a device document apart in the same way: what stands at its head holds for every component that does
not say otherwise, and each becomes what a document of its own would be. Source: ha/discovery.
"""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from tests.contract.home_assistant import HomeAssistant
from wattrail.publish.dialect import MqttMessage
from wattrail.publish.home_assistant import HomeAssistantDialect
from wattrail.publish.values import PublishedMeter

INHERITED = ("device", "origin", "availability", "availability_mode", "state_topic", "qos")
"""Those of the options inherited from the head of a device document that our documents have."""


def dialect_for(app: HomeAssistant) -> HomeAssistantDialect:
    """What this version of Home Assistant reads."""
    return HomeAssistantDialect() if app.reads_devices else SingleEntities()


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleEntities(HomeAssistantDialect):
    """The same entities, each announced by itself."""

    def announcement(self, meter: PublishedMeter, keys: Set[str]) -> tuple[MqttMessage, ...]:
        (message,) = HomeAssistantDialect.announcement(self, meter, keys)
        document: dict[str, Any] = json.loads(message.payload)
        head = {option: document[option] for option in INHERITED}
        return tuple(
            MqttMessage(
                topic=f"{self.discovery_prefix}/{component.pop('platform')}/wattrail_{meter.identity}/{name}/config",
                payload=json.dumps({**head, **component}),
                retain=True,
            )
            for name, component in document["components"].items()
        )
