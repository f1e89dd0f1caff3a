"""Home Assistant itself, started from a Python in which it is installed, beside a ledger with outages.

``make test`` installs 2024.3 for this, the last one for Python 3.11, beside the tests' own environment. HASS_PYTHON
names the Python of any other.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.sources.conftest import Mosquitto, _free_port
from wattrail.ledger import Entry, EntryKind, LedgerSlice, registers_at
from wattrail.publish.home_assistant_history_socket import HomeAssistantSocket, open_home_assistant
from wattrail.store import open_store, open_to_read

PYTHON = os.environ.get("HASS_PYTHON") or f"{sys.prefix}/hass/bin/python"
NEEDS_HOME_ASSISTANT = pytest.mark.skipif(
    not Path(PYTHON).exists(),
    reason="there is no Home Assistant: make test installs it, or HASS_PYTHON names one",
)
DRIVER = Path(__file__).with_name("home_assistant_driver.py")
MINUTE, FIVE = timedelta(minutes=1), timedelta(minutes=5)
BEGIN = datetime(2026, 11, 2, tzinfo=UTC)

CONFIGURATION = """\
homeassistant: {{time_zone: UTC}}
http: {{server_host: 127.0.0.1, server_port: {port}}}
recorder: {{commit_interval: 0, auto_purge: false}}
config:
energy:
"""


@dataclass
class HomeAssistant:
    """A process that runs, and its administrator's token."""

    process: subprocess.Popen[str]
    url: str
    token: str
    version: str
    log: Path

    @property
    def reads_devices(self) -> bool:
        """Whether it reads announcements of whole devices; before 2024.11 each entity needs one of its own."""
        return tuple(map(int, self.version.split(".")[:2])) >= (2024, 11)

    def live_through(self, states: Sequence[tuple[str, str, float]], begin: datetime, end: datetime) -> None:
        """Get states at their times, and make the statistics of every five minutes from one moment to another."""
        fives = [(begin + number * FIVE).timestamp() for number in range((end - begin) // FIVE)]
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"states": states, "compile": fives}) + "\n")
        self.process.stdin.flush()
        assert _said(self.process) == {"done": True}

    @contextmanager
    def socket(self) -> Iterator[HomeAssistantSocket]:
        with open_home_assistant(self.url, self.token) as socket:
            yield socket

    def command(self, type_: str, **fields: object) -> Any:
        with self.socket() as socket:
            return socket._command(type_, **fields)


@contextmanager
def home_assistant(folder: Path, broker: Mosquitto) -> Iterator[HomeAssistant]:
    """Home Assistant on a free port of loopback, at a broker, with nothing in its database."""
    port = _free_port()
    folder.mkdir()
    (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=port), encoding="utf-8")
    with (folder / "stderr.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [PYTHON, str(DRIVER), str(folder), str(broker.port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    try:
        ready = _said(process)
        assert ready["mqtt"] == "create_entry"
        url, log = f"http://127.0.0.1:{port}", folder / "stderr.log"
        yield HomeAssistant(process, url, ready["token"], ready["version"], log)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


def _said(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("DRIVER "):
            content: dict[str, Any] = json.loads(line.removeprefix("DRIVER "))
            return content
    raise AssertionError(f"Home Assistant ended with {process.wait()}; its log is stderr.log in its folder")


@dataclass
class Days:
    """Days of a meter by the minute, and who was away in which minute: the gateway, or Home Assistant or its broker."""

    days: int
    seed: int
    outages: int
    gateway_away: set[int] = field(default_factory=set)
    consumer_away: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)
        self.counts = [(chance.choice((0, 5, 40, 400)), chance.choice((0, 0, 90))) for _ in range(self.days * 1440)]
        for number in range(self.outages):
            first = chance.randrange(60, len(self.counts) - 1700)
            away = self.gateway_away if number % 3 == 0 else self.consumer_away
            away.update(range(first, first + chance.choice((3, 20, 70, 200, 400, 1500))))

    @property
    def end(self) -> datetime:
        return BEGIN + self.days * 1440 * MINUTE

    def book(self, database: Path, meter_id: int) -> LedgerSlice:
        """Store the ledger of these days; an outage of the gateway is a gap."""
        with open_store(database) as store:
            store.book(meter_id, list(self._entries()))
        with open_to_read(database) as reader:
            return reader.ledger_slice(meter_id)

    def _entries(self) -> Iterator[Entry]:
        last = Entry(sequence=1, kind=EntryKind.START, start=BEGIN, end=BEGIN, epoch=1, count=0)
        yield last
        positive = negative = 0
        for minute, (more, back) in enumerate(self.counts):
            positive, negative = positive + more, negative + back
            if minute in self.gateway_away and minute + 1 < len(self.counts):
                continue
            end = BEGIN + (minute + 1) * MINUTE
            is_gap = end - last.end > MINUTE
            last = Entry(
                sequence=last.sequence + 1, kind=EntryKind.GAP if is_gap else EntryKind.COUNTED, start=last.end,
                end=end, epoch=1, count=(last.count + positive + negative) % (1 << 24), positive=positive,
                negative=negative, elapsed_us=(end - last.end) // timedelta(microseconds=1), readings=not is_gap,
            )  # fmt: skip
            positive = negative = 0
            yield last

    def states(self, ledger: LedgerSlice, entities: tuple[str, str], minutes: range) -> list[tuple[str, str, float]]:
        """What Home Assistant gets: both registers five seconds after each minute, while nobody is away."""
        moments = [minute for minute in minutes if minute not in self.gateway_away | self.consumer_away]
        states = []
        for point in registers_at(ledger, [BEGIN + minute * MINUTE for minute in moments]):
            at = (point.at + timedelta(seconds=5)).timestamp()
            total = point.total.rounded_down()
            for entity, mwh in zip(entities, (total.import_mwh, total.export_mwh), strict=True):
                states.append((entity, str(mwh // 1000 / 1000), at))
        return states
