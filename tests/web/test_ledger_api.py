"""The ledger over a real server, with the gateway's own actions behind it: a typo, its reversal, proofs, two tabs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.store.rig import CALIBRATION
from tests.web.access_rig import Site, visit
from tests.web.test_history_api import TARIFF
from wattrail.access import Scope
from wattrail.app.calibration_actions import CalibrationActions
from wattrail.app.page_actions import ledger_actions
from wattrail.app.tariff_file import parse_tariff
from wattrail.clock import SystemClock
from wattrail.gateway import Feed, MeterView
from wattrail.ledger import Entry, EntryKind
from wattrail.store import open_store, open_to_read
from wattrail.web import Setup, WebProcess, bind

START = datetime(2026, 10, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def live(path: Path) -> None:
    """Two days of 540 counts an hour; of the third hour nobody knows the direction."""
    with open_store(path) as store:
        meter_id = store.register_meter("house", "twin://x", simulated=True, calibration=CALIBRATION, at=START).id
        entries = [Entry(sequence=1, kind=EntryKind.START, start=START, end=START, epoch=1, count=0)]
        for hour in range(48):
            start = entries[-1].end
            is_gap = hour == 2
            entries.append(
                Entry(
                    sequence=len(entries) + 1, kind=EntryKind.GAP if is_gap else EntryKind.COUNTED, start=start,
                    end=start + HOUR, epoch=1, count=540 * (hour + 1), elapsed_us=3_600_000_000,
                    positive=0 if is_gap else 540, undirected=540 if is_gap else 0,
                    note="nobody watched <b>that</b>" if is_gap else "", readings=0 if is_gap else 3600,
                )
            )  # fmt: skip
        store.book(meter_id, entries)


@dataclass
class House:
    """A page, and what it is asked."""

    address: str
    path: Path

    def send(self, method: str, what: str, body: object = None, **headers: str) -> tuple[int, Any]:
        connection = HTTPConnection(urlsplit(self.address).netloc, timeout=60)
        content = None if body is None else json.dumps(body)
        try:
            path = f"/api/v1/meters/house/{what}"
            connection.request(method, path, content, {"content-type": "application/json", **headers})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def get(self, what: str) -> Any:
        status, answer = self.send("GET", what)
        assert status == 200, answer
        return answer

    def state(self, number: int, kind: str = "adjustment", **more: object) -> tuple[int, Any]:
        return self.send("POST", "ledger/manual", {"number": number, "kind": kind, "reason": "fuse", **more})


@contextmanager
def served_house(folder: Path) -> Iterator[House]:
    path = folder / "w.sqlite"
    live(path)
    feed, ready = Feed(), threading.Event()
    feed.publish(MeterView(name="house", url="twin://x", simulated=True))
    tariffs = {"two rates": parse_tariff(TARIFF, "tariff.toml")}
    setup = Setup(database=path, zone="Europe/Berlin", tariffs=tariffs)
    with open_store(path) as store, bind(port=0) as listener:
        actions = {**ledger_actions(store, feed.now), **CalibrationActions(store, feed, lambda _names: ()).actions()}
        page = WebProcess(feed, setup, listener, on_ready=lambda _: ready.set(), actions=actions)
        assert ready.wait(60)
        yield House(page.address, path)
        page.stop()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with served_house(tmp_path) as house:
        yield house


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """For those who look, and for those who are refused: one page serves them all."""
    with served_house(tmp_path_factory.mktemp("untouched")) as house:
        yield house


def test_what_the_preview_shows_is_what_is_kept(house: House) -> None:
    shown = house.get("ledger/preview?kind=adjustment&import_kwh=12.345678&export_kwh=0.5")
    assert shown["number"] == 1
    assert shown["after"]["import_wh"] - shown["before"]["import_wh"] == pytest.approx(12345.678)
    assert [period["by"] for period in shown["periods"]] == ["day", "month"]
    status, kept = house.state(shown["number"], import_kwh="12.345678", export_kwh="0.5", who="ada")
    assert (status, kept["who"], kept["reason"]) == (201, "ada", "fuse")
    ledger = house.get("ledger")
    assert ledger["registers"] == shown["after"]
    day = shown["periods"][0]
    answer = house.get(f"energy?by=day&from={day['label']}")
    assert answer["periods"][0]["import_wh"] == day["after"]["import_wh"] == pytest.approx(12345.678)
    assert ledger["simulated"] is kept["simulated"] is True


def test_a_double_click_books_once(house: House) -> None:
    answers: list[tuple[int, Any]] = []
    clicks = [threading.Thread(target=lambda: answers.append(house.state(1, import_kwh="5"))) for _ in range(2)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join(60)
    assert [status for status, _ in answers] == [201, 201]
    assert answers[0][1] == answers[1][1]
    assert len(house.get("ledger")["manual"]) == 1


def test_the_second_of_two_tabs_sees_what_the_first_stated(house: House) -> None:
    assert house.state(1, import_kwh="5", who="ada")[0] == 201
    status, problem = house.state(1, import_kwh="7")
    assert (status, problem["type"]) == (409, "/api/v1/problems/conflict")
    assert problem["detail"] == "manual entry 1 is another one, which ada stated meanwhile: fuse"
    assert house.state(3, import_kwh="7")[0] == 409
    assert len(house.get("ledger")["manual"]) == 1


def test_a_typo_is_reversed_and_the_bill_is_as_before(house: House) -> None:
    costs = f"costs?from={SystemClock().now():%Y-%m}-01"
    bill, day = house.get(costs), house.get("energy?by=day&from=2026-10-01&to=2026-10-03")
    assert house.state(1, import_kwh="1000")[0] == 201
    assert house.get(costs)["bills"][0]["import_wh"] - bill["bills"][0]["import_wh"] == pytest.approx(1e6)
    shown = house.get("ledger/preview?kind=reversal&about=1")
    assert shown["after"] == shown["before"]  # the register stands
    assert shown["left_after"]["import_wh"] == 1e6
    change = shown["periods"][0]
    assert change["before"]["import_wh"] - change["after"]["import_wh"] == pytest.approx(1e6)
    assert house.state(2, "reversal", about=1, reason="10, not 1000")[0] == 201
    assert house.get(costs) == bill
    assert house.get("energy?by=day&from=2026-10-01&to=2026-10-03") == day
    newest, first = house.get("ledger")["manual"]
    assert (first["reversed_by"], first["is_reversible"], newest["is_reversible"]) == (2, False, False)
    status, problem = house.state(3, "reversal", about=2)
    assert (status, problem["detail"]) == (422, "manual entry 2 is a reversal itself")
    with open_to_read(house.path) as reader:
        assert reader.broken_links(1) == ()


def test_a_gap_says_why_and_gets_a_direction(house: House) -> None:
    (gap,) = house.get("ledger/entries?kind=gap")
    assert (gap["number"], gap["note"], gap["simulated"]) == (4, "nobody watched <b>that</b>", True)
    one = house.get("ledger/entries/4")
    assert (one["evidence"]["counter_before"], one["evidence"]["counter"]) == ([1080], [1620])
    assert (one["evidence"]["elapsed_s"], one["left_undirected"]) == (3600.0, 540)
    (open_one,) = house.get("ledger")["assignable"]
    assert (open_one["number"], open_one["undirected_wh"]) == (4, gap["undirected_wh"])
    assert house.state(1, "direction", about=4, direction="import")[0] == 201
    assert house.get("ledger")["assignable"] == []
    assert house.state(2, "direction", about=4, direction="export")[0] == 422


def test_entries_come_in_pages_by_kind_and_by_day(untouched: House) -> None:
    numbers: list[int] = []
    before = ""
    while page := untouched.get(f"ledger/entries?limit=20{before}"):
        numbers += [entry["number"] for entry in page]
        before = f"&before={numbers[-1]}"
    assert numbers == list(range(49, 0, -1))
    assert len(untouched.get("ledger/entries?from=2026-10-02&to=2026-10-03&limit=500")) == 24
    assert [entry["kind"] for entry in untouched.get("ledger/entries?kind=remarkable")] == ["gap", "start"]
    counted = untouched.get("ledger/entries?kind=counted&limit=2")
    assert [(entry["number"], entry["meaning"]) for entry in counted] == [(49, "counted"), (48, "counted")]
    assert untouched.send("GET", "ledger/entries/50")[0] == 404


def test_a_verification_finds_what_was_altered(house: House) -> None:
    assert house.get("ledger/verification")["state"] == "none"
    assert proof(house)["findings"] == []
    with open_store(house.path) as store, store._transaction() as cursor:
        cursor.execute("DROP TRIGGER entry_is_never_edited")
        cursor.execute("UPDATE entry SET positive = 541 WHERE sequence = 9")
    found = proof(house)
    assert (found["state"], found["entries"]) == ("done", 49)
    assert found["findings"][0]["text"] == "entry 9: its content is altered, should be what was written"


def proof(house: House) -> Any:
    status, _ = house.send("POST", "ledger/verification")
    assert status == 202
    until = SystemClock().monotonic() + 60
    while (answer := house.get("ledger/verification"))["state"] == "running":
        assert SystemClock().monotonic() < until
    return answer


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"kind": "adjustment", "import_kwh": "-1"}, "the import register would fall by 1 kWh"),
        ({"kind": "adjustment"}, "an adjustment of nothing"),
        ({"kind": "adjustment", "import_kwh": "0.0000001"}, "finer than a milliwatt-hour"),
        ({"kind": "direction", "about": 4}, "no direction was given"),
        ({"kind": "reset"}, "a reset is stated for registers of class A only"),
        ({"kind": "reversal", "about": 9}, "there is no manual entry 9"),
        ({"kind": "adjustment", "import_kwh": "1", "reason": " "}, "no reason was given"),
    ],
)
def test_what_cannot_be_stated_says_why(untouched: House, body: dict[str, object], says: str) -> None:
    status, problem = untouched.send("POST", "ledger/manual", {"number": 1, "reason": "x", **body})
    assert status == 422
    assert says in problem["detail"] + problem["hint"]
    assert untouched.get("ledger")["manual"] == []


def test_a_page_from_elsewhere_states_nothing(untouched: House) -> None:
    body = {"number": 1, "kind": "adjustment", "import_kwh": "1", "reason": "x"}
    status, problem = untouched.send("POST", "ledger/manual", body, **{"sec-fetch-site": "cross-site"})
    assert (status, problem["type"]) == (403, "/api/v1/problems/foreign-request")
    assert untouched.get("ledger")["manual"] == []


def test_a_reader_may_look_and_not_state(tmp_path: Path, quick_passwords: None) -> None:
    async def story(site: Site) -> None:
        token = site.token("wall", Scope.READ)
        body = {"number": 1, "kind": "adjustment", "import_kwh": "1", "reason": "x"}
        for what in ("manual", "verification"):
            path = f"POST /api/v1/meters/house/ledger/{what}"
            answer = await site.ask(path, body, Authorization=f"Bearer {token}")
            assert (answer.status, answer.json["needed_scope"]) == (403, "adjust")
        assert site.audit()[0].action == "POST /api/v1/meters/house/ledger/verification"

    visit(Site(tmp_path), story, elsewhere=True)
