"""Simulated network devices by name, each with the habits of its kind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from wattrail.clock import Clock
from wattrail.energy_register import Direction
from wattrail.twin.network.meter import SimulatedNetworkMeter
from wattrail.twin.network.mqtt_json import SimulatedJsonMeter
from wattrail.twin.network.openbeken import SimulatedOpenBeken
from wattrail.twin.network.register_habits import HABITS, RegisterHabits
from wattrail.twin.network.tasmota import SimulatedTasmota

if TYPE_CHECKING:
    from wattrail.twin.network.tuya import SimulatedTuya

__all__ = ["PhysicsOptions", "json_meter", "openbeken", "tasmota", "tuya"]

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
