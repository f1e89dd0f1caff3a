"""Simulated network devices by name, each with the habits of its kind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from wattrail.clock import Clock
from wattrail.energy_register import Direction
from wattrail.twin.network.meter import SimulatedNetworkMeter
from wattrail.twin.network.openbeken import SimulatedOpenBeken
from wattrail.twin.network.register_habits import HABITS, RegisterHabits
from wattrail.twin.network.serving import Message
from wattrail.twin.network.tasmota import SimulatedTasmota

if TYPE_CHECKING:
    from wattrail.twin.network.tuya import SimulatedTuya

__all__ = ["PhysicsOptions", "SimulatedJsonMeter", "json_meter", "openbeken", "tasmota", "tuya"]

_OPENBEKEN: Final = replace(HABITS["openbeken"], has_reset_reason=True)  # on its page
_TASMOTA: Final = HABITS["tasmota"]


class PhysicsOptions(TypedDict, total=False):
    """What happens at the conductor of a simulated device."""

    scenario: str
    seed: int
    start: str | None
    total_wh: int


def openbeken(
    clock: Clock, *, meters: int = 1, is_signed: bool = True, is_kwh: bool = False, **physics: Unpack[PhysicsOptions]
) -> SimulatedOpenBeken:
    """An OpenBeken device; the second of two meters has a house of its own."""
    first = SimulatedNetworkMeter(_OPENBEKEN, clock=clock, **physics)
    other: PhysicsOptions = {**physics, "seed": physics.get("seed", 0) + 1}
    second = SimulatedNetworkMeter(_OPENBEKEN, clock=clock, **other) if meters == 2 else None
    return SimulatedOpenBeken(first, second, is_signed=is_signed, is_kwh=is_kwh)


def tasmota(
    clock: Clock, *, phases: int = 1, export: str = "added", **physics: Unpack[PhysicsOptions]
) -> SimulatedTasmota:
    """A Tasmota device; ``export`` is what its driver does: added, separate, subtracted."""
    direction = {"added": Direction.SUM, "separate": Direction.IMPORT, "subtracted": Direction.NET}[export]
    habits = replace(_TASMOTA, direction=direction)
    exports: RegisterHabits | None = None if export == "added" else replace(_TASMOTA, direction=Direction.EXPORT)
    seed = physics.get("seed", 0)
    meters = []
    for phase in range(phases):
        of_phase: PhysicsOptions = {**physics, "seed": seed + phase}
        meters.append(SimulatedNetworkMeter(habits, clock=clock, export_habits=exports, **of_phase))
    return SimulatedTasmota(*meters, is_power_signed=export != "added")


def json_meter(clock: Clock, **physics: Unpack[PhysicsOptions]) -> SimulatedJsonMeter:
    """A plug behind zigbee2mqtt."""
    return SimulatedJsonMeter(SimulatedNetworkMeter(HABITS["zigbee2mqtt"], clock=clock, **physics))


def tuya(
    clock: Clock, *, version: str = "3.3", wants_points: bool = False, is_plug: bool = False,
    **physics: Unpack[PhysicsOptions],
) -> SimulatedTuya:  # fmt: skip
    """A PZIOT-E01 with its stock firmware, or a plug that counts no energy.

    It needs the library of the ciphers, which the others do not.
    """
    from wattrail.twin.network.tuya import SimulatedTuya

    meter = SimulatedNetworkMeter(HABITS["tuya"], clock=clock, **physics)
    return SimulatedTuya(meter, version=version, wants_points=wants_points, is_plug=is_plug)


class SimulatedJsonMeter:
    """A plug behind zigbee2mqtt: JSON on MQTT, below ``topic``.

    ``repeats`` is the bridge's habit to publish what it has cached once more. The shape is documented; which fields a
    plug has differs by its maker.
    """

    def __init__(self, meter: SimulatedNetworkMeter, *, topic: str = "zigbee2mqtt/simulated-plug") -> None:
        self.meter = meter
        self.topic = topic
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
        return {
            "energy": round(float(self.meter.register.mwh) / 1e6, 3),
            "power": round(shown.watts, 1),
            "voltage": round(shown.volts, 1),
            "current": round(shown.amps, 3),
            "linkquality": 120,
            "simulated": True,
            "last_seen": self.meter.clock.now().isoformat(),
        }
