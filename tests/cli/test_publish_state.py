"""``wattrail publish list`` and ``status``: beside a running gateway, and without one."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Type
from tests.publish.rig import AT, CALIBRATION, TOTALS
from wattrail.store import GatewayLock, open_store
from wattrail.store.outbox import Outbox, StoredRegisters

CONFIG = """\
[[meter]]
name = "house"
url = "twin://pziot-e01"

[store]
path = "w.sqlite"

[publish.home_assistant]
broker = "mqtt://192.0.2.5"

[publish.influxdb]
url = "http://192.0.2.6:8086"
version = 1
database = "energy"
"""
AWAY = {
    "name": "influxdb", "target": "http://192.0.2.6:8086 (energy)", "status": "away", "since": "2026-11-22T05:30:00Z",
    "error": "nothing listens there", "hint": "start it", "sent_at": "2026-11-22T05:29:00Z", "waiting": 41,
    "held": {"house": "a register fell"},
}  # fmt: skip


@pytest.fixture
def configured(home: Path) -> Path:
    Path("wattrail.toml").write_text(CONFIG, encoding="utf-8")
    return Path("w.sqlite")


@contextmanager
def page(publishers: object) -> Iterator[str]:
    """What answers in place of a gateway's page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(publishers).encode() if self.path == "/api/v1/publishers" else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def test_what_is_configured_is_listed(wattrail: Type, configured: Path) -> None:
    lines = wattrail("publish", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["home_assistant", "influxdb"]
    listed = json.loads(wattrail("publish", "list", "--json").out)
    assert listed[1] == {"name": "influxdb", "target": "http://192.0.2.6:8086 (energy)"}


def test_a_running_gateway_says_what_its_publishers_do(wattrail: Type, configured: Path) -> None:
    with page([AWAY]) as address, GatewayLock(configured) as lock:
        lock.set_address(address)
        said = wattrail("publish", "status")
        as_json = wattrail("publish", "status", "--json")
    assert said.code == as_json.code == 1
    assert said.out.splitlines() == [
        "influxdb                away, 41 waiting  http://192.0.2.6:8086 (energy)",
        "    last sent 2026-11-22T05:29:00Z",
        "    nothing listens there",
        "    try this: start it",
        "    house is held: a register fell",
    ]
    assert json.loads(as_json.out) == [AWAY]


def test_a_gateway_without_trouble_is_exit_code_0(wattrail: Type, configured: Path) -> None:
    live = {**AWAY, "status": "live", "error": None, "hint": None, "waiting": 0, "held": {}}
    with page([live]) as address, GatewayLock(configured) as lock:
        lock.set_address(address)
        assert wattrail("publish", "status").code == 0


def test_without_a_gateway_the_outbox_says_what_waits(wattrail: Type, configured: Path) -> None:
    with open_store(configured) as store:
        row = store.register_meter("house", "twin://pziot-e01", simulated=True, calibration=CALIBRATION, at=AT)
    with Outbox(configured, "influxdb") as outbox:
        outbox.add([StoredRegisters(meter_id=row.id, at=AT, totals=TOTALS)])
    said = wattrail("publish", "status")
    assert "no gateway runs on this database" in said.err
    assert said.out.splitlines()[1].startswith("influxdb                not running, 1 waiting")
    assert [one["waiting"] for one in json.loads(wattrail("publish", "status", "--json").out)] == [0, 1]


def test_a_killed_gateway_does_not_count_as_running(wattrail: Type, configured: Path) -> None:
    with GatewayLock(configured):
        left = Path("w.sqlite.gateway").read_text(encoding="utf-8")
    Path("w.sqlite.gateway").write_text(left, encoding="utf-8")
    said = wattrail("publish", "status")
    assert "no gateway runs on this database" in said.err
    assert [one["waiting"] for one in json.loads(wattrail("publish", "status", "--json").out)] == [None, None]


def test_a_page_that_does_not_answer_is_said(wattrail: Type, configured: Path) -> None:
    with page({"detail": "log in first"}) as address, GatewayLock(configured) as lock:
        lock.set_address(address)
        said = wattrail("publish", "status")
    assert "a gateway runs, but its page does not answer" in said.err
    assert "not running" in said.out


def test_without_a_configuration_the_page_with_examples_is_named(wattrail: Type, home: Path) -> None:
    said = wattrail("publish", "status")
    assert said.code == 2
    assert "docs/publish.md has an example" in said.err


def test_another_program_at_the_address_of_the_page_is_said(wattrail: Type, configured: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"

        def talk_nonsense() -> None:
            connection, _ = server.accept()
            connection.recv(1000)
            connection.sendall(b"220 mail.example ESMTP\r\n")
            connection.close()

        threading.Thread(target=talk_nonsense, daemon=True).start()
        with open_store(configured):
            pass
        with GatewayLock(configured) as lock:
            lock.set_address(address)
            said = wattrail("publish", "status")
    assert said.code == 0
    assert "a gateway runs, but its page does not answer" in said.err
    assert "home_assistant          not running" in said.out
