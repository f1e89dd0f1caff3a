"""A simulated meter with Tuya's stock firmware: a microcontroller that measures, and a Wi-Fi module with a cache.

The module knows what the microcontroller has reported, and nothing else: after a restart of the module every number is
0 until the next report, and the register comes back unharmed. It answers one client, pushes what has changed, and gives
the client of another key nothing. Not modelled: discovery, the cloud, schedules, commands that set something.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from secrets import token_bytes
from types import MappingProxyType
from typing import Final

from wattrail.network_meters.decoded import SIMULATED_MARK
from wattrail.twin.network.meter import SimulatedNetworkMeter
from wattrail.twin.network.serving import listening
from wattrail.twin.network.tuya_codec import DeviceCodec, Request

__all__ = ["LOCAL_KEY", "SimulatedTuya", "TuyaServer", "serve_tuya"]

LOCAL_KEY: Final = "SimulatedTuyaKey"
"""Of a simulated device, and known to everybody."""

_ID: Final = "simulated00000000e01"
_MARK_POINT: Final = "200"
"""A data point that no meter uses; its text says that all others are simulated."""

_METER: Final[Mapping[str, tuple[str, int]]] = {
    "101": ("volts", 10), "102": ("amps", 100), "103": ("watts", 100), "109": ("import", 1),
}  # fmt: skip
_PLUG: Final[Mapping[str, tuple[str, int]]] = {"18": ("amps", 1000), "19": ("watts", 10), "20": ("volts", 10)}
"""Data points of a PZIOT-E01, and of a plug that counts no energy: quantity and factor. Source: tuya/data-points."""

_QUERIES: Final = (10, 16)
_HEARTBEAT, _CONTROL, _CONTROL_NEW, _UPDATE = 9, 7, 13, 18
# Of its receive buffer, as in TuyaOpen.
_READ_SIZE: Final = 512
# TuyaOpen closes a connection on which nothing came for so long; clients send a heartbeat every 8 to 10 s.
IDLE_S: Final = 30.0


class SimulatedTuya:
    """A PZIOT-E01 as it comes out of its box; ``report`` is its microcontroller, which speaks when it is called.

    ``wants_points``: an id of 22 characters whose device answers only questions that name data points. ``is_plug``: a
    plug in its place, which shows current, power and voltage, and counts no energy.
    """

    def __init__(
        self,
        meter: SimulatedNetworkMeter,
        *,
        version: str = "3.3",
        wants_points: bool = False,
        is_plug: bool = False,
    ) -> None:
        self._points = _PLUG if is_plug else _METER
        self.meter = meter
        self.version = version
        self.local_key = LOCAL_KEY
        self.device_id = _ID
        self.wants_points = wants_points
        self.ignores_update = False
        self._cache: dict[str, int] = {}
        self.restart_module()

    def restart_module(self) -> None:
        """The Wi-Fi module restarts; the meter behind it measures and counts on."""
        # Read in TuyaOpen: a number that the microcontroller has not reported yet is answered as 0, without any mark.
        self._cache = dict.fromkeys(self._points, 0)

    def report(self) -> Mapping[str, int]:
        """The microcontroller reports; what the module had not, it pushes."""
        measured = self._measured()
        changed = {number: value for number, value in measured.items() if self._cache[number] != value}
        self._cache = measured
        return MappingProxyType(changed)

    def answer(self, request: Request) -> tuple[bytes, Mapping[str, int]]:
        """What the module answers to a request, and what it pushes after that."""
        if request.command == _HEARTBEAT:
            return b"", {}
        if request.command == _UPDATE:
            # TuyaOpen ignores it, plugs obey: so it is a switch.
            return b"", {} if self.ignores_update else self.report()
        wanted = self._named(request.text)
        if request.command in _QUERIES:
            # The words of the firmware, not ours: clients recognise such a device by them.
            return (b"json obj data unvalid", {}) if self.wants_points else (self._document(self._cache), {})
        if request.command == _CONTROL_NEW and self.wants_points and wanted:
            return self._document({number: self._cache[number] for number in wanted if number in self._cache}), {}
        return b"", {}

    def pushed(self, points: Mapping[str, int]) -> bytes:
        """The text of a push."""
        if self.version < "3.4":
            return self._document(points)
        return _json({"protocol": 4, "t": self._now(), "data": {"dps": self._marked(points)}})

    def _measured(self) -> dict[str, int]:
        shown = self.meter.update()
        values = {
            "volts": shown.volts, "amps": shown.amps, "watts": shown.watts, "import": self.meter.register.count,
        }  # fmt: skip
        return {number: round(values[name] * factor) for number, (name, factor) in self._points.items()}

    @property
    def options(self) -> str:
        """The option of a URL that says what its data points mean."""
        if self._points is _METER:
            return "board=pziot-e01"
        return "dps=" + ",".join(f"{number}:{name}/{factor}" for number, (name, factor) in self._points.items())

    def _document(self, points: Mapping[str, int]) -> bytes:
        return _json({"dps": self._marked(points), "t": self._now()})

    def _marked(self, points: Mapping[str, int]) -> dict[str, object]:
        return {**points, _MARK_POINT: SIMULATED_MARK}

    def _named(self, text: bytes) -> tuple[str, ...]:
        with suppress(ValueError):
            document = json.loads(text)
            inside = document.get("data", document) if isinstance(document, dict) else None
            if isinstance(inside, dict) and isinstance(inside.get("dps"), dict):
                return tuple(inside["dps"])
        return ()

    def _now(self) -> int:
        return int(self.meter.clock.now().timestamp())


@dataclass(slots=True)
class _TuyaClient:
    codec: DeviceCodec
    writer: asyncio.StreamWriter


class TuyaServer:
    """The module's network: one client, and a further one is closed at once. ``is_silent``: it says nothing."""

    def __init__(self, device: SimulatedTuya, *, idle_s: float, random: Callable[[int], bytes]) -> None:
        self.device = device
        self.place = ""
        self.is_silent = False
        self.refused_clients = 0
        self.connections = 0
        self._idle_s, self._random = idle_s, random
        self._client: _TuyaClient | None = None

    def report(self) -> None:
        """The microcontroller reports, and the client hears of what has changed."""
        self.push(self.device.report())

    def push(self, points: Mapping[str, int]) -> None:
        """Say something by itself."""
        client = self._client
        if client is not None and points and client.codec.is_open and not self.is_silent:
            client.writer.write(client.codec.push(self.device.pushed(points)))

    def hang_up(self) -> None:
        """End the connection of the client, as a module does that restarts."""
        if self._client is not None:
            self._client.writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self._client is not None:
            # In the field most devices serve one; a further one is accepted and closed at once (localtuya #725).
            self.refused_clients += 1
            writer.close()
            return
        codec = DeviceCodec(self.device.version, self.device.local_key.encode("ascii"), self._random)
        self._client = _TuyaClient(codec, writer)
        self.connections += 1
        try:
            with suppress(OSError, TimeoutError):
                while not codec.is_refused:
                    async with asyncio.timeout(self._idle_s):
                        data = await reader.read(_READ_SIZE)
                    if not data:
                        break
                    if not self.is_silent:
                        self._respond(codec, writer, data)
                        await writer.drain()
        finally:
            self._client = None
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _respond(self, codec: DeviceCodec, writer: asyncio.StreamWriter, data: bytes) -> None:
        requests, replies = codec.take(data)
        writer.write(replies)
        for request in requests:
            text, pushes = self.device.answer(request)
            # A command is acknowledged with 1 whatever became of it; success shows as a push alone.
            retcode = 1 if request.command in (_CONTROL, _CONTROL_NEW) and not text else 0
            writer.write(codec.answer(request, text, retcode=retcode))
            if pushes:
                writer.write(codec.push(self.device.pushed(pushes)))


@asynccontextmanager
async def serve_tuya(
    device: SimulatedTuya,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    every_s: float | None = None,
    idle_s: float = IDLE_S,
    random: Callable[[int], bytes] = token_bytes,
) -> AsyncIterator[TuyaServer]:
    """Serve while the block runs; the microcontroller reports ``every_s`` seconds, with None only by ``report``.

    Raises PortOpenError.
    """
    served = TuyaServer(device, idle_s=idle_s, random=random)
    reporting: asyncio.Task[None] | None = None
    try:
        async with listening(served.serve, host, port) as served.place:
            reporting = asyncio.create_task(_report_forever(served, every_s)) if every_s else None
            yield served
    finally:
        served.hang_up()
        if reporting is not None:
            reporting.cancel()
            await asyncio.wait([reporting])


async def _report_forever(served: TuyaServer, every_s: float) -> None:
    while True:
        served.report()
        await asyncio.sleep(every_s)


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
