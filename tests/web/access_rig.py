"""The page with users and tokens, as visitors from this machine and from elsewhere meet it."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn

from wattrail.access import AuditRecord, Scope, Token, User
from wattrail.access.passwords import hash_password
from wattrail.access.tokens import new_token, token_hash, token_prefix
from wattrail.alarms import StoredAlarmEvent
from wattrail.clock import Clock, SystemClock
from wattrail.gateway import Feed, MeterState, MeterView
from wattrail.store import open_store
from wattrail.store.access import AccessBook
from wattrail.store.alarm_events import AlarmEvents
from wattrail.units import Quantities, Reading
from wattrail.web import Setup, bind
from wattrail.web.app import build_app, meters_json
from wattrail.web.child import server_config
from wattrail.web.events import Broadcast
from wattrail.web.gateway_calls import Action, GatewayCalls, answer_line
from wattrail.web.messages import MetricsSetup, decode_line, encode_line
from wattrail.web.reports import apply_report
from wattrail.web.waveform import Waveforms

PASSWORD = "correct horse battery"
PROXIED = "192.0.2.77"
"""The visitor behind a proxy, where this machine has no address but the loopback."""


def own_address() -> str | None:
    """An address of this machine that is not of the loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return None if address.startswith("127.") else address


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Site:
    """A database with users and tokens. ``acknowledged`` are alarms that somebody has seen."""

    folder: Path
    clock: Clock = field(default_factory=SystemClock)
    acknowledged: list[int] = field(default_factory=list)
    host: str = ""
    port: int = 0
    more: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        open_store(self.database).close()
        raised = StoredAlarmEvent(
            at=datetime.now(UTC), rule="over-voltage", meter="house", change="raised", severity="critical", value=261.3,
            limit=253.0, unit="V", text="house: voltage 261.3 V, above 253 V", simulated=True,
        )  # fmt: skip
        with AlarmEvents(self.database) as stored:
            stored.append([raised])

    @property
    def database(self) -> Path:
        return self.folder / "page.sqlite"

    def user(self, name: str, scope: Scope = Scope.READ, password: str = PASSWORD) -> None:
        now = datetime.now(UTC)
        user = User(name=name, scope=scope, password_hash=hash_password(password), created_at=now, password_at=now)
        with AccessBook(self.database) as book:
            book.add_user(user, record("user add"))

    def token(self, name: str, scope: Scope = Scope.READ, *, days: float = 1) -> str:
        secret, now = new_token(), datetime.now(UTC)
        token = Token(
            name=name, prefix=token_prefix(secret), scope=scope, created_at=now, expires_at=now + timedelta(days=days)
        )
        with AccessBook(self.database) as book:
            book.add_token(token, token_hash(secret) or b"", record("token create"))
        return secret

    def audit(self) -> list[AuditRecord]:
        with AccessBook(self.database, read_only=True) as book:
            return list(book.audit(1000))

    def report(self, **message: object) -> None:
        """As the gateway gets it: a line, which is decoded and applied."""
        apply_report(decode_line(encode_line(**message)), self.database)

    async def ask(self, what: str, /, body: object = None, **headers: str) -> Answer:
        """One request on a connection of its own; ``_`` in the name of a header is a dash."""
        lines = {"Host": f"{self.host}:{self.port}", **self.more}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = b""
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            lines |= {"Content-Length": str(len(content))}
            lines.setdefault("Content-Type", "application/json")
        head = "\r\n".join([f"{what} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items())])
        return await self.send(f"{head}\r\nConnection: close\r\n\r\n".encode() + content)

    async def send(self, request: bytes) -> Answer:
        reader, writer = await asyncio.open_connection(self.host, self.port, ssl=self.tls)
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        top, _, body = answer.partition(b"\r\n\r\n")
        first, *rest = top.decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in rest)
        return Answer(int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, body)

    async def login(self, user: str, password: str = PASSWORD, **headers: str) -> Answer:
        return await self.ask("POST /api/v1/session", {"user": user, "password": password}, **headers)

    async def cookie(self, user: str, password: str = PASSWORD) -> str:
        """The cookie of a new session, as a browser sends it back."""
        answer = await self.login(user, password)
        assert answer.status == 200, answer.body
        return answer.headers["set-cookie"].partition(";")[0]


Story = Callable[[Site], Awaitable[None]]


def record(action: str) -> AuditRecord:
    return AuditRecord(at=datetime.now(UTC), who="tests", origin="here", action=action)


def calls_to(actions: Mapping[str, Action]) -> GatewayCalls:
    """Calls that go to the gateway and back as lines."""

    def send(**message: Any) -> None:
        line = answer_line(decode_line(encode_line(**message))["call"], actions)
        asyncio.get_running_loop().call_soon(calls.answered, decode_line(line)["answer"])

    calls = GatewayCalls(send)
    return calls


@asynccontextmanager
async def page(
    site: Site, *, elsewhere: bool = False, setup: Setup | None = None, tls: ssl.SSLContext | None = None,
    actions: Mapping[str, Action] | None = None,
) -> AsyncIterator[Site]:  # fmt: skip
    """The page over one meter. ``elsewhere``: its visitors do not come from the loopback.

    ``actions`` are what the gateway does for it; without them there is no gateway to ask.
    """
    feed, now = Feed(), datetime.now(UTC)
    reading = Reading(
        at=now, monotonic=0.0, sample=Quantities(volts=230.0, amps=1.0, watts=230.0, hertz=50.0, power_factor=1.0)
    )
    feed.publish(
        MeterView(name="house", url="serial:///dev/ttyUSB0", simulated=False, state=MeterState.STALE, reading=reading)
    )
    host, setup = "127.0.0.1", setup or Setup(database=site.database, metrics=MetricsSetup())
    if elsewhere and (host := own_address() or "127.0.0.1") == "127.0.0.1":
        setup.trusted_proxies.append("127.0.0.1")
        site.more["X-Forwarded-For"] = PROXIED
    broadcast = Broadcast(feed, meters_json)
    app = build_app(
        feed, setup, broadcast, Waveforms(lambda _name: None), acknowledge=site.acknowledged.append, report=site.report,
        calls=None if actions is None else calls_to(actions), clock=site.clock,
    )  # fmt: skip
    server = uvicorn.Server(server_config(app, tls))
    with bind(host, 0) as listener:
        site.host, site.port = host, listener.getsockname()[1]
        serving = asyncio.create_task(server._serve([listener]))
        while not server.started:
            await asyncio.sleep(0)
        streaming = asyncio.create_task(broadcast.run())
        yield site
        streaming.cancel()
        broadcast.close()
        server.should_exit = True
        await serving


def visit(site: Site, story: Story, **how: Any) -> None:
    async def played() -> None:
        async with page(site, **how) as served:
            await asyncio.wait_for(story(served), 60)

    asyncio.run(played())


class Served:
    """A site that is served in a thread of its own; see ``page`` for how."""

    def __init__(self, site: Site, **how: Any) -> None:
        self.site, self._how = site, how
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))

    async def _serve(self) -> None:
        async with page(self.site, **self._how):
            self._ready.set()
            await self._stop.wait()

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        self._loop.close()

    @property
    def address(self) -> str:
        return f"{'https' if self.site.tls else 'http'}://{self.site.host}:{self.site.port}"
