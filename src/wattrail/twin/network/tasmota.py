"""A simulated Tasmota meter of one or more phases: web server, MQTT topics, discovery, and its register's habits.

Documented: the shapes of ``Status``, SENSOR, STATE, INFO3 and the discovery; what is 0 or missing until the clock is
set. Not modelled: commands but ``Status`` and ``TelePeriod``, rules, relays, PowerDelta.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit

from wattrail.network_meters.decoded import SIMULATED_MARK
from wattrail.twin.network.meter import Shown, SimulatedNetworkMeter
from wattrail.twin.network.serving import Message, WebFaults

__all__ = ["SimulatedTasmota"]

_VERSION: Final = f"14.4.1({SIMULATED_MARK})"
_STATUS_PARTS: Final = {
    "1": ("StatusPRM",),
    "2": ("StatusFWR",),
    "8": ("StatusSNS",),
    "10": ("StatusSNS",),
    "11": ("StatusSTS",),
    "5": ("StatusNET",),
    "0": ("StatusPRM", "StatusFWR", "StatusNET", "StatusSNS", "StatusSTS"),
}


class SimulatedTasmota:
    """One device; every phase is a meter. A meter with an export register makes ExportActive appear."""

    def __init__(
        self,
        *phases: SimulatedNetworkMeter,
        topic: str = "meter",
        mac: str = "A4C138000001",
        full_topic: str = "%prefix%/%topic%/",
        is_power_signed: bool = True,
        password: str = "",
    ) -> None:
        self.phases = phases
        self.topic = topic
        self.mac = mac
        self.full_topic = full_topic
        self.is_power_signed = is_power_signed
        self.signal_dbm = -58
        self.has_clock = True
        self.faults = WebFaults()
        self._password = password

    # HTTP

    def answer(self, target: str, head: bytes) -> bytes:
        """The raw answer to a GET, in chunks as the ESP's web server sends what it makes on the way."""
        del head
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path != "/cm":
            return _http("404 Not Found", "Not found")
        if self._password and query.get("password") != self._password:
            return _http("401 Unauthorized", '{"WARNING":"Need user=<username>&password=<password>"}')
        name, _, argument = query.get("cmnd", "").partition(" ")
        document = self.status(argument.strip() or "0") if name.lower() == "status" else {"Command": "Unknown"}
        return _http("200 OK", json.dumps(document))

    def status(self, number: str) -> dict[str, object]:
        """The answer to ``Status number``."""
        return {part: self._part(part) for part in _STATUS_PARTS.get(number, _STATUS_PARTS["0"])}

    def _part(self, part: str) -> Mapping[str, object]:
        evidence = self.phases[0].register.evidence()
        match part:
            case "StatusPRM":
                return {"RestartReason": evidence.reset_reason, "BootCount": evidence.boot_count, "SaveCount": 1164}
            case "StatusFWR":
                return {"Version": _VERSION + evidence.revision, "Hardware": "ESP8266EX"}
            case "StatusNET":
                mac = ":".join(self.mac[start : start + 2] for start in range(0, len(self.mac), 2))
                return {"Hostname": f"{self.topic}-0001", "IPAddress": "127.0.0.1", "Mac": mac}
            case "StatusSTS":
                return self._tele_state()
        return self.sensor()

    def sensor(self) -> dict[str, object]:
        """The SENSOR object: a value for one phase, arrays for more, and Total as the sum."""
        shown = [phase.update() for phase in self.phases]
        evidence = self.phases[0].register.evidence()
        total = sum(float(phase.register.mwh) for phase in self.phases) / 1e6
        exports = [round(float(phase.export.mwh) / 1e6, 3) for phase in self.phases if phase.export]
        energy: dict[str, object] = {
            "TotalStartTime": f"2026-01-01T00:00:{int(evidence.start_stamp.removeprefix('reset ')):02d}",
            "Total": round(total, 3),
            "Yesterday": 0.0,
            "Today": 0.0,
            **({"ExportActive": _one_or_all(exports)} if exports else {}),
            "Period": 0,
            "Power": _one_or_all([round(self._signed(one)) for one in shown]),
            "Factor": _one_or_all([round(one.power_factor, 2) for one in shown]),
            "Frequency": round(shown[0].hertz),
            "Voltage": _one_or_all([round(one.volts) for one in shown]),
            "Current": _one_or_all([round(one.amps, 3) for one in shown]),
        }
        return {"Time": self._time(), "ENERGY": energy}

    def _signed(self, shown: Shown) -> float:
        # Drivers of the BL0942 and BL0939 take the amount, and add export to the total.
        return shown.watts if self.is_power_signed else abs(shown.watts)

    def _time(self) -> str:
        if not self.has_clock:
            # The clock counts from 1970 until the network has set it; the current day is missing from the total as
            # long.
            return "1970-01-01T00:00:12"
        return self.phases[0].clock.now().strftime("%Y-%m-%dT%H:%M:%S")

    def _tele_state(self) -> dict[str, object]:
        uptime = int(self.phases[0].register.uptime_s)
        return {"Time": self._time(), "UptimeSec": uptime, "MqttCount": 1, "Wifi": {"Signal": self.signal_dbm}}

    # MQTT

    @property
    def will(self) -> Message:
        """LWT = Offline, kept by the broker."""
        return Message(self._topic("tele", "LWT"), "Offline", retain=True)

    @property
    def commands(self) -> str:
        """Commands."""
        return self._topic("cmnd", "+")

    def discovery(self) -> dict[str, object]:
        """The config message, in the shape that HATasmota reads."""
        return {
            "ip": "127.0.0.1", "dn": f"{SIMULATED_MARK} meter", "fn": ["Meter", None], "hn": f"{self.topic}-0001",
            "mac": self.mac, "md": SIMULATED_MARK, "ty": 0, "if": 0, "ofln": "Offline", "onln": "Online",
            "state": ["OFF", "ON", "TOGGLE", "HOLD"], "sw": _VERSION, "t": self.topic, "ft": self.full_topic,
            "tp": ["cmnd", "stat", "tele"], "rl": [0], "swc": [-1], "swn": [None], "btn": [0],
            "so": dict.fromkeys(("4", "11", "13", "17", "20", "30", "68", "73", "82", "114", "117"), 0),
            "lk": 0, "lt_st": 0, "bat": 0, "dslp": 0, "sho": [], "sht": [], "ver": 1,
        }  # fmt: skip

    def births(self) -> Sequence[Message]:
        """Discovery, availability, and why it was started."""
        evidence = self.phases[0].register.evidence()
        info = {"Info3": {"RestartReason": evidence.reset_reason, "BootCount": evidence.boot_count}}
        # Home Assistant builds all topics from ft and tp of this message, not from defaults (read in HATasmota).
        base = f"tasmota/discovery/{self.mac}"
        return [
            Message(f"{base}/config", json.dumps(self.discovery()), retain=True),
            Message(f"{base}/sensors", json.dumps({"sn": self.sensor(), "ver": 1}), retain=True),
            Message(self._topic("tele", "LWT"), "Online", retain=True),
            Message(self._topic("tele", "INFO3"), json.dumps(info)),
        ]

    def state(self) -> Sequence[Message]:
        """STATE, then SENSOR, as each TelePeriod."""
        return [
            Message(self._topic("tele", "STATE"), json.dumps(self._tele_state())),
            Message(self._topic("tele", "SENSOR"), json.dumps(self.sensor())),
        ]

    def answer_command(self, topic: str, payload: str) -> Sequence[Message]:
        """``Status n`` on a topic for each number; ``TelePeriod`` without a value publishes at once."""
        match topic.rpartition("/")[2].lower():
            case "status":
                number = payload.strip() or "0"
                return [Message(self._topic("stat", f"STATUS{number}"), json.dumps(self.status(number)))]
            case "teleperiod":
                return self.state()
        return []

    def _topic(self, prefix: str, name: str) -> str:
        return self.full_topic.replace("%prefix%", prefix).replace("%topic%", self.topic) + name


def _one_or_all(values: Sequence[float]) -> object:
    return values[0] if len(values) == 1 else list(values)


def _http(status: str, body: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = "".join(f"{len(part):X}\r\n{part}\r\n" for part in (body[:64], body[64:]) if part)
    return f"{head}{chunks}0\r\n\r\n".encode()
