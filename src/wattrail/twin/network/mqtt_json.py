"""A simulated meter that publishes JSON on MQTT, as zigbee2mqtt does for its plugs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from wattrail.twin.network.meter import SimulatedNetworkMeter
from wattrail.twin.network.serving import Message

__all__ = ["SimulatedJsonMeter"]


class SimulatedJsonMeter:
    """One device below ``topic``. ``repeats`` is the bridge's habit to publish what it has cached once more."""

    def __init__(
        self, meter: SimulatedNetworkMeter, *, topic: str = "zigbee2mqtt/simulated-plug", has_time: bool = True
    ) -> None:
        self.meter = meter
        self.topic = topic
        self.has_time = has_time
        self.repeats = False
        self._last = ""

    @property
    def will(self) -> Message:
        """``availability`` = ``offline``."""
        return Message(f"{self.topic}/availability", '{"state":"offline"}', retain=True)

    @property
    def commands(self) -> str:
        """Questions."""
        return f"{self.topic}/get"

    def births(self) -> Sequence[Message]:
        """Availability."""
        return [Message(f"{self.topic}/availability", '{"state":"online"}', retain=True)]

    def state(self) -> Sequence[Message]:
        """Everything in one message."""
        if not (self.repeats and self._last):
            self._last = json.dumps(self._document())
        return [Message(self.topic, self._last)]

    def answer_command(self, topic: str, payload: str) -> Sequence[Message]:
        """The same, at once."""
        del topic, payload
        return self.state()

    def _document(self) -> dict[str, object]:
        shown = self.meter.update()
        seen = {"last_seen": self.meter.clock.now().isoformat()} if self.has_time else {}
        return {
            "energy": round(float(self.meter.register.mwh) / 1e6, 3),
            "power": round(shown.watts, 1),
            "voltage": round(shown.volts, 1),
            "current": round(shown.amps, 3),
            "linkquality": 120,
            "simulated": True,
            **seen,
        }
