"""The web server of an OpenBeken: pages, commands, flash and files, each call one request.

In safe mode ``/api`` is not there, and any unknown path is answered by a page with status 200: the content decides, not
the status. Pages that change something are plain GETs. Source: openbeken/network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from wattrail.bk7231 import MAX_FLASH_BYTES, Chip
from wattrail.credentials import Credentials, Secrets
from wattrail.errors import UnexpectedReply, UrlError
from wattrail.files import decode_json
from wattrail.image.openbeken_configuration import OpenBekenConfiguration, configuration_place, decode_configuration
from wattrail.network_meters.decoded import is_marked_simulated
from wattrail.network_meters.payload import float_of, parse_payload, text_of
from wattrail.sanitize import printable
from wattrail.transport.http import HttpServer, SendProgress
from wattrail.urls import split

__all__ = ["DeviceInformation", "OpenBekenClient", "open_client"]

_USER: Final = "admin"
_PIECE: Final = 0x8000
"""Bytes of flash for each request: a connection that breaks costs one piece."""

_PC_BUILDS: Final = {"LIN": Chip.T, "WIN": Chip.T}
"""The firmware's own build for a PC keeps its settings where a T does."""

_WITHHELD: Final = "settings have passwords in them"

_VERSION: Final = re.compile(r"\bversion (?P<version>\S+)")
_SAFE_MODE: Final = "if it is in safe mode, open its page and choose to leave it, then try again"


@dataclass(frozen=True, slots=True)
class DeviceInformation:
    """What ``/api/info`` says. ``chip`` is None for a chip of no known layout; ``mac`` is empty where none is known."""

    chipset: str
    chip: Chip | None
    version: str
    build: str
    mac: str
    ip: str
    short_name: str
    mqtt: str
    mqtt_client: str
    uptime_s: int
    is_simulated: bool

    def as_json(self) -> dict[str, object]:
        """For JSON."""
        names = ("chipset", "version", "build", "mac", "ip", "short_name", "mqtt", "mqtt_client", "uptime_s")
        return {name: getattr(self, name) for name in names} | {"simulated": self.is_simulated}


class OpenBekenClient:
    """One device. Every call raises what ``HttpServer`` does, and UnexpectedReply for an answer of something else."""

    def __init__(self, server: HttpServer, connect: Callable[[Credentials | None], HttpServer] | None = None) -> None:
        self._server = server
        self._connect = connect
        self.name, self.host = server.name, server.host

    def use_password(self, password: str) -> None:
        """From now on send this one: the device was just given it."""
        if self._connect is not None:
            self._server = self._connect(Credentials(_USER, password) if password else None)

    async def information(self, *, timeout_s: float | None = None) -> DeviceInformation:
        """Who is there. Raises UnexpectedReply for a server that is not OpenBeken's."""
        answer = await self._server.get("/api/info", timeout_s=timeout_s)
        if not answer.body.lstrip().startswith(b"{"):
            raise await self._not_openbeken(answer.status)
        document = parse_payload(answer.body, f"{self.name}/api/info")
        if not text_of(document, "chipset") or not text_of(document, "build"):
            raise UnexpectedReply(
                f"{self.name}/api/info names no chipset and no build", hint="check the address: it is not OpenBeken"
            )
        chipset, build = text_of(document, "chipset"), text_of(document, "build")
        found = _VERSION.search(build)
        return DeviceInformation(
            chipset=printable(chipset, limit=40),
            chip=next((chip for chip in Chip if chip.value == chipset), _PC_BUILDS.get(chipset)),
            version=printable(found["version"], limit=40) if found else "",
            build=printable(build, limit=120),
            mac=_mac(printable(text_of(document, "mac"), limit=20)),
            ip=printable(text_of(document, "ip"), limit=40),
            short_name=printable(text_of(document, "shortName"), limit=64),
            mqtt=printable(text_of(document, "mqtthost"), limit=300),
            mqtt_client=printable(text_of(document, "mqtttopic"), limit=80),
            uptime_s=int(float_of(document, "uptime_s") or 0),
            is_simulated=is_marked_simulated(build) or is_marked_simulated(text_of(document, "shortName")),
        )

    async def api_object(self, path: str) -> Mapping[str, object]:
        """What a path below ``/api`` answers, as JSON."""
        answer = await self._server.get(path)
        try:
            document = decode_json(answer.body.decode("utf-8", errors="replace"))
        except ValueError:
            document = None
        if answer.status != 200 or not isinstance(document, Mapping):
            raise UnexpectedReply(
                f"{self.name}{path}: no JSON object (status {answer.status})",
                hint="check that this is OpenBeken; in safe mode it has no /api: restart it",
            )
        return document

    async def status(self) -> object:
        """The whole of ``Status 0``."""
        answer = await self._server.get("/cm?cmnd=Status%200")
        return parse_payload(answer.body, f"{self.name} Status 0")

    async def page(self, path: str, arguments: Mapping[str, str] | None = None) -> str:
        """A page as text; with arguments it changes what they name."""
        query = "?" + urlencode(arguments, quote_via=quote) if arguments else ""
        answer = await self._server.get(path + query)
        if answer.status != 200:
            raise UnexpectedReply(f"{self.name}{path}: HTTP status {answer.status}, expected 200")
        return answer.body.decode("utf-8", errors="replace")

    async def command(self, line: str, *, shown: str | None = None) -> object:
        """Run one line of its console, and give the result. ``shown`` stands for it in errors.

        Raises UnexpectedReply where the firmware does not know the command or its arguments.
        """
        # Not by /cm: that answers an unknown command with {}, and runs a line of more than 123 characters twice.
        answer = await self._server.post("/api/cmnd", line.encode())
        document = parse_payload(answer.body, f"{self.name} command") if answer.body.startswith(b"{") else {}
        if answer.status != 200 or float_of(document, "success") != 200:
            reason = printable(text_of(document, "msg"), limit=80) or f"HTTP status {answer.status}"
            raise UnexpectedReply(
                f"{self.name}: the firmware refuses {shown or printable(line, limit=80)!r}: {reason}",
                hint="this build may not have the driver or the command; update the firmware",
            )
        return document.get("res") if isinstance(document, Mapping) else None

    async def read_flash(self, start: int, length: int, *, progress: SendProgress | None = None) -> bytes:
        """Bytes of flash as they lie there."""
        data = bytearray()
        while len(data) < length:
            count = min(_PIECE, length - len(data))
            target = f"/api/flash/{start + len(data):x}-{count:x}"
            answer = await self._server.get(target, timeout_s=30.0, max_bytes=count)
            # A range that the firmware refuses is answered by JSON, which would pass for bytes of flash.
            if answer.status != 200 or len(answer.body) != count:
                raise UnexpectedReply(
                    f"{self.name}{target}: {len(answer.body)} bytes with status {answer.status}, expected {count}",
                    hint=_SAFE_MODE,
                )
            data += answer.body
            if progress is not None:
                progress(len(data), length)
        return bytes(data)

    async def configuration(self, chip: Chip) -> tuple[bytes, OpenBekenConfiguration]:
        """The sector of settings and what it says. Raises ImageError, ChecksumError where it holds none."""
        place = configuration_place(chip)
        sector = await self.read_flash(place.start, place.length)
        return sector, decode_configuration(sector, chip)

    async def file_system(self) -> bytes | None:
        """The image of its file system, 32 KiB or as configured; None for a build without one."""
        answer = await self._server.get("/api/fsblock", timeout_s=60.0, max_bytes=MAX_FLASH_BYTES)
        # A build without files answers with a page or with JSON, and status 200. Source: openbeken/network
        return None if answer.status != 200 or answer.body.startswith((b"<", b"{")) else answer.body

    async def write_file_system(self, image: bytes) -> None:
        """Replace its file system."""
        await self._upload("/api/fsblock", image, None)

    async def write_file(self, path: str, content: bytes) -> None:
        """Write one file; the file system is made where there is none."""
        await self._upload(f"/api/lfs/{quote(path)}", content, None)

    async def read_file(self, path: str) -> bytes | None:
        """One file; None where there is none."""
        answer = await self._server.get(f"/api/lfs/{quote(path)}", max_bytes=MAX_FLASH_BYTES)
        return answer.body if answer.status == 200 else None

    async def upload_firmware(self, image: bytes, *, progress: SendProgress | None = None) -> None:
        """Send an image for an update; nothing of it runs before the device restarts."""
        await self._upload("/api/ota", image, progress)

    async def reboot(self) -> None:
        """Ask it to restart: it does after about three seconds, once it has saved."""
        answer = await self._server.post("/api/reboot", b"")
        if answer.status != 200 or b"reboot" not in answer.body:
            raise UnexpectedReply(f"{self.name}/api/reboot: HTTP status {answer.status}", hint=_SAFE_MODE)

    async def _upload(self, target: str, body: bytes, progress: SendProgress | None) -> None:
        # Flash is erased and written at about 60 kB/s while it is received.
        seconds = 60.0 + len(body) / 4096
        answer = await self._server.post(target, body, timeout_s=seconds, progress=progress)
        try:
            taken = json.loads(answer.body).get("size")
        except (ValueError, AttributeError):
            taken = None
        # The status alone proves nothing: a path that is not known has 200 as well. Source: openbeken/network
        if answer.status != 200 or taken != len(body):
            said = printable(answer.body[:80].decode("utf-8", errors="replace"))
            raise UnexpectedReply(
                f"{self.name}{target}: it took {taken} of {len(body)} bytes (HTTP status {answer.status}: {said})",
                hint=_SAFE_MODE,
            )

    async def _not_openbeken(self, status: int) -> UnexpectedReply:
        """Why ``/api/info`` is not there: OpenBeken in safe mode, or another server."""
        # /cm is there in safe mode too, and the SDK it names is how OpenBeken is known. Source: openbeken/network
        answer = await self._server.get("/cm?cmnd=Status%202")
        if b'"obk"' in answer.body:
            return UnexpectedReply(
                f"{self.name}: OpenBeken answers without its interface /api, as it does in safe mode",
                hint=f"look at http://…/index; {_SAFE_MODE}",
            )
        return UnexpectedReply(
            f"{self.name}: this is not OpenBeken: /api/info answers with status {status}, and Status 2 names no obk",
            hint="check the address; 'wattrail discover' finds the devices of the network",
        )


def _mac(text: str) -> str:
    """A firmware that has joined no network shows what happens to lie there, another one after each restart.

    Seen with 1.18.300 and 1.18.302, whose access point was open: 00:00:00:00:85:CB, then 00:00:00:00:BD:E2.
    """
    return "" if text.startswith("00:00:00:00:") else text


def open_client(host: str, *, secrets: Secrets, login: str = "", timeout_s: float = 10.0) -> OpenBekenClient:
    """The device at ``host``, ``host:port`` or a URL of ``openbeken://`` or ``http://``.

    The login is looked up by ``login``, by default the host. Raises UrlError, ConfigError, MissingExtra.
    """
    url = host if "://" in host else f"openbeken://{host}"
    parts = split(url)
    if parts.scheme not in ("openbeken", "http") or not parts.host:
        raise UrlError(f"{printable(host, limit=80)!r} is not a host", hint="192.168.1.20, or openbeken://192.168.1.20")
    name = login or parts.query.get("login", "") or parts.host

    def connect(credentials: Credentials | None) -> HttpServer:
        return HttpServer(
            parts.host, parts.port or 80, credentials=credentials, timeout_s=timeout_s, withheld=_WITHHELD
        )

    return OpenBekenClient(connect(secrets.find(name, default_user=_USER)), connect)
