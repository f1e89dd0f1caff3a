"""Writes to a server on loopback that answers as InfluxDB documents it, and as a broken one does."""

from __future__ import annotations

import gzip
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from line_protocol_parser import parse_line

from tests.publish.broker import server_tls
from tests.publish.rig import AT, Site, view
from wattrail.ledger import Totals
from wattrail.publish import PublisherStatus
from wattrail.publish.influxdb import InfluxPacing, InfluxPlan, InfluxTarget
from wattrail.publish.pending import PublishCadence
from wattrail.store.outbox import Outbox, StoredRegisters

QUICK = InfluxPacing(tick_s=0.02, timeout_s=2.0, last_timeout_s=2.0, first_retry_s=0.02)
DEADLINE_S = 60.0


@dataclass
class Influx:
    """Keeps each request; ``answers`` are status and body, one for each, then 204 for ever."""

    answers: list[tuple[int, bytes]] = field(default_factory=list)
    requests: list[tuple[str, str, list[str]]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    port: int = 0

    def take(self, path: str, login: str, body: bytes) -> tuple[int, bytes]:
        with self.changed:
            self.requests.append((path, login, gzip.decompress(body).decode().splitlines()))
            self.changed.notify_all()
            return self.answers.pop(0) if self.answers else (204, b"")

    def until(self, condition: Callable[[], object]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, DEADLINE_S)

    def imports(self, *, first: int = 0) -> list[int]:
        """The import registers of every request from one on."""
        lines = [line for _, _, lines in self.requests[first:] for line in lines if "import_wh" in line]
        return [parse_line(line)["fields"]["import_wh"] for line in lines]


@pytest.fixture
def influx() -> Iterator[Influx]:
    with serving() as server:
        yield server


@contextmanager
def serving(*, tls: ssl.SSLContext | None = None) -> Iterator[Influx]:
    """A server; with ``tls`` by HTTPS alone."""
    server = Influx()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = server.take(self.path, self.headers.get("Authorization", ""), body)
            if status == 0:
                self.wfile.write(answer)  # not HTTP at all
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        if tls is not None:
            listener.socket = tls.wrap_socket(listener.socket, server_side=True)
        server.port = listener.server_address[1]
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        listener.shutdown()
        thread.join(DEADLINE_S)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("WATTRAIL_SECRETS", str(tmp_path / "secrets.toml"))
    monkeypatch.setenv("WATTRAIL_LOGIN_INFLUX", "writer:planted-secret")
    return Site(tmp_path)


def plan(influx: Influx, *, version: Any = 1, registers_s: float = 0.0) -> InfluxPlan:
    target = InfluxTarget(url=f"http://127.0.0.1:{influx.port}", version=version, database="energy", org="home")
    return InfluxPlan(
        influx=target, login="influx", cadence=PublishCadence(live_s=0.0, registers_s=registers_s), pacing=QUICK
    )  # fmt: skip


@contextmanager
def writing(site: Site, to: InfluxPlan) -> Iterator[None]:
    """The publisher in a thread of its own; at the end of the block the events end, and it finishes."""
    site.board.add(to.name, to.target)
    events = site.feed.subscribe(to.name)
    thread = threading.Thread(target=to.publisher(site.context()), args=(events,))
    thread.start()
    try:
        yield
    finally:
        events.end()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def board_says(site: Site, condition: Callable[[], object]) -> None:
    until = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < until
        threading.Event().wait(0.005)


def store_a_day(site: Site) -> None:
    rows = [
        StoredRegisters(meter_id=1, at=AT + timedelta(minutes=minute), totals=Totals(minute * 8_000_000, 0))
        for minute in range(1440)
    ]
    with Outbox(site.database, "influxdb") as outbox:
        outbox.identity("house")
        outbox.add(rows)


@pytest.mark.parametrize(
    ("version", "path", "login"),
    [
        (1, "/write?db=energy&precision=ns", "Basic d3JpdGVyOnBsYW50ZWQtc2VjcmV0"),
        (2, "/api/v2/write?org=home&bucket=energy&precision=ns", "Token planted-secret"),
        (3, "/api/v3/write_lp?db=energy&precision=nanosecond&accept_partial=true", "Bearer planted-secret"),
    ],
)
def test_each_version_has_its_own_path_and_login(
    site: Site, influx: Influx, version: int, path: str, login: str
) -> None:
    site.show()
    with writing(site, plan(influx, version=version)):
        influx.until(lambda: influx.requests)
    assert influx.requests[0][:2] == (path, login)
    registers, live = (parse_line(line) for line in influx.requests[0][2])
    assert registers["fields"] == {"import_wh": 1_234_567, "export_wh": 89_012}
    assert live["fields"] == {"power": 500.0, "voltage": 230.0}
    assert registers["tags"]["meter"] == live["tags"]["meter"] == "house"


def test_registers_that_are_estimated_by_power_say_so(site: Site, influx: Influx) -> None:
    site.feed.publish(replace(view(), has_estimates=True))
    with writing(site, plan(influx)):
        influx.until(lambda: influx.requests)
    (registers,) = (point for point in map(parse_line, influx.requests[0][2]) if "import_wh" in point["fields"])
    assert registers["tags"]["estimated"] == "true"


def test_a_day_that_waited_is_one_write_and_then_forgotten(site: Site, influx: Influx) -> None:
    store_a_day(site)
    with writing(site, plan(influx)):
        board_says(site, lambda: site.state("influxdb").sent_at)
    assert influx.imports() == [minute * 8000 for minute in range(1440)]
    assert site.state("influxdb").waiting == 0
    assert len(influx.requests) == 1


@pytest.mark.parametrize("answer", [(500, b"oops"), (503, b""), (429, b"{}"), (0, b"no HTTP at all\r\n\r\n")])
def test_a_server_in_trouble_gets_everything_again(site: Site, influx: Influx, answer: tuple[int, bytes]) -> None:
    store_a_day(site)
    influx.answers = [answer] * 3
    with writing(site, plan(influx)):
        board_says(site, lambda: site.state("influxdb").status is PublisherStatus.AWAY)
        assert site.state("influxdb").waiting == 1440
        board_says(site, lambda: site.state("influxdb").status is PublisherStatus.LIVE)
        board_says(site, lambda: site.state("influxdb").waiting == 0)
    assert len(influx.requests) == 4
    assert influx.imports(first=3) == [minute * 8000 for minute in range(1440)]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_shown_without_the_secret_and_registers_wait(site: Site, influx: Influx, status: int) -> None:
    store_a_day(site)
    influx.answers = [(status, b'{"message":"unauthorized access: Basic d3JpdGVyOnBsYW50ZWQtc2VjcmV0"}')]
    with writing(site, plan(influx)):
        board_says(site, lambda: site.state("influxdb").status is PublisherStatus.REFUSED)
        state = site.state("influxdb")
        assert f"answers {status}: unauthorized access" in (state.error or "")
        assert "secret" not in f"{state.error}{state.target}{state.hint}"
        assert "d3JpdGVyOnBsYW50ZWQtc2VjcmV0" not in (state.error or "")
        board_says(site, lambda: site.state("influxdb").waiting == 0)


def test_a_secrets_file_that_cannot_be_read_waits_for_a_person(
    site: Site, influx: Influx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = tmp_path / "damaged.toml"
    secrets.write_text("[influx\n")
    secrets.chmod(0o600)
    monkeypatch.setenv("WATTRAIL_SECRETS", str(secrets))
    monkeypatch.delenv("WATTRAIL_LOGIN_INFLUX")
    store_a_day(site)
    with writing(site, plan(influx)):
        board_says(site, lambda: site.state("influxdb").status is PublisherStatus.REFUSED)
        assert "damaged.toml" in (site.state("influxdb").error or "")
        assert site.state("influxdb").waiting == 1440
        secrets.unlink()
        board_says(site, lambda: site.state("influxdb").sent_at)


def test_what_a_server_does_not_take_is_logged_and_not_repeated(
    site: Site, influx: Influx, caplog: pytest.LogCaptureFixture
) -> None:
    store_a_day(site)
    influx.answers = [(400, b'{"error":"partial write: points beyond retention policy dropped=7"}')]
    with writing(site, plan(influx)):
        board_says(site, lambda: site.state("influxdb").sent_at)
    assert "did not take every one of 1440 points" in caplog.text
    assert "points beyond retention policy dropped=7" in caplog.text
    assert len(influx.requests) == 1


def test_a_write_that_is_too_large_is_made_smaller(site: Site, influx: Influx) -> None:
    store_a_day(site)
    influx.answers = [(413, b""), (413, b"")]
    with writing(site, plan(influx)):
        board_says(site, lambda: site.state("influxdb").sent_at and site.state("influxdb").waiting == 0)
    assert influx.imports(first=2) == [minute * 8000 for minute in range(1440)]
    assert [len(lines) for _, _, lines in influx.requests] == [1440, 1440, 1250, 190]


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_server_of_an_own_authority_needs_ca_file(site: Site, tmp_path: Path, is_trusted: bool) -> None:
    with serving(tls=server_tls(tmp_path)) as influx:
        to = plan(influx)
        to = replace(to, influx=replace(to.influx, url=f"https://127.0.0.1:{influx.port}"))
        with writing(site, replace(to, ca_file=tmp_path / "ca.pem" if is_trusted else None)):
            site.show()
            until = time.monotonic() + DEADLINE_S
            while site.state("influxdb").status is PublisherStatus.CONNECTING:
                assert time.monotonic() < until
    state = site.state("influxdb")
    assert state.status is (PublisherStatus.LIVE if is_trusted else PublisherStatus.REFUSED)
    assert is_trusted or "its certificate is not trusted" in str(state.error)


def test_a_ca_file_that_is_gone_is_named(site: Site, tmp_path: Path, influx: Influx) -> None:
    to = plan(influx)
    to = replace(to, influx=replace(to.influx, url=f"https://127.0.0.1:{influx.port}"), ca_file=tmp_path / "gone.pem")
    with writing(site, to):
        site.show()
    assert "gone.pem cannot be used as ca_file" in str(site.state("influxdb").error)


def test_a_server_that_is_not_there_is_away(site: Site, influx: Influx) -> None:
    nowhere = Influx(port=1)
    site.show()
    with writing(site, plan(nowhere)):
        board_says(site, lambda: site.state("influxdb").status is PublisherStatus.AWAY)
        assert "cannot write" in (site.state("influxdb").error or "")
    with Outbox(site.database, "influxdb") as outbox:
        assert outbox.count() == 1, "it waits for the next start"


def test_live_values_of_an_outage_are_not_written_later(site: Site, influx: Influx) -> None:
    influx.answers = [(503, b"")] * 2
    with writing(site, plan(influx, registers_s=3600.0)):
        for minute in range(5):
            site.show(minute=minute, watts=100.0 * minute)
        board_says(site, lambda: site.state("influxdb").status is PublisherStatus.LIVE)
    assert len(influx.requests) >= 3
    assert [sum("power" in line for line in lines) for _, _, lines in influx.requests[2:3]] == [1]
