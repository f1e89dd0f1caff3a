"""The REST interface and the guard in front of it, over a real server."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.web.conftest import served
from wattrail.errors import ConfigError
from wattrail.web import bind

Scene = Callable[[str], str]


def ask(address: str, path: str, **headers: str) -> tuple[int, Any]:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read().decode()
        is_json = response.headers["content-type"] in {"application/json", "application/problem+json"}
        return response.status, json.loads(body) if is_json else body
    finally:
        connection.close()


def test_every_meter_is_listed_with_its_state_and_whether_it_is_simulated(scene: Scene) -> None:
    status, meters = ask(scene("live"), "/api/v1/meters")
    assert status == 200
    assert [(meter["name"], meter["simulated"]) for meter in meters] == [("house", True)]
    assert set(meters[0]) >= {"state", "error", "hint", "today", "total", "url"}


def test_a_reading_is_scaled_counted_and_marked(scene: Scene) -> None:
    status, reading = ask(scene("live"), "/api/v1/meters/house/reading")
    assert (status, reading["simulated"], reading["volts"]) == (200, True, 231.4)
    assert reading["at"].endswith("Z")
    status, reading = ask(scene("trouble"), "/api/v1/meters/house/reading")
    assert (status, reading["simulated"]) == (200, False)


def test_a_series_has_a_bounded_number_of_points(scene: Scene) -> None:
    status, series = ask(scene("live"), "/api/v1/meters/house/series?minutes=60&points=720")
    assert (status, series["unit"], series["simulated"]) == (200, "W", True)
    assert 1 <= len(series["points"]) <= 721
    point = series["points"][-1]
    assert point["lowest"] <= point["mean"] <= point["highest"]


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/api/v1/meters/attic/reading", 404, "there is no meter 'attic'; known: house, workshop, garage"),
        ("/api/v1/meters/garage/reading", 503, "has not been read yet: serial:///dev/ttyUSB0 went away"),
        ("/api/v1/meters/house/series?minutes=0", 422, "greater than or equal to 1"),
        ("/api/v1/meters/house/series?points=99999", 422, "less than or equal to 2000"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(scene: Scene, path: str, status: int, says: str) -> None:
    got, answer = ask(scene("trouble"), path)
    assert got == status
    assert says in json.dumps(answer)


def test_health_names_every_meter(scene: Scene) -> None:
    assert ask(scene("empty"), "/api/v1/health")[1]["status"] == "ok"
    health = ask(scene("trouble"), "/api/v1/health")[1]
    assert (health["status"], health["simulated"], health["meters"]["garage"]) == ("degraded", False, "lost")


def test_the_interface_describes_itself(scene: Scene) -> None:
    paths = ask(scene("empty"), "/api/v1/openapi.json")[1]["paths"]
    assert set(paths) == {
        "/api/v1/meters",
        "/api/v1/meters/{name}",
        "/api/v1/meters/{name}/reading",
        "/api/v1/meters/{name}/link",
        "/api/v1/meters/{name}/waveform",
        "/api/v1/events",
        "/api/v1/alarms",
        "/api/v1/alarms/events",
        "/api/v1/alarms/{number}/acknowledge",
        "/api/v1/meters/{name}/today",
        "/api/v1/meters/{name}/hours",
        "/api/v1/meters/{name}/series",
        "/api/v1/meters/{name}/energy",
        "/api/v1/meters/{name}/registers",
        "/api/v1/meters/{name}/events",
        "/api/v1/meters/{name}/costs",
        "/api/v1/meters/{name}/download/readings",
        "/api/v1/meters/{name}/download/series",
        "/api/v1/meters/{name}/download/energy",
        "/api/v1/meters/{name}/download/entries",
        "/api/v1/about",
        "/api/v1/publishers",
        "/api/v1/health",
        "/api/v1/health/report",
        "/api/v1/log",
        "/api/v1/health/database-check",
        "/api/v1/meters/{name}/ledger",
        "/api/v1/meters/{name}/ledger/entries",
        "/api/v1/meters/{name}/ledger/entries/{number}",
        "/api/v1/meters/{name}/ledger/preview",
        "/api/v1/meters/{name}/ledger/manual",
        "/api/v1/meters/{name}/ledger/verification",
        "/api/v1/meters/{name}/calibration",
        "/api/v1/meters/{name}/calibration/measure",
        "/api/v1/meters/{name}/calibration/keep",
        "/api/v1/meters/{name}/calibration/restore",
        "/api/v1/inspect",
        "/api/v1/meters/{name}/accuracy/points",
        "/api/v1/meters/{name}/accuracy/measure",
        "/api/v1/session",
        "/api/v1/audit",
        "/api/v1/problems/{kind}",
        "/api/v1/settings",
        "/api/v1/settings/schema",
        "/api/v1/settings/check",
        "/api/v1/settings/text",
        "/api/v1/settings/text/check",
        "/api/v1/settings/rename",
        "/api/v1/settings/discovery",
        "/api/v1/users",
        "/api/v1/users/{name}/password",
        "/api/v1/users/{name}",
        "/api/v1/tokens",
        "/api/v1/tokens/{name}",
    }


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:8042"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost"}, 200),
        ({"Host": "192.168.1.5:8042"}, 200),
        ({"Host": "[::1]:8042"}, 200),
        ({"Host": "localhost:8042", "Origin": "http://localhost:8042"}, 200),
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/v1/health"])
def test_pages_from_elsewhere_are_kept_out(scene: Scene, path: str, headers: dict[str, str], status: int) -> None:
    assert ask(scene("empty"), path, **headers)[0] == status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_service_with_its_books_written(tmp_path: Path, number: signal.Signals) -> None:
    with served("live", tmp_path) as (_, server):
        server.send_signal(number)
        out, err = server.communicate(timeout=60)
    assert server.returncode == 0
    assert out == "stopped cleanly\n"
    assert "Traceback" not in err


def test_a_port_in_use_is_an_error_with_its_remedy() -> None:
    with bind(port=0) as listener, pytest.raises(ConfigError, match="Address already in use") as caught:
        bind(port=listener.getsockname()[1])
    assert "another port" in str(caught.value.hint)


def test_a_short_answer_is_not_held_back_for_a_confirmation() -> None:
    with bind(port=0) as listener, socket.create_connection(listener.getsockname()) as _visitor:
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_of_another_machine_cannot_be_served() -> None:
    with pytest.raises(ConfigError, match=r"cannot serve at 203\.0\.113\.1") as caught:
        bind("203.0.113.1", 0)
    assert "address of this machine" in str(caught.value.hint)
