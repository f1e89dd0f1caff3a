"""Home Assistant itself takes our meters, and its statistics agree with the ledger after outages.

Runs where HASS_PYTHON names a Python in which Home Assistant is installed: ``make contract HASS_PYTHON=...``.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.contract.home_assistant import BEGIN, Days, HomeAssistant, home_assistant
from tests.gateway.rig import CALIBRATION
from tests.publish.broker import EVERY, QUICK, publishing
from tests.publish.rig import Site
from tests.sources.conftest import NEEDS_BROKER, Mosquitto, run
from wattrail.ledger import LedgerSlice, registers_at
from wattrail.ledger.intervals import Untimed
from wattrail.publish.home_assistant import HomeAssistantDialect
from wattrail.publish.home_assistant_history import HOUR, whole_hours
from wattrail.publish.home_assistant_history_fill import (
    FilledRegister,
    FillSpan,
    HomeAssistantHistoryPlan,
    fill_history,
)
from wattrail.publish.mqtt import MqttPlan
from wattrail.sources.broker import BrokerAddress
from wattrail.store import open_store
from wattrail.store.outbox import Outbox

PYTHON = os.environ.get("HASS_PYTHON", "")
pytestmark = [
    pytest.mark.skipif(not PYTHON, reason="HASS_PYTHON names no Python with Home Assistant: see make contract"),
    NEEDS_BROKER,
]


@dataclass
class House:
    """A site whose meter Home Assistant knows by MQTT discovery, and a login for its history."""

    site: Site
    app: HomeAssistant
    days: Days
    ledger: LedgerSlice
    entities: tuple[str, str]
    lived_until: datetime = BEGIN

    def fill(self, span: FillSpan | None = None, *, dry_run: bool = False) -> list[FilledRegister]:
        plan = HomeAssistantHistoryPlan(
            url=self.app.url, login="home_assistant", now=lambda: self.lived_until + HOUR / 4
        )
        done = fill_history(plan, self.site.database, ("house",), span or FillSpan(), is_dry_run=dry_run)
        found = list(done)
        assert [one.problem for one in found] == [None, None]
        return found

    def live(self, first: int, last: int) -> None:
        states = self.days.states(self.ledger, self.entities, range(first, last))
        minute = timedelta(minutes=1)
        self.lived_until = BEGIN + last * minute
        self.app.live_through(states, BEGIN + first * minute, self.lived_until)


@pytest.fixture
def app(tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> Iterator[HomeAssistant]:
    with home_assistant(PYTHON, tmp_path / "hass", broker) as running:
        monkeypatch.setenv("WATTRAIL_LOGIN_HOME_ASSISTANT", f":{running.token}")
        yield running


def build(tmp_path: Path, broker: Mosquitto, app: HomeAssistant, days: Days) -> House:
    site = Site(tmp_path, names=())
    with open_store(site.database) as store:
        row = store.register_meter("house", "serial:///dev/ttyUSB0", simulated=False, calibration=CALIBRATION, at=BEGIN)
    site.names = ("house",)
    ledger = days.book(site.database, row.id)
    return House(site, app, days, ledger, run(discovered(site, broker, app)))


async def discovered(site: Site, broker: Mosquitto, app: HomeAssistant) -> tuple[str, str]:
    """Publish until Home Assistant has made both registers of the meter; their entities."""
    address = BrokerAddress("127.0.0.1", broker.port, False, "127.0.0.1")
    plan = MqttPlan(name="home_assistant", address=address, dialect=HomeAssistantDialect(), cadence=EVERY, pacing=QUICK)
    with Outbox(site.database, "home_assistant") as outbox:
        known = outbox.identity("house")
    assert known is not None
    wanted = [f"wattrail_{known.identity}_{way}" for way in ("import", "export")]
    async with publishing(site, plan):
        site.show()
        with app.socket() as socket:
            until = time.monotonic() + 30
            while not set(wanted) <= socket.entities().keys():
                assert time.monotonic() < until, "Home Assistant made no entities"
                await asyncio.sleep(0)
            found = socket.entities()
    return found[wanted[0]], found[wanted[1]]


def differences(house: House) -> list[int]:
    """By how many watt-hours the hours between two moments of the ledger differ, where Home Assistant was away."""
    untimed = Untimed(house.ledger)
    away = house.days.consumer_away
    out = []
    with house.app.socket() as socket:
        for entity, way in zip(house.entities, ("import_", "export"), strict=True):
            rows = socket.rows(entity, BEGIN, house.lived_until)
            hours = whole_hours(BEGIN, house.lived_until)
            register = {point.at: getattr(point.total, way) for point in registers_at(house.ledger, hours)}
            last = None
            for start in hours[:-1]:
                minute = (start + HOUR - BEGIN) // timedelta(minutes=1)
                if untimed.touches(start + HOUR, start + HOUR) or not {minute - 4, minute - 3, minute - 2} <= away:
                    continue
                row = rows[start]
                assert row.sum_mwh is not None
                shown = register[start + HOUR].__floor__() // 1000
                if last is not None:
                    out.append(row.sum_mwh // 1000 - last[0] - (shown - last[1]))
                last = (row.sum_mwh // 1000, shown)
    return out


def test_fifty_outages_leave_no_difference(tmp_path: Path, broker: Mosquitto, app: HomeAssistant) -> None:
    days = Days(days=14, seed=7, outages=50)
    house = build(tmp_path, broker, app, days)
    house.live(0, 13 * 1440)

    first = house.fill()
    assert all(one.plan.found.missing > 20 and one.plan.found.wrong > 5 for one in first)
    assert all(one.plan.adjust_from is None for one in first)
    assert len(differences(house)) > 40
    assert set(differences(house)) == {0}
    assert all(one.plan.is_empty for one in house.fill())

    house.live(13 * 1440, 14 * 1440)  # its own statistics go on, and fit what was filled
    assert all(one.plan.adjust_from is None for one in house.fill())
    assert all(one.plan.is_empty for one in house.fill())
