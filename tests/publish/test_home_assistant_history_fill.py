"""The fill beside a stub of Home Assistant: logins, units, the publisher, the command. The real one: tests/contract."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest

from tests.contract.home_assistant import BEGIN, Days
from tests.gateway.rig import CALIBRATION
from tests.publish.broker import server_tls
from tests.publish.home_assistant_stub import TOKEN, HomeAssistantStub, serving
from tests.publish.rig import Site
from wattrail.cli.main import main
from wattrail.errors import AccessDenied, PortOpenError
from wattrail.publish import PublisherStatus
from wattrail.publish.home_assistant_history import HOUR
from wattrail.publish.home_assistant_history_fill import (
    FilledRegister,
    FillSpan,
    HistoryPacing,
    HomeAssistantHistoryPlan,
    fill_history,
)
from wattrail.store import open_store
from wattrail.store.outbox import Outbox

QUICK = HistoryPacing(tick_s=0.02, first_retry_s=0.02, poll_s=0.0)
DEADLINE_S = 60.0


@dataclass
class House:
    """A site with two days in its ledger, of which Home Assistant has the first hour."""

    site: Site
    stub: HomeAssistantStub
    end: datetime

    def plan(self, url: str | None = None) -> HomeAssistantHistoryPlan:
        return HomeAssistantHistoryPlan(
            url=url or self.stub.url, login="home_assistant", pacing=QUICK, now=lambda: self.end + HOUR / 4
        )

    def fill(self, *, dry_run: bool = False) -> list[FilledRegister]:
        return list(fill_history(self.plan(), self.site.database, ("house",), FillSpan(), is_dry_run=dry_run))


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("WATTRAIL_LOGIN_HOME_ASSISTANT", f":{TOKEN}")
    site, days = Site(tmp_path, names=()), Days(days=2, seed=1, outages=0)
    with open_store(site.database) as store:
        row = store.register_meter("house", "serial:///dev/ttyUSB0", simulated=False, calibration=CALIBRATION, at=BEGIN)
    days.book(site.database, row.id)
    site.names = ("house",)
    with Outbox(site.database, "home_assistant") as outbox:
        known = outbox.identity("house")
    assert known is not None
    ids = {f"wattrail_{known.identity}_{way}": f"sensor.{way}" for way in ("import", "export")}
    stub = HomeAssistantStub(entities=ids, hours={name: {BEGIN.timestamp(): (0.0, 0.0)} for name in ids.values()})
    with serving(stub):
        yield House(site, stub, days.end)


def test_every_hour_is_filled_and_a_second_fill_changes_nothing(house: House) -> None:
    assert [len(one.plan.rows) for one in house.fill(dry_run=True)] == [48, 48]
    assert house.stub.imports == []
    assert [len(one.plan.rows) for one in house.fill()] == [48, 48]
    assert [len(hours) for hours in house.stub.hours.values()] == [48, 48]
    sent = len(house.stub.imports)
    assert all(one.plan.is_empty for one in house.fill())
    assert len(house.stub.imports) == sent


@pytest.mark.parametrize(
    ("version", "fields"),
    [("2025.4.4", {"has_mean": False}), ("2026.11.0b1", {"mean_type": 0, "unit_class": "energy"})],
)
def test_each_version_gets_the_fields_that_it_takes(house: House, version: str, fields: dict[str, object]) -> None:
    house.stub.version = version
    house.fill()
    metadata = house.stub.imports[0]["metadata"]
    common = {"has_sum": True, "name": None, "source": "recorder", "unit_of_measurement": "kWh"}
    assert metadata == {**fields, **common, "statistic_id": "sensor.import"}


def test_statistics_in_watt_hours_stay_in_watt_hours(house: House) -> None:
    house.stub.unit = "Wh"
    house.fill()
    assert house.stub.imports[0]["metadata"]["unit_of_measurement"] == "Wh"
    assert all(one.plan.is_empty for one in house.fill())


def test_statistics_in_another_unit_are_left_alone_with_the_reason(house: House) -> None:
    house.stub.unit = "GJ"
    assert [one.problem is not None and "'GJ'" in one.problem for one in house.fill()] == [True, True]
    assert house.stub.imports == []


def test_a_meter_that_has_no_entity_is_named(house: House) -> None:
    house.stub.entities.clear()
    assert [one.problem for one in house.fill()] == ["Home Assistant has no entity of it yet"] * 2


def test_a_token_that_is_wrong_or_missing_is_never_shown(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTRAIL_LOGIN_HOME_ASSISTANT", ":a-wrong-token")
    with pytest.raises(AccessDenied, match="refuses the token") as refused:
        house.fill()
    assert "a-wrong-token" not in f"{refused.value}{refused.value.hint}"
    monkeypatch.delenv("WATTRAIL_LOGIN_HOME_ASSISTANT")
    with pytest.raises(AccessDenied, match="no token is stored"):
        house.fill()


def test_the_token_of_no_administrator_is_refused_with_the_remedy(house: House) -> None:
    house.stub.is_admin = False
    with pytest.raises(AccessDenied) as refused:
        house.fill()
    assert refused.value.hint is not None
    assert "administrator" in refused.value.hint


def test_a_home_assistant_of_an_own_authority_needs_ca_file(house: House, tmp_path: Path) -> None:
    stub = HomeAssistantStub(entities=house.stub.entities, hours=house.stub.hours)
    with serving(stub, tls=server_tls(tmp_path)):
        plan = house.plan(f"https://127.0.0.1:{stub.port}")
        with pytest.raises(AccessDenied, match="its certificate is not trusted") as refused:
            list(fill_history(plan, house.site.database, ("house",), FillSpan()))
        assert "ca_file" in str(refused.value.hint)
        plan = replace(plan, ca_file=tmp_path / "ca.pem")
        done = list(fill_history(plan, house.site.database, ("house",), FillSpan()))
    assert [len(one.plan.rows) for one in done] == [48, 48]


def test_where_nobody_listens_the_address_is_named(house: House) -> None:
    plan = house.plan("http://127.0.0.1:9")
    with pytest.raises(PortOpenError, match=r"127\.0\.0\.1:9: cannot connect"):
        list(fill_history(plan, house.site.database, ("house",), FillSpan()))


def test_the_publisher_fills_by_itself_and_says_so(house: House) -> None:
    plan = house.plan()
    house.site.board.add(plan.name, plan.target)
    publish, events = plan.publisher(house.site.context()), house.site.feed.subscribe(plan.name)
    running = threading.Thread(target=publish, args=(events,))
    running.start()
    assert house.stub.was_asked.wait(DEADLINE_S)
    while house.site.state(plan.name).sent_at is None:
        assert running.is_alive()
    events.end()
    running.join(DEADLINE_S)
    assert not running.is_alive()
    assert house.site.state(plan.name).status is PublisherStatus.LIVE
    assert [len(hours) for hours in house.stub.hours.values()] == [48, 48]


def test_the_publisher_says_that_home_assistant_is_away(house: House) -> None:
    plan = house.plan("http://127.0.0.1:9")
    house.site.board.add(plan.name, plan.target)
    publish, events = plan.publisher(house.site.context()), house.site.feed.subscribe(plan.name)
    running = threading.Thread(target=publish, args=(events,))
    running.start()
    while house.site.state(plan.name).status is PublisherStatus.CONNECTING:
        assert running.is_alive()
    events.end()
    running.join(DEADLINE_S)
    assert house.site.state(plan.name).status is PublisherStatus.AWAY


def configuration(house: House, tmp_path: Path) -> str:
    file = tmp_path / "wattrail.toml"
    file.write_text(
        f'[[meter]]\nname = "house"\nurl = "serial:///dev/ttyUSB0"\n[store]\npath = "{house.site.database}"\n'
        f'[publish.home_assistant]\nbroker = "mqtt://127.0.0.1"\n'
        f'[publish.home_assistant_history]\nurl = "{house.stub.url}"\n',
        encoding="utf-8",
    )
    return str(file)


def test_the_command_says_what_it_would_do_then_does_it(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["publish", "backfill", "--config", configuration(house, tmp_path)]
    assert main([*command, "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert "nothing is written" in shown.err
    assert "house import, sensor.import: 47 hours missing, 1 wrong, 48 to write" in shown.out
    assert house.stub.imports == []
    assert main(command) == 0
    capsys.readouterr()
    assert main([*command, "--json"]) == 0
    assert [one["hours"] for one in json.loads(capsys.readouterr().out)] == [[], []]


def test_the_command_takes_a_span_and_refuses_nonsense(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["publish", "backfill", "--config", configuration(house, tmp_path)]
    assert main([*command, "--from", "2026-11-03T00:00+00:00", "--to", "2026-11-03T05:00+00:00", "--json"]) == 0
    hours = [one["hours"] for one in json.loads(capsys.readouterr().out)]
    assert [(len(some), some[0], some[-1]) for some in hours] == [
        (5, "2026-11-03T00:00:00Z", "2026-11-03T04:00:00Z")
    ] * 2
    assert main([*command, "--meter", "hose"]) == 2
    assert "no meter is named 'hose'" in capsys.readouterr().err
    assert main([*command, "--from", "2026-11-05", "--to", "2026-11-03"]) == 2


def test_the_command_names_the_table_that_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "wattrail.toml"
    file.write_text('[[meter]]\nname = "house"\nurl = "twin://pziot-e01"\n', encoding="utf-8")
    assert main(["publish", "backfill", "--config", str(file)]) == 2
    assert "[publish.home_assistant_history]" in capsys.readouterr().err
