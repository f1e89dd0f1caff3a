"""Requests to the web servers of meters, which keep to HTTP only more or less.

h11 parses; httpx 0.28 and aiohttp 3.14 were tried against OpenBeken's server first. Both take a bare LF after the
status line and a body that ends with the connection; both refuse ``HTTP/1.1 -1 OK``, and the answer without any head
that ``/api/del`` gives. What h11 cannot read either is only the first line: it is set right here before h11 sees it.

Everything is bounded: the whole exchange by one deadline, however slowly a server dribbles, and the body by a size.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

from wattrail.credentials import Credentials
from wattrail.errors import AccessDenied, PortLost, PortOpenError, PortTimeout, UnexpectedReply, needs_library
from wattrail.sanitize import printable
from wattrail.transport.connection_reason import connection_reason
from wattrail.transport.frame_log import log_bytes

if TYPE_CHECKING:
    import h11

__all__ = ["HttpAnswer", "HttpServer", "SendProgress"]

SendProgress = Callable[[int, int], None]
"""Called while a body is sent: bytes given to the connection so far, and all of them."""

MAX_ANSWER_BYTES: Final = 256 << 10
"""The largest answer of a meter seen is 6 kB; a megabyte is another device, or an attack."""

_SEND_SIZE: Final = 4096
_READ_SIZE: Final = 16384
_MAX_HEAD_BYTES: Final = 16384
_MAX_STATUS_LINE: Final = 1024
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (?P<status>-?\d+)(?P<rest>[^\r\n]*)\r?\n")
_NO_STATUS: Final = b"HTTP/1.1 200 OK\r\n\r\n"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, 400 where a server said something that is none, and the whole body."""

    status: int
    body: bytes


class HttpServer:
    """A device's web server. ``timeout_s`` bounds a whole exchange, connecting and the last byte included.

    ``secrets`` are the forms of the login that no error may show. ``auth`` is how a login is sent: in a header, or, as
    Tasmota wants it, in the query. ``withheld`` says why no log may show what is sent and answered, where that may hold
    other secrets than the login; "" if it holds none.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        credentials: Credentials | None = None,
        auth: Literal["basic", "query"] = "basic",
        timeout_s: float = 5.0,
        withheld: str = "",
    ) -> None:
        with needs_library("a meter over HTTP", "h11", extra="http"):
            import h11  # noqa: F401 - only whether it is there
        self.host = host
        self.port = port
        self._credentials = credentials
        self._auth = auth
        self._timeout_s = timeout_s
        self._withheld = withheld
        self.secrets = credentials.forms if credentials else ()
        self.name = f"http://{host}" if port == 80 else f"http://{host}:{port}"

    async def get(
        self, target: str, *, timeout_s: float | None = None, max_bytes: int = MAX_ANSWER_BYTES
    ) -> HttpAnswer:
        """One GET on a connection of its own, as these servers want it.

        Raises PortOpenError, AccessDenied, PortLost, PortTimeout, UnexpectedReply.
        """
        self._log_request("GET", target, b"")
        return await self._exchange(self._request("GET", target), b"", timeout_s, max_bytes, None)

    async def post(
        self, target: str, body: bytes, *, timeout_s: float | None = None, progress: SendProgress | None = None
    ) -> HttpAnswer:
        """One POST, its head and the start of its body in one segment. Raises what ``get`` does."""
        self._log_request("POST", target, body)
        head = self._request("POST", target, f"Content-Length: {len(body)}")
        return await self._exchange(head, body, timeout_s, MAX_ANSWER_BYTES, progress)

    async def _exchange(
        self, head: bytes, body: bytes, timeout_s: float | None, max_bytes: int, progress: SendProgress | None
    ) -> HttpAnswer:
        stage, seconds = "connecting", timeout_s or self._timeout_s
        try:
            async with asyncio.timeout(seconds):
                try:
                    reader, writer = await asyncio.open_connection(self.host, self.port)
                except OSError as error:
                    hint = "check the address, and that the meter has power"
                    if isinstance(error, ConnectionRefusedError):
                        hint = "check the address and the port, and that the meter's web server is on"
                    reason = connection_reason(error, f"{self.host}:{self.port}")
                    raise PortOpenError(f"{self.name}: cannot connect: {reason}", hint=hint) from error
                stage = "sending" if body else "waiting for the end of the answer"
                try:
                    # One segment: OpenBeken takes what arrives in one read for the whole request.
                    await _send(writer, head, body, progress)
                    stage = "waiting for the end of the answer"
                    answer = await self._read_answer(reader, max_bytes)
                finally:
                    writer.close()
                    # The answer is here, or its error is on its way: how the connection ends changes neither.
                    with suppress(OSError):
                        await writer.wait_closed()
        except TimeoutError as error:
            raise PortTimeout(
                f"{self.name}: no whole answer within {seconds:g} s ({stage})",
                hint="check the Wi-Fi signal at the meter, or set timeout= to more",
            ) from error
        except OSError as error:
            reason = connection_reason(error, f"{self.host}:{self.port}")
            raise PortLost(
                f"{self.name}: the connection broke: {reason}", hint="check the Wi-Fi signal at the meter"
            ) from error
        log_bytes(f"<- {answer.status}", answer.body, self.name, secrets=self.secrets, withheld=self._withheld)
        if answer.status == 401:
            raise AccessDenied(
                f"{self.name}: the meter refuses the user or the password", hint="docs/sources.md, credentials"
            )
        return answer

    def _log_request(self, method: str, target: str, body: bytes) -> None:
        """Log it as it is before the login is added to it."""
        # A query carries commands, and a command may set a password.
        path, question, _ = target.partition("?")
        shown = f"{path}?..." if question and self._withheld else target
        log_bytes(f"-> {method} {shown}", body, self.name, secrets=self.secrets, withheld=self._withheld)

    def _request(self, method: str, target: str, *headers: str) -> bytes:
        header: list[str] = []
        login = self._credentials
        if login is not None and self._auth == "query":
            target += f"&user={quote(login.user, safe='')}&password={quote(login.password, safe='')}"
        elif login is not None:
            pair = base64.b64encode(f"{login.user}:{login.password}".encode()).decode("ascii")
            header = [f"Authorization: Basic {pair}"]
        # These servers close after each answer whatever is asked;
        # OpenBeken says no length, so that the end is the end of the body.
        host = self.host.encode("idna").decode("ascii")  # as a name server is asked for it
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, *header]
        return "\r\n".join([*lines, "", ""]).encode("ascii")

    async def _read_answer(self, reader: asyncio.StreamReader, max_bytes: int = MAX_ANSWER_BYTES) -> HttpAnswer:
        import h11

        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
        # Never sent: it tells h11 only which kind of answer to expect.
        parser.send(h11.Request(method="GET", target="/", headers=[("Host", "meter"), ("Connection", "close")]))
        parser.send(h11.EndOfMessage())
        data, status, body = await _repaired_start(reader), 0, bytearray()
        parser.receive_data(data)
        while True:
            event = self._next_event(parser, body, is_at_end=not data)
            if event is h11.NEED_DATA:
                data = await reader.read(_READ_SIZE)
                parser.receive_data(data)
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > max_bytes:
                    raise UnexpectedReply(
                        f"{self.name}: more than {max_bytes} bytes, a meter sends a few thousand",
                        hint="check that this is the address of a meter",
                    )
            elif isinstance(event, h11.EndOfMessage):
                return HttpAnswer(status, bytes(body))

    def _next_event(self, parser: h11.Connection, body: bytearray, *, is_at_end: bool) -> object:
        import h11

        try:
            return parser.next_event()
        except h11.RemoteProtocolError as error:
            if is_at_end:
                raise PortLost(
                    f"{self.name}: the meter closed the connection early, after {len(body)} bytes of its answer",
                    hint="poll less often: these servers answer one client at a time",
                ) from error
            raise UnexpectedReply(
                f"{self.name}: the answer is not HTTP: {printable(str(error), limit=120)}",
                hint="check the port: a meter's web server is on 80",
            ) from error


async def _send(writer: asyncio.StreamWriter, head: bytes, body: bytes, progress: SendProgress | None) -> None:
    """The head with the start of the body, then the rest; a server that has read enough may answer before."""
    for at in range(0, max(1, len(body)), _SEND_SIZE):
        part = body[at : at + _SEND_SIZE]
        writer.write(head + part if at == 0 else part)
        await writer.drain()
        if progress is not None:
            progress(at + len(part), len(body))


async def _repaired_start(reader: asyncio.StreamReader) -> bytes:
    """The beginning of an answer up to its first line end, with a status line that can be parsed.

    ``HTTP/1.1 -1 OK`` becomes status 400; an answer without any head becomes the body of a 200.
    """
    start = bytearray()
    while b"\n" not in start and len(start) < _MAX_STATUS_LINE:
        data = await reader.read(_READ_SIZE)
        start += data
        if not data:
            break
    if not start or start.startswith(b"HTTP/1."):
        found = _STATUS_LINE.match(start)
        if found and int(found["status"]) < 100:
            return b"HTTP/1.1 400" + found["rest"] + b"\r\n" + bytes(start[found.end() :])
        return bytes(start)
    return _NO_STATUS + bytes(start)
