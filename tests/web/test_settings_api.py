"""The settings of a gateway that runs, through its interface: what is changed holds without a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.settings_rig import HOUSE, Gateway
from wattrail.access import Scope
from wattrail.app.settings_actions import settings_actions
from wattrail.web.gateway_calls import GatewayCalls
from wattrail.web.permissions import declared_scope, is_declared
from wattrail.web.settings_api import settings_router

ROOF = {"name": "roof", "url": "twin://pziot-e01?watts=-400&seed=9"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    made = Gateway(tmp_path_factory.mktemp("settings"), "# mine\n", HOUSE)
    yield made
    made.stop()


def names(meters: Any) -> list[str]:
    return [meter["name"] for meter in meters]


def test_a_meter_comes_and_goes_while_the_gateway_runs(gateway: Gateway) -> None:
    status, done = gateway.change("meter", None, ROOF)
    assert (status, done["changes"]) == (200, ["added meter roof"])
    gateway.until("meters", lambda meters: names(meters) == ["house", "roof"] and meters[1]["state"] == "live")
    since = gateway.until("health", lambda health: health["configuration"])["configuration"]
    assert since["error"] is None
    status, done = gateway.change("meter", 1, None)
    assert done["changes"] == ["removed meter roof"]
    gateway.until("meters", lambda meters: names(meters) == ["house"])
    assert gateway.file.read_text().startswith('# mine\n[[meter]]\nname = "house"   # under the stairs\n')


def test_a_renamed_meter_keeps_its_account(gateway: Gateway) -> None:
    gateway.until("meters", lambda meters: meters[0]["reading"] and meters[0]["state"] == "live")
    began = gateway.until("meters/house/events?from=2020-01-01T00:00:00Z", lambda found: found)
    version = gateway.ask("GET settings")[1]["version"]
    status, done = gateway.ask("POST settings/rename", {"version": version, "old": "house", "new": "home"})
    assert status == 200, done
    gateway.until("meters", lambda meters: names(meters) == ["home"] and meters[0]["state"] == "live")
    assert gateway.ask("GET meters/house")[0] == 404
    same = gateway.until("meters/home/events?from=2020-01-01T00:00:00Z", lambda found: found)
    assert same[-1] == began[-1]  # the oldest: where counting began
    version = gateway.ask("GET settings")[1]["version"]
    assert gateway.ask("POST settings/rename", {"version": version, "old": "home", "new": "house"})[0] == 200
    gateway.until("meters", lambda meters: names(meters) == ["house"] and meters[0]["state"] == "live")


def test_errors_stand_at_their_fields_and_change_nothing(gateway: Gateway) -> None:
    before = gateway.file.read_text()
    status, problem = gateway.change("meter", 0, {"name": "house", "url": "serail:///dev/ttyUSB0", "pol_s": 2})
    assert (status, problem["type"]) == (422, "/api/v1/problems/invalid")
    assert [(one["where"], one["line"]) for one in problem["errors"]] == [("meter.0.url", 4), ("meter.0.pol_s", 5)]
    assert problem["errors"][1]["hint"] == "did you mean poll_s?"
    assert gateway.change("web", None, {"port": 9999})[1]["detail"].startswith("[web] host and port cannot change")
    assert gateway.ask("PATCH settings", {"version": "x", "changes": []})[0] == 422
    status, problem = gateway.ask("PUT settings/text", {"version": "seen long ago", "text": ""})
    assert (status, problem["type"]) == (409, "/api/v1/problems/conflict")
    assert gateway.file.read_text() == before


def test_only_an_administrator_on_our_own_page_may_change_it(gateway: Gateway) -> None:
    before = gateway.file.read_text()
    for scope in ("read", "adjust"):
        status, made = gateway.ask("POST tokens", {"name": f"for-{scope}", "scope": scope, "days": 1})
        assert status == 201
        bearer = f"Bearer {made['token']}"
        for what in ("GET settings", "GET settings/text", "GET settings/discovery", "GET users", "GET tokens"):
            assert gateway.ask(what, Authorization=bearer)[0] == 403, what
        status, problem = gateway.change("log", None, {"level": "debug"}, Authorization=bearer)
        assert (status, problem["needed_scope"]) == (403, "admin")
        assert gateway.ask(f"DELETE tokens/for-{scope}")[0] == 200
    assert gateway.change("log", None, {"level": "debug"}, Origin="http://evil.example")[0] == 403
    assert gateway.change("log", None, {"level": "debug"}, Sec_Fetch_Site="cross-site")[0] == 403
    assert gateway.file.read_text() == before
    actions = [one["action"] for one in gateway.ask("GET audit")[1]]
    assert "PATCH /api/v1/settings" in actions
    assert "token create" in actions


def test_users_are_made_and_removed_and_their_passwords_stay_secret(gateway: Gateway) -> None:
    anna = {"name": "anna", "scope": "admin", "password": "correct horse battery"}
    assert gateway.ask("POST users", anna | {"password": "short"})[0] == 422
    assert gateway.ask("POST users", anna | {"name": "<b>"})[0] == 422
    assert gateway.ask("POST users", anna)[0] == 201
    assert gateway.ask("POST users", anna)[0] == 409
    assert gateway.ask("POST session", {"user": "anna", "password": anna["password"]})[0] == 200
    assert gateway.ask("PUT users/anna/password", {"password": "another horse battery"})[0] == 200
    assert gateway.ask("POST session", {"user": "anna", "password": anna["password"]})[0] == 401
    users = gateway.ask("GET users")[1]
    assert [(user["name"], user["scope"]) for user in users] == [("anna", "admin")]
    assert "argon2" not in str(users)
    assert gateway.ask("DELETE users/anna")[0] == 200
    assert gateway.ask("DELETE users/anna")[0] == 404
    audit = gateway.ask("GET audit")[1]
    assert {"user add", "user passwd", "user remove"} <= {one["action"] for one in audit}
    assert "horse" not in str(audit)


def test_ports_are_offered_without_being_opened(gateway: Gateway) -> None:
    status, found = gateway.ask("GET settings/discovery")
    assert status == 200
    assert set(found) == {"ports", "hidden", "network", "actions", "problems"}
    assert found["actions"] == []


def test_from_nothing_to_a_first_meter(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, options=("--port", "0", "--no-past"))
    try:
        shown = gateway.ask("GET settings")[1]
        assert (shown["is_there"], shown["simulated"]) == (False, True)
        assert gateway.change("log", None, {"level": "error"})[1]["changes"] == ["log changed"]
        gateway.until("health", lambda health: health["configuration"])
        status, done = gateway.change("meter", None, {"name": "house", "url": "twin://pziot-e01?watts=7&seed=1"})
        assert (status, done["changes"]) == (
            200, ["the demonstration ended", "added meter house", "removed meters twin, roof"]
        )  # fmt: skip
        gateway.until("meters", lambda meters: names(meters) == ["house"] and meters[0]["state"] == "live")
        assert Path(shown["file"]).read_text().startswith("# wattrail: which meters are read")
    finally:
        gateway.stop()


def test_a_gateway_without_a_file_says_so() -> None:
    actions = settings_actions(None)
    with pytest.raises(Exception, match="runs without a configuration file"):
        actions["settings.show"]({})


def test_every_route_of_the_settings_is_for_administrators() -> None:
    routes: Any = settings_router(GatewayCalls(lambda **_: None)).routes
    assert len(routes) >= 9
    assert all(is_declared(route) and declared_scope(route) is Scope.ADMIN for route in routes)
