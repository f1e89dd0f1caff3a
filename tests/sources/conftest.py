"""A broker and a web server of our own on loopback, each stopped by whoever started it."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from wattrail.sources import BrokerPool, MeterSource, Secrets, open_source
from wattrail.transport.listening import stop_listening

T = TypeVar("T")

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
NEEDS_BROKER = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
DEADLINE_S = 60.0
RETRY_S = (0.05,)


def run(story: Coroutine[Any, Any, T], *, deadline_s: float = DEADLINE_S) -> T:
    """An asynchronous story to its end, or to the deadline."""
    return asyncio.run(asyncio.wait_for(story, deadline_s))


class Mosquitto:
    """A broker on a free port of loopback."""

    def __init__(self, folder: Path, *, password: str = "") -> None:
        self._folder = folder
        self.port = _free_port()
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", "user root", "log_dest stderr"]
        lines += [f"allow_anonymous {'false' if password else 'true'}"]
        if password:
            users = folder / "users"
            subprocess.run(["mosquitto_passwd", "-c", "-b", users, "meter", password], check=True)
            lines += [f"password_file {users}"]
        (folder / "mosquitto.conf").write_text("\n".join([*lines, ""]), encoding="utf-8")
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start, and wait until it says that it runs."""
        assert MOSQUITTO is not None
        command = [MOSQUITTO, "-c", str(self._folder / "mosquitto.conf"), "-v"]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "running" in line:
                self._process.stderr.close()  # what it says later is of no interest, and must not fill a pipe
                return
        raise AssertionError("mosquitto ended before it ran")

    def reload(self) -> None:
        """Have it read its access list again; whoever is connected stays so."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """Stop, and wait for its end."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(DEADLINE_S)
            self._process = None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that anybody may use."""
    mosquitto = Mosquitto(tmp_path)
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
def closed_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker with one user, meter, and the password planted-secret."""
    mosquitto = Mosquitto(tmp_path, password="planted-secret")
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@asynccontextmanager
async def opened(*urls: str, secrets: Secrets | None = None) -> AsyncIterator[list[MeterSource]]:
    """Sources that share their brokers, closed at the end."""
    pool = BrokerPool(retry_s=RETRY_S)
    sources = [open_source(url, pool=pool, secrets=secrets or no_secrets()) for url in urls]
    try:
        yield sources
    finally:
        for source in sources:
            await source.close()


async def read_forever(source: MeterSource) -> None:
    """Reading after reading, until one is an error."""
    while True:
        await source.read()


def no_secrets() -> Secrets:
    """Nothing of this machine's own."""
    return Secrets(file=Path("/nonexistent"), environment={}, uses_keyring=False)


@dataclass
class WebServer:
    """Answers with bytes as they are, and keeps what was asked."""

    answers: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    port: int = 0
    stays_open: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            target = head.split()[1]
            self.heads.append(head)
            self.asked.append(target)
            writer.write(self.answers.get(target, self.answers.get("", b"")))
            await writer.drain()
            if self.stays_open:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def web_server(**answers: bytes) -> AsyncIterator[WebServer]:
    """A web server on loopback; ``any`` is what it answers to everything."""
    server = WebServer({"": answers.get("any", b"")})
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        await stop_listening(listener)


Publish = Callable[..., Coroutine[Any, Any, None]]


@asynccontextmanager
async def publisher(port: int, **login: str) -> AsyncIterator[Publish]:
    """Somebody who publishes: ``await publish(topic, payload, retain=True)``."""
    import aiomqtt

    async with aiomqtt.Client("127.0.0.1", port, **login) as client:  # type: ignore[arg-type]

        async def publish(topic: str, payload: str | bytes, *, retain: bool = False) -> None:
            await client.publish(topic, payload, qos=1, retain=retain)

        yield publish
