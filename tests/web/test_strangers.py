"""What strangers send: each attack is bounded, stays on this machine, and ends by itself."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn

from wattrail.gateway import Feed, MeterState, MeterView
from wattrail.units import Quantities, Reading
from wattrail.web import Setup, protocol
from wattrail.web.app import build_app, meters_json
from wattrail.web.child import server_config
from wattrail.web.events import Broadcast
from wattrail.web.guard import SECURITY_HEADERS
from wattrail.web.limits import MAX_HEAD_BYTES
from wattrail.web.waveform import Waveforms

Story = Callable[[int], Awaitable[None]]
HEADERS = {name.decode() for name, _ in SECURITY_HEADERS}
SEED = 20261128


@asynccontextmanager
async def page(folder: Path) -> AsyncIterator[int]:
    """The page over one meter, with the limits it has in service; gives its TCP port."""
    feed = Feed()
    now = datetime.now(UTC)
    reading = Reading(
        at=now, monotonic=0.0, sample=Quantities(volts=230.0, amps=1.0, watts=230.0, hertz=50.0, power_factor=1.0),
    )  # fmt: skip
    feed.publish(
        MeterView(name="house", url="serial:///dev/ttyUSB0", simulated=False, state=MeterState.STALE, reading=reading)
    )
    broadcast = Broadcast(feed, meters_json)
    app = build_app(feed, Setup(database=folder / "none.sqlite"), broadcast, Waveforms(lambda _name: None))
    server = uvicorn.Server(server_config(app))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server._serve([listener]))
        while not server.started:
            await asyncio.sleep(0)
        yield listener.getsockname()[1]
        broadcast.close()
        server.should_exit = True
        await serving


def visit(folder: Path, story: Story) -> None:
    async def played() -> None:
        async with page(folder) as port:
            await asyncio.wait_for(story(port), 60)

    asyncio.run(played())


async def send(port: int, request: bytes) -> bytes:
    """Everything that comes back for some bytes; the end of the connection is the end of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 60)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def ask(port: int, what: str = "GET /", *lines: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request."""
    head = "\r\n".join([f"{what} HTTP/1.1", *(lines or ("Host: localhost",)), "Connection: close", "", ""])
    answer = await send(port, head.encode("latin-1", "replace"))
    top, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = top.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in rest)
    return int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, body


@pytest.mark.parametrize(
    ("what", "lines", "status"),
    [
        ("GET /", ("Host: [::1",), 400),
        ("GET /", ("Host: a:b:c",), 400),
        ("GET /", ("Host: [zz]:1",), 400),
        ("GET /", ("Host: ",), 400),
        ("GET /", ("Host: localhost", "Origin: http://[::1"), 400),
        ("GET /", ("Host: localhost", "Origin: http://"), 400),
        ("GET /", ("Host: localhost", "Origin: \\\\\\"), 400),
        ("GET /", ("Host: localhost", "Origin: https://evil.example"), 403),
        ("GET /api/v1/meters", ("Host: evil.example",), 403),
        ("POST /", ("Host: localhost", "Content-Length: 0"), 405),
        ("DELETE /api/v1/meters/house", ("Host: localhost",), 405),
        ("GET /", ("Host: localhost", "Content-Length: 9000000000"), 413),
        ("GET /", ("Host: localhost", "Transfer-Encoding: chunked"), 413),
        ("GET /attic", ("Host: localhost",), 404),
        ("GET /api/v1/attic", ("Host: localhost",), 404),
        ("GET /scope/attic", ("Host: localhost",), 404),
        ("GET /", ("Host: [::1]:8042",), 200),
        ("GET /", ("Host: 127.0.0.1:8042", "Origin: http://127.0.0.1:8042"), 200),
    ],
)
def test_every_answer_has_the_right_status_and_cannot_be_framed(
    tmp_path: Path, what: str, lines: tuple[str, ...], status: int
) -> None:
    async def story(port: int) -> None:
        got, headers, body = await ask(port, what, *lines)
        assert got == status
        assert set(headers) >= HEADERS
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        if " /api" in what:
            assert headers["content-type"] == "application/problem+json"
            assert set(json.loads(body)) >= {"type", "title", "status", "detail", "hint"}
            assert json.loads(body)["status"] == got
        if got == 405:
            assert headers["allow"] == "GET, HEAD"

    visit(tmp_path, story)


@pytest.mark.parametrize("path", ["/", "/assets/dashboard.js", "/api/v1/meters", "/api/v1/events", "/api/v1/attic"])
def test_head_is_get_without_its_body(tmp_path: Path, path: str) -> None:
    async def story(port: int) -> None:
        head = await ask(port, f"HEAD {path}")
        assert head[2] == b""
        if path != "/api/v1/events":  # which has no end
            get = await ask(port, f"GET {path}")
            assert head[0] == get[0]
            assert head[1]["content-length"] == str(len(get[2]))

    visit(tmp_path, story)


def test_a_head_without_an_end_is_refused_after_its_first_kilobytes(tmp_path: Path) -> None:
    piece, pieces = b"x" * 65536, 200 * 1024 * 1024 // 65536

    async def story(port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        sent = 0
        try:
            for _ in range(pieces):
                writer.write(piece)
                await writer.drain()
                sent += len(piece)
        except ConnectionError:
            pass
        writer.close()
        assert sent < 200 * MAX_HEAD_BYTES + 8 * 1024 * 1024  # what the kernel took before it knew
        assert (await ask(port))[0] == 200

    visit(tmp_path, story)


def test_a_body_is_refused_without_being_read(tmp_path: Path) -> None:
    async def story(port: int) -> None:
        status, _, _ = await ask(port, "GET /api/v1/meters", "Host: localhost", "Content-Length: 200000000")
        assert status == 413

    visit(tmp_path, story)


@pytest.mark.parametrize(
    "begin", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"]
)
def test_a_client_that_never_finishes_a_request_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.3)

    async def story(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begin)
        began = asyncio.get_running_loop().time()

        async def drip() -> None:
            while True:  # a byte now and then, as slowloris does
                writer.write(b"X")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        try:
            while await reader.read(65536):
                pass
        except ConnectionResetError:
            pass
        assert asyncio.get_running_loop().time() - began < 5
        dripping.cancel()
        writer.close()

    visit(tmp_path, story)


def test_among_too_many_connections_the_idlest_is_closed_for_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 10)

    async def story(port: int) -> None:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(40)]
        assert (await ask(port, "GET /api/v1/health"))[0] == 200
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(idle[0][0].readexactly(1), 5)
        for _, writer in idle:
            writer.close()

    visit(tmp_path, story)


def test_a_page_that_reads_nothing_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "STALL_TIMEOUT_S", 0.2)

    async def story(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        for _ in range(300):  # answers pile up, and none is taken
            writer.write(b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")

        async def go_on() -> None:
            while True:
                writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await asyncio.wait_for(writer.drain(), 60)
                await asyncio.sleep(0.01)

        with pytest.raises(ConnectionError):
            await go_on()
        assert not reader.at_eof()

    visit(tmp_path, story)


def test_a_websocket_is_not_spoken_and_junk_ends_the_connection_quietly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade = (
        b"GET /_nicegui_ws/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    chance = random.Random(SEED)

    async def story(port: int) -> None:
        for _ in range(20):
            answer = await send(port, upgrade + chance.randbytes(400) + b"\r\n\r\n")
            assert b"101" not in answer.split(b"\r\n")[0]
        assert (await ask(port))[0] == 200

    visit(tmp_path, story)
    assert not [record for record in caplog.records if record.exc_info]


def test_no_path_leads_out_of_the_assets(tmp_path: Path) -> None:
    steps = ("..", "%2e%2e", "..%2f", "%252e%252e", "..\\", "....//", "%c0%ae%c0%ae", "\x00")
    closing = "Host: localhost\r\nConnection: close\r\n\r\n"
    targets = ("etc/passwd", "dashboard.html", "..%2fapp.py", "child.py")

    async def story(port: int) -> None:
        for prefix in ("/assets/", "/", "/scope/", "/api/v1/meters/"):
            for step in steps:
                for target in targets:
                    answer = await send(
                        port,
                        f"GET {prefix}{step}/{target} HTTP/1.1\r\n{closing}".encode(),
                    )
                    assert answer.split()[1] in {b"400", b"404"}
                    assert b"root:" not in answer
                    assert b"import" not in answer

    visit(tmp_path, story)


def test_a_thousand_hostile_heads_are_answered_or_closed_and_never_fail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(SEED)
    names = [
        "Host",
        "Origin",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Upgrade",
        "Range",
        "Accept",
        "X",
        "",
    ]
    bits = [
        "[",
        "]",
        ":",
        "::1",
        "localhost",
        "@",
        "http://",
        "null",
        "-1",
        "9" * 40,
        "chunked",
        "\x1b[2J",
        "é",
        " ",
        "%00",
        "\t",
        "?",
    ]

    def head() -> bytes:
        method = chance.choice(["GET", "HEAD", "OPTIONS", "get", "G\x00T", "TRACE", "CONNECT", "*"])
        path = "".join(
            chance.choices(["/", "api/v1/", "meters/", "%ff", "\x1b", "?", "&points=", "..", "é", "{", "#"], k=4)
        )
        lines = [f"{chance.choice(names)}: {''.join(chance.choices(bits, k=3))}" for _ in range(chance.randint(0, 5))]
        return "\r\n".join(
            [f"{method} /{path} HTTP/1.{chance.choice('01')}", *lines, "Connection: close", "", ""]
        ).encode("utf-8", "surrogateescape")

    async def story(port: int) -> None:
        for _ in range(1000):
            answer = await send(port, head())
            assert not answer or answer.split()[1][:1] in {b"2", b"4"}, answer[:200]
        assert (await ask(port))[0] == 200

    visit(tmp_path, story)
    assert not [record for record in caplog.records if record.exc_info]
