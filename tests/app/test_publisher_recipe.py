"""The recipe "a publisher is one module" of docs/gateway.md: this file is such a module, and its test."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.gateway.rig import Household, StubMeter
from wattrail.gateway import EntryBooked, EventsLost, MeterChanged, Subscription
from wattrail.ledger import Entry, EntryKind
from wattrail.units import Reading


@dataclass
class Notebook:
    """A consumer that writes down what it receives."""

    entries: list[Entry] = field(default_factory=list)
    latest: dict[str, Reading] = field(default_factory=dict)
    lost: int = 0

    def publish(self, events: Subscription) -> None:
        for event in events:
            match event:
                case EntryBooked(entry=entry):
                    self.entries.append(entry)
                case MeterChanged(view=view) if view.reading is not None:
                    self.latest[view.name] = view.reading
                case EventsLost(count=count):
                    self.lost += count


def test_a_publisher_sees_every_entry_of_an_hour_and_the_latest_reading(tmp_path: Path) -> None:
    house = Household(tmp_path, StubMeter())
    notebook = Notebook()
    events = house.feed.subscribe("notebook")
    publisher = threading.Thread(target=notebook.publish, args=(events,))
    publisher.start()

    house.run(3600)
    house.worker.close()
    last = house.view.reading
    house.feed.end()
    publisher.join(60)

    row = house.store.meter("house")
    assert row is not None
    stored = house.store.entries(row.id)
    assert notebook.entries == list(stored)
    assert sum(entry.kind is EntryKind.COUNTED for entry in stored) >= 60
    assert notebook.latest == {"house": last}
    assert notebook.lost == events.lost == 0
    house.store.close()


def test_a_publisher_that_sleeps_for_the_hour_costs_no_reading(tmp_path: Path) -> None:
    house = Household(tmp_path, StubMeter())
    events = house.feed.subscribe("asleep", max_waiting=10)
    house.run(3600)
    row = house.store.meter("house")
    assert row is not None
    first, *rest = events.take()
    assert isinstance(first, EventsLost)
    told = [event.entry for event in rest if isinstance(event, EntryBooked)]
    assert told == list(house.store.entries(row.id))[-len(told) :], "the newest are kept"
    assert first.count == events.lost > 40
    assert rest[-1] == MeterChanged(view=house.view)
    house.store.close()


def test_the_publisher_of_the_documentation_prints_every_entry(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs/gateway.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n((?:(?!```).)*def publish.*?)```", page, re.DOTALL)
    module: dict[str, object] = {}
    exec(compile(example, "docs/gateway.md", "exec"), module)
    house = Household(tmp_path, StubMeter())
    events = house.feed.subscribe("screen")
    house.run(3600)
    house.feed.end()
    module["publish"](events)  # type: ignore[operator]
    row = house.store.meter("house")
    assert row is not None
    expected = [f"house entry {entry.sequence} {entry.kind}" for entry in house.store.entries(row.id)]
    assert capsys.readouterr().out.splitlines() == [*expected, "house 500.0 W"]
    house.store.close()
