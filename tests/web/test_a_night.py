"""A page that is left open for a night: midnight passes, the stream breaks, and the page grows no larger."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect

from tests.store.rig import CALIBRATION
from wattrail.clock import ManualClock
from wattrail.gateway import Feed, MeterState, MeterView
from wattrail.ledger import Entry, EntryKind
from wattrail.store import Store, open_store
from wattrail.units import Quantities, Reading
from wattrail.web import Setup, bind
from wattrail.web.app import build_app, meters_json
from wattrail.web.child import server_config
from wattrail.web.events import Broadcast
from wattrail.web.waveform import Waveforms

pytestmark = pytest.mark.browser

BERLIN = ZoneInfo("Europe/Berlin")
EVENING = datetime(2026, 6, 20, 21, 40, tzinfo=UTC)
"""Twenty to twelve in Berlin, on the shortest night."""

STEP = timedelta(minutes=10)
STEPS = 48
"""Eight hours."""

WH_PER_COUNT = 0.3398
"""Of the calibration of the rig."""

Measured = dict[str, float]


class Night:
    """A page served in a thread, over a ledger and readings that follow a manual clock."""

    def __init__(self, store: Store) -> None:
        self.clock = ManualClock(EVENING)
        self._store = store
        self._meter = store.register_meter("house", "tcp://x", simulated=False, calibration=CALIBRATION, at=EVENING).id
        self._entries = [self._entry(1, EVENING - timedelta(days=1), EVENING - timedelta(days=1), EntryKind.START, 0)]
        self._entries.append(self._entry(2, self._entries[0].end, EVENING, EntryKind.COUNTED, 10_000))
        store.book(self._meter, self._entries)
        self._feed = Feed(self.clock)
        self._show()
        self._loop, self._ready = asyncio.new_event_loop(), threading.Event()
        self._stop = asyncio.Event()
        self.address = ""
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(30)

    def pass_(self, span: timedelta) -> None:
        """Time passes: one entry is booked, and one reading arrives."""
        start = self.clock.now()
        self.clock.advance(span.total_seconds())
        self._entries.append(self._entry(len(self._entries) + 1, start, self.clock.now(), EntryKind.COUNTED, 100))
        self._store.book(self._meter, self._entries[-1:])
        self._loop.call_soon_threadsafe(self._show)

    def break_streams(self) -> None:
        self._loop.call_soon_threadsafe(self._broadcast.close)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self._loop.close()

    def _entry(self, number: int, start: datetime, end: datetime, kind: EntryKind, counts: int) -> Entry:
        elapsed_us = (end - start) // timedelta(microseconds=1)
        return Entry(
            sequence=number, kind=kind, start=start, end=end, epoch=1, count=0, positive=counts, elapsed_us=elapsed_us
        )

    def _show(self) -> None:
        at = self.clock.now()
        sample = Quantities(volts=230.0, amps=1.0, watts=400.0 + at.minute, hertz=50.0, power_factor=1.0)
        reading = Reading(at=at, monotonic=self.clock.monotonic(), sample=sample)
        self._feed.publish(
            MeterView(
                name="house", url="tcp://x", simulated=False, poll_s=600.0, state=MeterState.LIVE, reading=reading
            )
        )

    async def _serve(self) -> None:
        self._broadcast = Broadcast(self._feed, meters_json)
        setup = Setup(database=self._store.path, zone="Europe/Berlin", grid="house")
        app = build_app(self._feed, setup, self._broadcast, Waveforms(lambda _name: None), clock=self.clock)
        server = uvicorn.Server(server_config(app))
        with bind(port=0) as listener:
            self.address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            tasks = [asyncio.create_task(server._serve([listener])), asyncio.create_task(self._broadcast.run())]
            tasks.append(asyncio.create_task(self._beat()))
            self._ready.set()
            await self._stop.wait()
            server.should_exit = True
            self._broadcast.close()
            await tasks[0]
            for task in tasks[1:]:
                task.cancel()

    async def _beat(self) -> None:
        """The gateway runs, as its lines say."""
        while True:
            self._broadcast.gateway_heard()
            await asyncio.sleep(0.5)


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    with open_store(tmp_path / "night.sqlite", zone=BERLIN) as store:
        made = Night(store)
        yield made
        made.stop()


def measured(page: Page) -> Measured:
    """Nodes, listeners and bytes of the page, after its garbage was collected."""
    wire = page.context.new_cdp_session(page)
    wire.send("Performance.enable")
    wire.send("HeapProfiler.collectGarbage")
    found = {one["name"]: one["value"] for one in wire.send("Performance.getMetrics")["metrics"]}
    wire.detach()
    return {name: found[name] for name in ("Nodes", "JSEventListeners", "JSHeapUsedSize")}


def imported(step: int) -> str:
    """What the page says was imported today after a step: two are of the evening, the others follow midnight."""
    from_midnight = 0.1 * WH_PER_COUNT * (step - 1)
    return f"{from_midnight:.2f}" if step else "3.38"


def test_midnight_passes_and_the_page_grows_no_larger(night: Night, browser: Browser) -> None:
    context = browser.new_context(locale="en-GB", timezone_id="America/New_York", reduced_motion="reduce")
    page = context.new_page()
    page.clock.install(time=EVENING)
    page.goto(night.address)
    used = page.locator("#now .used .value")
    expect(used).to_have_text("3.35")  # 10,000 counts of 0.3398 Wh in 24 h, of which 23:40 are of this day
    state = page.get_by_role("article", name="Meter house").locator(".state-word")
    page.clock.run_for(2000)
    expect(state).to_have_text("Live")

    before: Measured = {}
    for step in range(STEPS):
        night.pass_(STEP)
        page.clock.fast_forward(STEP.total_seconds() * 1000)  # each timer that is due rings once
        expect(used).to_have_text(imported(step))  # drawn: only then is the next timer set
        if step == 5:  # an hour, as much as the chart keeps
            before = measured(page)
        if step == 20:
            night.break_streams()
    with page.expect_response("**/events"):  # the stream that broke was opened again
        night.break_streams()
        expect(state).to_have_text("No connection")
        page.clock.run_for(3000)
    expect(state).to_have_text("Live")
    after = measured(page)
    assert after["Nodes"] <= before["Nodes"] * 1.2 + 100
    assert after["JSEventListeners"] <= before["JSEventListeners"] + 10
    assert after["JSHeapUsedSize"] <= before["JSHeapUsedSize"] * 1.3 + 500_000
    points = page.evaluate("wattrail.points('house').length")
    assert points <= 720
    context.close()
