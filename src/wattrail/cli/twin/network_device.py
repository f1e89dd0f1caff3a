"""Network devices of ``wattrail twin serve``: OpenBeken, Tasmota, a plug that publishes JSON, and Tuya's firmware."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter, validators

from wattrail.cli.exits import UsageError
from wattrail.clock import SystemClock
from wattrail.errors import needs_library
from wattrail.twin.network.serving import NETWORK_DEVICES, connect_to_broker, serve_web
from wattrail.urls import MQTT_PORTS

if TYPE_CHECKING:
    from wattrail.twin.network.devices import PhysicsOptions, SimulatedJsonMeter
    from wattrail.twin.network.meter import SimulatedNetworkMeter
    from wattrail.twin.network.openbeken import SimulatedOpenBeken
    from wattrail.twin.network.tasmota import SimulatedTasmota
    from wattrail.twin.network.tuya import SimulatedTuya

    _Device = SimulatedOpenBeken | SimulatedTasmota | SimulatedJsonMeter


@dataclass(frozen=True, slots=True)
class Physics:
    """What happens at the conductor: a scenario, or a state that is held."""

    scenario: str
    seed: int
    start: str | None
    steady: Mapping[str, float | None]

    def options(self) -> PhysicsOptions:
        """For the functions that make a device."""
        return {"scenario": self.scenario, "seed": self.seed, "start": self.start}

    def hold(self, *conductors: SimulatedNetworkMeter) -> None:
        """Put the state that is held in the place of the scenario."""
        if any(value is not None for value in self.steady.values()):
            for conductor in conductors:
                conductor.set(**self.steady)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class NetworkTwinOptions:
    """How a network device behaves."""

    broker: Annotated[str | None, Parameter(help="Publish to this MQTT broker, host or host:port.")] = None
    every: Annotated[
        float, Parameter(help="Seconds between two publications.", validator=validators.Number(gte=0.1, lte=3600))
    ] = 5.0
    meters: Annotated[Literal[1, 2], Parameter(help="OpenBeken: meters of the build.")] = 1
    phases: Annotated[Literal[1, 3], Parameter(help="Tasmota: phases.")] = 1
    export: Annotated[
        Literal["added", "separate", "subtracted"], Parameter(help="Tasmota: what its driver does with export.")
    ] = "added"
    tuya_version: Annotated[
        Literal["3.1", "3.3", "3.4", "3.5"], Parameter(help="Tuya: version of its local protocol.")
    ] = "3.3"
    plug: Annotated[bool, Parameter(help="Tuya: a plug that shows power and counts no energy.")] = False

    def place(self) -> tuple[str, int] | None:
        """Host and port of the broker, or None. Raises UsageError."""
        if self.broker is None:
            return None
        host, _, port = self.broker.partition(":")
        if not host or (port and not (port.isdecimal() and 0 < int(port) < 65536)):
            raise UsageError(f"--broker {self.broker!r} is not a host, or host:port")
        return host, int(port or MQTT_PORTS["mqtt"])


def serve_device(name: str, host: str, port: int, physics: Physics, options: NetworkTwinOptions) -> None:
    """Serve until it is interrupted. Raises UsageError, ConfigError, PortOpenError, MissingExtra."""
    if name == "mqtt-json" and options.broker is None:
        raise UsageError("mqtt-json publishes over MQTT and needs a broker", hint="add --broker 127.0.0.1:1883")
    if name == "tuya":
        if options.broker is not None:
            raise UsageError("Tuya's stock firmware publishes to no broker", hint="leave --broker out")
        asyncio.run(_serve_tuya(_made_tuya(physics, options), host, port, options.every))
        return
    device = _made(name, physics, options)
    asyncio.run(_serve(name, device, host, port, options))


def _made_tuya(physics: Physics, options: NetworkTwinOptions) -> SimulatedTuya:
    from wattrail.network_meters.tuya_frames import needs_cipher

    needs_cipher()
    with needs_library("a simulated device", "numpy", extra="twin", module="numpy"):
        from wattrail.twin.network import devices
    device = devices.tuya(SystemClock(), version=options.tuya_version, is_plug=options.plug, **physics.options())
    physics.hold(device.meter)
    return device


async def _serve_tuya(device: SimulatedTuya, host: str, port: int, every_s: float) -> None:
    from wattrail.twin.network.tuya import serve_tuya

    async with serve_tuya(device, host=host, port=port, every_s=every_s) as served:
        print(
            f"SIMULATED: {NETWORK_DEVICES['tuya']}",
            f"its URL: tuya://{served.place}?version={device.version}&{device.options}&login=simulated",
            f"its key, known to everybody: export WATTRAIL_LOGIN_SIMULATED={device.device_id}:{device.local_key}",
            "Ctrl-C ends it",
            sep="\n",
            flush=True,
        )
        await _until_stopped()


def _made(name: str, physics: Physics, options: NetworkTwinOptions) -> _Device:
    with needs_library("a simulated device", "numpy", extra="twin", module="numpy"):
        from wattrail.twin.network import devices
    clock, given = SystemClock(), physics.options()
    match name:
        case "openbeken":
            openbeken = devices.openbeken(clock, meters=options.meters, **given)
            physics.hold(openbeken.meter)
            return openbeken
        case "tasmota":
            tasmota = devices.tasmota(clock, phases=options.phases, export=options.export, **given)
            physics.hold(*tasmota.phases)
            return tasmota
        case _:
            plug = devices.json_meter(clock, **given)
            physics.hold(plug.meter)
            return plug


async def _serve(name: str, device: _Device, host: str, port: int, options: NetworkTwinOptions) -> None:
    from wattrail.twin.network.devices import SimulatedJsonMeter

    lines = [f"SIMULATED: {NETWORK_DEVICES[name]}"]
    async with AsyncExitStack() as stack:
        if not isinstance(device, SimulatedJsonMeter):
            place = await stack.enter_async_context(serve_web(device.answer, host=host, port=port))
            lines += [f"HTTP at http://{place}", f"its URL: {name}://{place}"]
        tasks = [asyncio.create_task(_until_stopped())]
        if broker := options.place():
            connection = connect_to_broker(device, host=broker[0], port=broker[1], interval_s=options.every)
            tasks.append(asyncio.create_task(connection))
            lines += [f"MQTT at {broker[0]}:{broker[1]}", f"its URL: mqtt://{broker[0]}:{broker[1]}/{_path(device)}"]
        print(*lines, "Ctrl-C ends it", sep="\n", flush=True)
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()


def _path(device: _Device) -> str:
    from wattrail.twin.network.openbeken import SimulatedOpenBeken
    from wattrail.twin.network.tasmota import SimulatedTasmota

    if isinstance(device, SimulatedOpenBeken):
        return f"{device.client}?device=openbeken"
    if isinstance(device, SimulatedTasmota):
        return f"{device.mac}?device=tasmota"
    return f"{device.topic}?device=json&profile=zigbee2mqtt"


async def _until_stopped() -> None:
    await asyncio.Event().wait()
