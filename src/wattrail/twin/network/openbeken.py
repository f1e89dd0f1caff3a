"""A simulated OpenBeken meter: its web server with its peculiarities, its MQTT topics, its flash-saved total.

Captured from the firmware's own Linux build: the bare LF after the status line, no length, status -1, an answer without
a head, 200 for unknown paths, the shapes of ``Status``, /api/info and the energy table with their odd blanks, a total
that passes through a float, dates of an unset clock, what is published after connecting, the discovery for Home
Assistant, texts on MQTT that are cut and not rounded. Read in its source: ``inf`` where the frequency register is 0,
the reboot reason, Wh or kWh by flag 40, power without a sign unless flag 25, the second meter of a twin build, SSDP.
Settings, flash, files and updates are those of ``openbeken_board`` and ``openbeken_pages``. Not modelled: channels, the
publish thresholds (everything is published each time).
"""

from __future__ import annotations

import base64
import ctypes
import json
import math
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from wattrail.network_meters.decoded import SIMULATED_MARK
from wattrail.openbeken import Flag
from wattrail.twin.network.meter import Shown, SimulatedNetworkMeter
from wattrail.twin.network.openbeken_board import SimulatedBoard
from wattrail.twin.network.openbeken_discovery import announcements
from wattrail.twin.network.openbeken_pages import JSON, BoardPages, PageAnswer
from wattrail.twin.network.register_habits import UJ_PER_WH, as_float32
from wattrail.twin.network.serving import Message, WebFaults, content_length

__all__ = ["SimulatedOpenBeken"]

_VERSION: Final = "1.18.230"
_MAC: Final = "C8478C51CAFE"
_ALL_PARTS: Final = ("Status", "StatusPRM", "StatusFWR", "StatusNET", "StatusMQT", "StatusSNS", "StatusSTS")
_NO_TIME: Final = "0000-00-00T00:00:00"
_REASONS: Final = {True: "0 - Pwr", False: "1 - Rbt"}


class SimulatedOpenBeken:
    """One device with one meter or two. ``is_signed`` is flag 25, ``is_kwh`` flag 40."""

    def __init__(
        self,
        meter: SimulatedNetworkMeter,
        second: SimulatedNetworkMeter | None = None,
        *,
        client: str = "obk51A0CAFE",
        is_signed: bool = True,
        is_kwh: bool = False,
        password: str = "",
        mac: str = _MAC,
    ) -> None:
        self.meter = meter
        self.second = second
        self.meters = {"": meter} if second is None else {"": meter, "_b": second}
        """By what the topics of each end in."""
        self.client = client
        self.mac = mac
        self.board = SimulatedBoard(meter.clock, version=_VERSION, mac=bytes.fromhex(mac), client=client)
        self.pages = BoardPages(self.board)
        self.is_signed = is_signed
        self.is_kwh = is_kwh
        self.board.settings.put_text("web_password", password)
        self.board.save()
        self._restarts = 0
        self.signal_dbm = -61
        self.has_clock = True
        self.faults = WebFaults()
        self._resets = 0

    @property
    def is_signed(self) -> bool:
        """Flag 25: power has a sign."""
        return self.board.settings.flag(Flag.ALLOW_NEGATIVE)

    @is_signed.setter
    def is_signed(self, value: bool) -> None:
        self.board.settings.put_flag(Flag.ALLOW_NEGATIVE, on=value)

    @property
    def is_kwh(self) -> bool:
        """Flag 40: MQTT has kilowatt-hours."""
        return self.board.settings.flag(Flag.ENERGY_IN_KWH)

    @is_kwh.setter
    def is_kwh(self, value: bool) -> None:
        self.board.settings.put_flag(Flag.ENERGY_IN_KWH, on=value)

    def reset_energy(self) -> None:
        """EnergyCntReset: the total becomes 0, and the clear date says when."""
        self.meter.register.reset()
        self._resets += 1

    # HTTP

    def answer(self, target: str, request: bytes) -> bytes:
        """The raw answer to a request; no bytes where the device is down, or loses its power meanwhile."""
        if not self._is_up():
            return b""
        # The name is always admin; no limit on tries. The passwords themselves stand in the settings, in clear.
        password = self.board.settings.text("web_password")
        if password and base64.b64encode(f"admin:{password}".encode()) not in request:
            return _http("401 Unauthorized", "text/html", "", 'WWW-Authenticate: Basic realm="OpenBeken HTTP Server"')
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        shown = self.meter.update()
        self.pages.shown = (shown.volts, shown.amps, self._signed(shown))
        if request.startswith(b"POST"):
            found = self._posted(url.path, request)
        else:
            found = self._page_of(url.path, query) or self.pages.get(url.path, query)
        if found is None:
            # Captured: whoever looks at the status alone finds every page.
            found = ("200 OK", "text/html", f"<h1>Not found</h1>{unquote(url.path)}".encode())
        status, kind, body = found
        if not status:
            return body
        return _http(status, kind, "") + body

    def _is_up(self) -> bool:
        """Whether it answers; a restart of the board restarts the firmware and its totals."""
        is_up = self.board.is_up
        while self._restarts < self.board.restarts:
            self._restarts += 1
            for meter in self.meters.values():
                meter.update()
                meter.register.restart()
        return is_up

    def _page_of(self, path: str, query: dict[str, str]) -> PageAnswer | None:
        match path:
            case "/cm":
                return "200 OK", JSON, self.command(query.get("cmnd", "")).encode()
            case "/api/info":
                return "200 OK", JSON, self._info().encode()
            case "/index":
                return "200 OK", "text/html", self._page().encode()
            case "/":
                return "", "", b"HTTP/1.1 302 OK\nLocation: /index\nConnection: close\n\n"
            case path if path.startswith("/api/del/"):
                # Captured: without a status line and without headers, as HTTP/0.9.
                return "", "", b"OK"
        return None

    def _posted(self, path: str, request: bytes) -> PageAnswer | None:
        head, _, body = request.partition(b"\r\n\r\n")
        return self.pages.post(path, body, is_whole=content_length(head) in (None, len(body)))

    def command(self, line: str) -> str:
        """The answer to a console line."""
        name, _, argument = line.partition(" ")
        if name.lower() == "status":
            return self._status(argument.strip())
        return "{}"

    def _status(self, number: str) -> str:
        parts = {
            "2": ["StatusFWR"], "5": ["StatusNET"], "8": ["StatusSNS"], "10": ["StatusSNS"], "11": ["StatusSTS"],
        }.get(number, _ALL_PARTS)  # fmt: skip
        return "{" + ",".join(f'"{part}":{self._part(part)}' for part in parts) + "}"

    def _part(self, part: str) -> str:
        shown, register = self.meter.update(), self.meter.register
        match part:
            case "Status":
                return f'{{"Module":0,"DeviceName":"{SIMULATED_MARK}_{self.client}","Topic":"{self.client}","Power":0}}'
            case "StatusNET":
                return f'{{"Hostname":"{SIMULATED_MARK}_{self.client}","IPAddress":"127.0.0.1","Mac":"{self.mac}"}}'
            case "StatusMQT":
                return f'{{"MqttHost":"","MqttPort":1883,"MqttClientMask":"core","MqttClient":"{self.client}"}}'
            case "StatusPRM":  # constants of the firmware, whatever happened
                return '{"RestartReason":"HardwareWatchdog","BootCount":22,"SaveCount":1235}'
            case "StatusFWR":
                version = f"OpenBK7231N_{SIMULATED_MARK}_{self.board.version}.{register.evidence().revision or 0}"
                return f'{{"Version":"{version}","SDK":"obk","Hardware":"BK7231N"}}'
            case "StatusSTS":
                uptime = int(register.uptime_s)
                wifi = f'{{"RSSI":{(self.signal_dbm + 100) * 2},"Signal":{self.signal_dbm}}}'
                return f'{{"UptimeSec":{uptime},"Heap":25,"LoadAvg":99,"Wifi":{wifi}}}'
        return (
            f'{{"Time":"{self._time()}","ENERGY":{self._energy(shown)},"ESP32":{{"Temperature":41.5}},"TempUnit":"C"}}'
        )

    def _energy(self, shown: Shown) -> str:
        watts = self._signed(shown)
        apparent = shown.volts * shown.amps
        values = {
            "Power": watts, "ApparentPower": apparent, "ReactivePower": _reactive(shown), "Factor": shown.power_factor,
            "Voltage": shown.volts, "Current": shown.amps, "Frequency": _hertz(shown),
            "ConsumptionTotal": float(self.meter.register.mwh / 1000), "Yesterday": 0.0, "ConsumptionLastHour": 0.0,
        }  # fmt: skip
        # Four of the firmware's formats have a blank before the number. Every reading passes through a float of C.
        blanks = dict.fromkeys(("Power", "ApparentPower", "ReactivePower", "Yesterday"), " ")
        written = (f'"{name}":{blanks.get(name, "")}{as_float32(value):f}' for name, value in values.items())
        return "{" + ",".join(written) + "}"

    def _info(self) -> str:
        settings = self.board.settings
        # Of the 64 flags the first 32, and negative once flag 31 is set (captured).
        flags = ctypes.c_int32(settings.number("flags_low")).value
        startup = json.dumps(settings.text("startup_command"))
        mqtt = f"{settings.text('mqtt_host')}:{settings.number('mqtt_port')}"
        uptime = int(self.meter.register.uptime_s)
        return (
            f'{{"uptime_s":{uptime},"build":"Built on Nov 1 2026 version {self.board.version}","ip":"127.0.0.1",'
            f'"mac":"{self.mac}","flags":"{flags}","mqtthost":"{mqtt}","mqtttopic":"{self.client}","chipset":"BK7231N",'
            f'"shortName":"{SIMULATED_MARK}_{settings.text("short_name")}","startcmd":{startup},"supportsSSDP":0}}'
        )

    def _page(self) -> str:
        evidence = self.meter.register.evidence()
        is_power_on = evidence.is_power_on if evidence.is_power_on is not None else True
        cleared = f"2026-01-{self._resets + 1:02d} 00:00:00" if self.has_clock else "(not set)"
        return (
            f"<h1>{SIMULATED_MARK} {self.client}</h1>"
            + "".join(map(self._table, self.meters.values()))
            + f"<h5>Energy Clear Date: {cleared}<br></h5>"
            + f"<h5>Wifi RSSI: Good ({self.signal_dbm}dBm)</h5><h5>Reboot reason: {_REASONS[is_power_on]}</h5>"
        )

    def _table(self, meter: SimulatedNetworkMeter) -> str:
        shown = meter.update()
        rows = (
            ("Voltage", f"{shown.volts:.1f}", "V"),
            ("Current", f"{shown.amps:.3f}", "A"),
            ("Power", f"{self._signed(shown):.2f}", "W"),
            ("Frequency", f"{_hertz(shown):.2f}", "Hz"),
            ("Power Factor", f"{shown.power_factor:.2f}", ""),
            ("Energy Total", f"{float(meter.register.mwh) / 1e6:.3f}", "kWh"),
        )
        cells = "".join(
            f"<tr><td><b>{label}</b></td><td style='text-align: right;'>{value}</td><td>{unit}</td>"
            for label, value, unit in rows
        )
        return f"<hr><table style='width:100%'>{cells}</table>"

    def _signed(self, shown: Shown) -> float:
        return shown.watts if self.is_signed else max(0.0, shown.watts)

    def _time(self) -> str:
        return self.meter.clock.now().strftime("%Y-%m-%dT%H:%M:%S") if self.has_clock else _NO_TIME

    # MQTT

    @property
    def will(self) -> Message:
        """``connected`` = ``offline``, kept by the broker."""
        return Message(f"{self.client}/connected", "offline", retain=True)

    @property
    def commands(self) -> str:
        """Console commands."""
        return f"cmnd/{self.client}/+"

    def births(self) -> Sequence[Message]:
        """Availability and the device's own state; the firmware sends one of these a second."""
        own = {
            "host": f"{SIMULATED_MARK}_{self.client}", "build": f"OpenBK7231N {SIMULATED_MARK} {self.board.version}",
            "mac": self.mac, "temp": "41.50", "ssid": "", "datetime": self._time() if self.has_clock else "0",
            "sockets": "1", "rssi": str(self.signal_dbm), "uptime": str(int(self.meter.register.uptime_s)),
            "freeheap": "100000", "ip": "127.0.0.1",
        }  # fmt: skip
        return [
            Message(f"{self.client}/connected", "online", retain=True),
            *(Message(f"{self.client}/{name}", text) for name, text in own.items()),
        ]

    def discovery(self) -> Sequence[Message]:
        """What the page /ha_discovery, or flag 27, lets it say to Home Assistant."""
        host, unit = f"{SIMULATED_MARK}_{self.client}", "kWh" if self.is_kwh else "Wh"
        return announcements(host, self.client, version=self.board.version, energy_unit=unit, has_clock=self.has_clock)

    def answer_search(self, place: str) -> bytes:
        """The answer to an SSDP M-SEARCH, whatever was searched; ``place`` is host:port of its web server."""
        uuid = "e427ce1a-3e80-43d0-ad6f-000000000000"
        return (
            f"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\nLOCATION: http://{place}/ssdp.xml\r\n"
            f'OPT: "http://schemas.upnp.org/upnp/1/0/"; ns=01\r\n01-NLS: {uuid}\r\nST: upnp:rootdevice\r\n'
            f"SERVER: OpenBk\r\nUSN: {uuid}::upnp:rootdevice\r\n\r\n\r\n"
        ).encode()

    def state(self) -> Sequence[Message]:
        """Every value of every meter, in text that is cut to its decimals."""
        return [
            Message(f"{self.client}/{name}{suffix}/get", text)
            for suffix, meter in self.meters.items()
            for name, text in self._values(meter).items()
        ]

    def answer_command(self, topic: str, payload: str) -> Sequence[Message]:
        """``stat/<client>/STATUS8`` and the like."""
        name = topic.rpartition("/")[2]
        suffix = payload.strip() if name.lower() == "status" else ""
        # The number is part of the topic: STATUS8 for a payload of 8.
        return [Message(f"stat/{self.client}/{name.upper()}{suffix}", self.command(f"{name} {payload}"))]

    def _values(self, meter: SimulatedNetworkMeter) -> dict[str, str]:
        shown = meter.update()
        energy_uj = int(meter.register.mwh * UJ_PER_WH / 1000)
        return {
            "voltage": _cut(shown.volts, 1),
            "current": _cut(shown.amps, 3),
            "power": _cut(self._signed(shown), 2),
            "138": _cut(_hertz(shown), 2),
            "power_apparent": _cut(shown.volts * shown.amps, 2),
            "power_reactive": _cut(_reactive(shown), 2),
            "power_factor": _cut(shown.power_factor, 2),
            "energycounter": _cut(energy_uj / UJ_PER_WH / (1000 if self.is_kwh else 1), 3),
            "energycounter_last_hour": "0.000",
            "energycounter_clear_date": self._clear_date(),
        }

    def _clear_date(self) -> str:
        return f"2026-01-{self._resets + 1:02d}T00:00+00:00" if self.has_clock else "0000-00-00T00:00+00:00"


def _reactive(shown: Shown) -> float:
    return math.sqrt(max(0.0, (shown.volts * shown.amps) ** 2 - shown.watts**2))


def _hertz(shown: Shown) -> float:
    """The frequency register is 0 without mains, and the firmware divides by it."""
    # The answer is then no JSON any more: inf stands there bare, and a reader must expect it.
    return shown.hertz if shown.volts > 1 else math.inf


def _cut(value: float, decimals: int) -> str:
    if math.isinf(value):
        return "inf"
    scale = 10**decimals
    # Captured: what goes over MQTT is cut, what its page shows is rounded.
    return f"{math.trunc(value * scale) / scale:.{decimals}f}"


def _http(status: str, kind: str, body: str, *headers: str) -> bytes:
    """A bare LF after the status line, CRLF after each header, no length."""
    cors = "Access-Control-Allow-Headers: Origin, X-Requested-With, Content-Type, Accept"
    lines = [f"Content-type: {kind}", "Access-Control-Allow-Origin: *", cors, "Connection: close", *headers, "", ""]
    return f"HTTP/1.1 {status}\n".encode() + "\r\n".join(lines).encode() + body.encode()
