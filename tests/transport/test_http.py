"""Web servers of meters that keep to HTTP only more or less, and bad ones."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.conftest import run, web_server

from wattrail.credentials import Credentials
from wattrail.errors import AccessDenied, PortLost, PortOpenError, PortTimeout, UnexpectedReply, WattrailError
from wattrail.transport.http import HttpAnswer, HttpServer

HEADERS = b"Content-Type: application/json\r\nConnection: close\r\n\r\n"


async def answer_to(raw: bytes, *, stays_open: bool = False, timeout_s: float = 5.0) -> HttpAnswer:
    async with web_server(any=raw) as web:
        web.stays_open = stays_open
        return await HttpServer("127.0.0.1", web.port, timeout_s=timeout_s).get("/cm?cmnd=Status%208")


@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\n" + HEADERS + b'{"a":1}', 200, b'{"a":1}'),  # a bare LF, and no length
        (b"HTTP/1.1 200 OK\r\n" + HEADERS + b'{"a":1}', 200, b'{"a":1}'),
        (b"HTTP/1.1 200 OK\nConnection: close\n\n{}", 200, b"{}"),
        (b"HTTP/1.1 -1 OK\n" + HEADERS + b'{"error":400}', 400, b'{"error":400}'),
        (b"HTTP/1.1 -1 OK\r\n" + HEADERS + b'{"error":400}', 400, b'{"error":400}'),
        (b"HTTP/1.1 501 OK\n" + HEADERS + b"{}", 501, b"{}"),
        (b"HTTP/1.1 302 OK\nLocation: /index\r\n\r\n", 302, b""),
        (b"OK", 200, b"OK"),  # /api/del has no head at all
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", 200, b"{}"),
    ],
)
def test_whatever_a_meter_calls_http_is_read(raw: bytes, status: int, body: bytes) -> None:
    assert run(answer_to(raw)) == HttpAnswer(status, body)


@pytest.mark.parametrize(
    ("raw", "kind", "message"),
    [
        (b"", PortLost, "closed the connection early, after 0 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", PortLost, "closed the connection early, after 2 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", PortLost, "closed the connection early, after 0 bytes"),
        (b"HTTP/1.1 401 Unauthorized\n" + HEADERS, AccessDenied, "refuses the user or the password"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000, UnexpectedReply, "more than 262144 bytes"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000, UnexpectedReply, "the answer is not HTTP"),
        (b"HTTP/1.1 huh\r\n\r\n", UnexpectedReply, "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", UnexpectedReply, "the answer is not HTTP"),
    ],
)
def test_a_bad_answer_is_an_error_of_its_kind(raw: bytes, kind: type[WattrailError], message: str) -> None:
    with pytest.raises(kind, match=message):
        run(answer_to(raw))


def test_a_server_that_does_not_end_its_answer_meets_the_deadline() -> None:
    with pytest.raises(PortTimeout, match=r"no whole answer within 0\.2 s \(waiting for the end of the answer\)"):
        run(answer_to(b"HTTP/1.1 200 OK\n", stays_open=True, timeout_s=0.2))


def test_nobody_at_the_port_is_said() -> None:
    async def story() -> None:
        async with web_server() as web:
            port = web.port
        await HttpServer("127.0.0.1", port).get("/")

    said = r"http://127\.0\.0\.1:(\d+): cannot connect: connection refused: nothing listens at 127\.0\.0\.1:\1$"
    with pytest.raises(PortOpenError, match=said) as caught:
        run(story())
    assert caught.value.hint == "check the address and the port, and that the meter's web server is on"


def test_a_name_with_other_letters_is_asked_for_as_it_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = asyncio.open_connection

    async def story() -> str:
        async with web_server(any=b"OK") as web:
            monkeypatch.setattr(asyncio, "open_connection", lambda _host, port: connect("127.0.0.1", port))
            await HttpServer("zähler.local", web.port).get("/")
            return web.heads[0]

    assert "Host: xn--zhler-gra.local" in run(story())


def test_the_request_goes_out_in_one_piece_with_the_login() -> None:
    async def story() -> str:
        async with web_server(any=b"OK") as web:
            await HttpServer("127.0.0.1", web.port, credentials=Credentials("admin", "pässword")).get("/a")
            return web.heads[0]

    head = run(story())
    assert head.startswith("GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    assert "Authorization: Basic YWRtaW46cMOkc3N3b3Jk\r\n" in head


def test_tasmota_takes_the_login_in_the_query() -> None:
    async def story() -> str:
        async with web_server(any=b"OK") as web:
            server = HttpServer("127.0.0.1", web.port, credentials=Credentials("admin", "a&b c"), auth="query")
            await server.get("/cm?cmnd=Status%200")
            return web.asked[0]

    assert run(story()) == "/cm?cmnd=Status%200&user=admin&password=a%26b%20c"


HEAD = st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 -1 OK\n", b"HTTP/1.1 204 x\r\n", b"HTTP/1.0 ", b""])
LINE = st.sampled_from(
    [b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n", b"\n", b"3\r\n", b"a: b\r\n"]
)


@given(HEAD, st.lists(LINE | st.binary(max_size=12), max_size=6))
def test_any_bytes_are_an_answer_or_an_error_of_ours(head: bytes, rest: list[bytes]) -> None:
    async def story() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(head + b"".join(rest))
        reader.feed_eof()
        with suppress(PortLost, UnexpectedReply):
            await HttpServer("meter", 80)._read_answer(reader)

    asyncio.run(story())
