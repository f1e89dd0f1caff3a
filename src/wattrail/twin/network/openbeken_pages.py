"""Pages and calls of a simulated OpenBeken that change or read its board: settings, pins, flash, files, updates.

Each answer has the shape that the firmware's Linux build was seen to give. A page with arguments changes what they
name, and some also change what they do not name: flags that are not named are cleared, and so is the password of the
pages. An empty argument counts as none, but for the host of the broker.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from wattrail.openbeken import FIELDS, FLAG_COUNT, PINS, ROLES
from wattrail.twin.network.openbeken_board import SimulatedBoard

__all__ = ["JSON", "TEXT", "BoardPages", "PageAnswer"]

JSON, HTML, BINARY, TEXT = "application/json", "text/html", "application/octet-stream", "text/plain"
PageAnswer = tuple[str, str, bytes]
"""Status, content type and body."""

_RANGE: Final = re.compile(r"/api/flash/(?P<start>[0-9a-fA-F]{1,8})-(?P<length>[0-9a-fA-F]{1,8})")
_START: Final = re.compile(r"/api/flash/(?P<start>[0-9a-fA-F]{1,8})")
_INVALID: Final = ("-1 OK", JSON, b'{"error":-1, "msg":"invalid url"}')


class BoardPages:
    """The part of the web server that concerns the board."""

    def __init__(self, board: SimulatedBoard) -> None:
        self.board = board
        self.files: dict[str, bytes] = {}
        self.shown = (0.0, 0.0, 0.0)
        """Volts, amperes and watts that the meter shows now, kept up to date by the device."""

    def get(self, path: str, query: Mapping[str, str]) -> PageAnswer | None:
        """The answer to a GET; None for a path of somebody else."""
        if path.startswith("/api/flash/"):
            return self._read_flash(path)
        if path == "/api/fsblock":
            start, end = self.board.file_system
            return "200 OK", BINARY, bytes(self.board.flash[start:end])
        if path.startswith("/api/lfs/"):
            found = self.files.get(unquote(path.removeprefix("/api/lfs/")))
            missing = json.dumps({"fname": path.removeprefix("/api/lfs/"), "error": -2})
            return ("404 OK", JSON, missing.encode()) if found is None else ("200 OK", TEXT, found)
        if path == "/api/pins":
            return "200 OK", JSON, self._pins().encode()
        change = _CHANGES.get(path)
        if change is None:
            return None
        change(self, query)
        return "200 OK", HTML, b"<h1>SIMULATED</h1>"

    def post(self, path: str, body: bytes, *, is_whole: bool) -> PageAnswer | None:
        """The answer to a POST; None for a path of somebody else. A body that is cut short is a power cut."""
        board = self.board
        download = board.layout["download"].start
        if path == "/api/reboot":
            board.schedule_restart()
            return "200 OK", JSON, b'{"reboot":3}'
        if path == "/api/cmnd":
            return self._command(body.decode("utf-8", errors="replace"))
        if path.startswith("/api/lfs/"):
            return self._write_file(path.removeprefix("/api/lfs/"), body)
        start, limit = download, board.file_system[1]
        if path == "/api/fsblock":
            start, limit = board.file_system
        elif found := _START.fullmatch(path):
            start, limit = int(found["start"], 16), len(board.flash)
        elif path != "/api/ota":
            return None
        if start < download:
            return _INVALID
        if start + len(body) > limit:
            # HTTP knows no status below 0: strict libraries raise here, and the firmware sends it.
            return "-20 OK", JSON, b'{"error":-20, "msg":"writelen < 0 or end > 0x200000"}'
        board.write(start, body, is_whole=is_whole)
        if not is_whole:
            # What the firmware has written by then stays in flash.
            board.cut_power()
            return "", "", b""
        return "200 OK", JSON, b'{"size":%d}' % len(body)

    def _write_file(self, name: str, body: bytes) -> PageAnswer:
        # Read in the source: where the file system is full the file ends there, and the answer is a success with the
        # bytes that were written.
        start, end = self.board.file_system
        others = sum(len(content) for known, content in self.files.items() if known != unquote(name))
        kept = self.files[unquote(name)] = body[: max(0, end - start - others)]
        return "200 OK", JSON, json.dumps({"fname": name, "size": len(kept)}).encode()

    def _read_flash(self, path: str) -> PageAnswer:
        found = _RANGE.fullmatch(path)
        if found is None:
            return _INVALID
        start, length = int(found["start"], 16), int(found["length"], 16)
        if start + length > len(self.board.flash):
            return "-1 OK", JSON, b'{"error":-1, "msg":"requested flash read out of range"}'
        return "200 OK", BINARY, bytes(self.board.flash[start : start + length])

    def _pins(self) -> str:
        data = self.board.settings.data
        roles, channels = (list(data[FIELDS[name].offset :][:PINS]) for name in ("pin_roles", "pin_channels"))
        # Captured: the role of no role is a blank.
        names = [" ", *ROLES[1:]]
        return json.dumps({"rolenames": names, "roles": roles, "channels": channels, "states": [0] * PINS})

    def _command(self, line: str) -> PageAnswer:
        """The console: 200, 400 for bad arguments, 501 for a command that is not there."""
        name, *arguments = line.split(" ")
        settings = self.board.settings
        try:
            match name.lower(), arguments:
                case "setpinrole", [pin, role]:
                    roles = [known.lower() for known in ROLES]
                    settings.put_byte("pin_roles", _pin(pin), roles.index(role.lower()))
                case "setpinchannel", [pin, channel, *second]:
                    settings.put_byte("pin_channels", _pin(pin), int(channel))
                    if second:
                        settings.put_byte("pin_channels2", _pin(pin), int(second[0]))
                case "setbuttontimes", [*times] if len(times) == 3:
                    for which, time in zip(("long", "short", "repeat"), times, strict=True):
                        settings.put_number(f"button_{which}", int(time))
                case (("voltageset" | "currentset" | "powerset"), [value]):
                    self._calibrate(name.lower(), float(value))
                case "ntp_setserver", [server]:
                    settings.put_text("ntp_server", server)
                case (("setpinrole" | "setpinchannel" | "setbuttontimes"), _):
                    return _refused(400, "Not enough arguments")
                case _:
                    return _refused(501, "Unknown command")
        except ValueError:
            return _refused(400, "Bad argument")
        self.board.changed()
        return "200 OK", JSON, b'{"success":200, "msg":"OK", "res":{}}'

    def _calibrate(self, command: str, given: float) -> None:
        """The constant is the latest raw sample by what the person says: counts for each unit."""
        slot = ("voltageset", "currentset", "powerset").index(command)
        if not given or not self.shown[slot]:
            raise ValueError(command)
        raw = self.shown[slot] * self.constant(slot)
        place = FIELDS["calibration"].offset + 4 * slot
        self.board.settings.data[place : place + 4] = struct.pack("<f", raw / given)

    def constant(self, slot: int) -> float:
        """Counts for each volt, ampere, watt by which the firmware scales: set, or the driver's own."""
        place = FIELDS["calibration"].offset + 4 * slot
        (value,) = struct.unpack("<f", self.board.settings.data[place : place + 4])
        return float(value) or _DRIVER_CONSTANTS[slot]

    # pages, by what they are called with

    def set_names(self, query: Mapping[str, str]) -> None:
        """``/cfg_name``, which saves at once."""
        self._put_texts(query, {"shortName": "short_name", "name": "name"})
        self.board.save_pending()

    def set_mqtt(self, query: Mapping[str, str]) -> None:
        """``/cfg_mqtt_set``: the host is set also where it is not named."""
        names = {"user": "mqtt_user", "password": "mqtt_password", "client": "mqtt_client", "group": "mqtt_group"}
        self._put_texts({"host": "", **query}, {"host": "mqtt_host", **names})
        if "port" in query:
            self.board.settings.put_number("mqtt_port", int(query["port"]))

    def set_generic(self, query: Mapping[str, str]) -> None:
        """``/cfg_generic``: flags that are not named are cleared; it saves at once, also without arguments."""
        settings = self.board.settings
        if "boot_ok_delay" in query:
            settings.put_number("boot_ok_seconds", max(1, int(query["boot_ok_delay"])))
            self.board.changed()
        if "setFlags" in query:
            for number in range(FLAG_COUNT):
                settings.put_flag(number, on=query.get(f"flag{number}") == "1")
            self.board.changed()
        self.board.save_pending()

    def set_wifi(self, query: Mapping[str, str]) -> None:
        """``/cfg_wifi_set``: a changed network restarts; a password of the pages that is not enabled is cleared."""
        settings = self.board.settings
        before = [settings.text(name) for name in _NETWORK.values()]
        self._put_texts(query, _NETWORK)
        if query.get("open"):
            settings.put_text("wifi_ssid", "")
            settings.put_text("wifi_password", "")
        if query.get("web_admin_password_enabled") is None:
            # Captured: any call that does not name the check box clears the password.
            settings.put_text("web_password", "")
        # Shorter ones the form refuses.
        elif len(query.get("web_admin_password", "")) >= 5:
            settings.put_text("web_password", query["web_admin_password"])
        if before != [settings.text(name) for name in _NETWORK.values()]:
            self.board.schedule_restart()
        self.board.changed()

    def set_address(self, query: Mapping[str, str]) -> None:
        """``/cfg_ip``."""
        names = {"IP": "static_ip", "mask": "static_mask", "gate": "static_gateway", "dns": "static_dns"}
        for name, field in names.items():
            if name in query:
                for index, part in enumerate(query[name].split(".")):
                    self.board.settings.put_byte(field, index, int(part))
        self.board.changed()

    def set_startup(self, query: Mapping[str, str]) -> None:
        """``/startup_command``, which saves at once."""
        if "startup_cmd" in query:
            self._put_texts({"data": "", **query}, {"data": "startup_command"})
        self.board.save_pending()

    def set_web_app(self, query: Mapping[str, str]) -> None:
        """``/cfg_webapp_set``."""
        self._put_texts(query, {"url": "web_app_root"})

    def _put_texts(self, query: Mapping[str, str], fields: Mapping[str, str]) -> None:
        for name, field in fields.items():
            # An empty text counts as none, but for these two, which can be cleared so.
            if query.get(name) or (name in query and name in ("host", "data")):
                self.board.settings.put_text(field, query[name])
        self.board.changed()


_DRIVER_CONSTANTS: Final = (15188.0, 251210.0, 598.0)
"""Of OpenBeken's driver for the BL0942."""

_NETWORK: Final = {
    "ssid": "wifi_ssid", "pass": "wifi_password", "ssid2": "wifi_ssid2", "pass2": "wifi_password2",
}  # fmt: skip
_CHANGES: Final = {
    "/cfg_name": BoardPages.set_names,
    "/cfg_mqtt_set": BoardPages.set_mqtt,
    "/cfg_generic": BoardPages.set_generic,
    "/cfg_wifi_set": BoardPages.set_wifi,
    "/cfg_ip": BoardPages.set_address,
    "/startup_command": BoardPages.set_startup,
    "/cfg_webapp_set": BoardPages.set_web_app,
}


def _pin(text: str) -> int:
    pin = int(text)
    if not 0 <= pin < PINS:
        raise ValueError(pin)
    return pin


def _refused(status: int, why: str) -> PageAnswer:
    return f"{status} OK", JSON, f'{{"error":{status}, "msg":"{why}", "res":{{}}}}'.encode()
