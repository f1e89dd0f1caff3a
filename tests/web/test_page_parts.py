"""The parts of the page's process: messages, the one stream of events, and the history out of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.gateway.rig import CALIBRATION
from wattrail.chips import BL0942
from wattrail.clock import ManualClock
from wattrail.energy_register import BootEvidence, Freshness, RegisterCount
from wattrail.gateway import Feed, MeterState, MeterView, UnstoredReadings
from wattrail.gateway.account import observation
from wattrail.ledger import Totals
from wattrail.network_meters.link_health import LinkDay
from wattrail.store import open_store
from wattrail.units import PlainSample, Quantities, Reading
from wattrail.web import events
from wattrail.web.api import UnstoredJson, api_router
from wattrail.web.events import Broadcast, TooManyStreams
from wattrail.web.limits import MAX_STREAMS
from wattrail.web.messages import Setup, decode_line, encode_views, view_from_message
from wattrail.web.series_api import PowerHistory
from wattrail.web.waveform import Waveforms

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
READING = Reading(
    at=NOON, monotonic=7.5,
    sample=PlainSample(Quantities(volts=230.1, amps=2.0, watts=-460.0), {"cf_cnt": 5, "watt": -9, "status": 1}),
    calibration=CALIBRATION, registers=(RegisterCount(BL0942.energy_register(CALIBRATION), 5),),
    evidence=BootEvidence(is_reset=True), freshness=Freshness.RETAINED, exchanges=2, simulated=True,
)  # fmt: skip
VIEW = MeterView(
    name="house", url="tcp://10.0.0.1:8888", simulated=True, poll_s=0.5, state=MeterState.STALE, error="gone\n",
    hint="look", retry_at=NOON, reading=READING, today=Totals(1, 2, 3), total=Totals(4, 5, 6),
    notice="the clock jumped", scale="assumed", silence_s=60.0,
    link=LinkDay(day=NOON.date(), readings=3, signal_min=-81.0, signal_sum=-160.5, signals=2), advice=("range: …",),
    has_waveform=True,
    unstored=UnstoredReadings(count=42, dropped=7, since=NOON, error="the disk is full", hint="free some space"),
)  # fmt: skip


def test_the_view_above_has_a_value_in_every_field() -> None:
    """A field that is added and not carried over must fail the next test, not pass it with its default."""
    assert [field.name for field in fields(VIEW) if getattr(VIEW, field.name) is None] == []


@pytest.mark.parametrize("view", [VIEW, MeterView(name="new", url="twin://x", simulated=False)])
def test_a_view_is_the_same_on_both_sides_of_the_channel(view: MeterView) -> None:
    line = encode_views([view])
    assert line.count(b"\n") == 1
    (message,) = decode_line(line)["views"]
    assert view_from_message(message) == view


def test_health_says_what_waits_for_the_database() -> None:
    feed = Feed(ManualClock(NOON))
    feed.publish(MeterView(name="attic", url="twin://x", simulated=True, state=MeterState.LIVE))
    assert health_of(feed) == ("ok", None)
    feed.publish(replace(VIEW, state=MeterState.LIVE, reading=None))
    feed.publish(replace(VIEW, name="barn", state=MeterState.LIVE, reading=None))
    status, unstored = health_of(feed)
    assert status == "degraded"
    assert unstored is not None
    assert (unstored.count, unstored.dropped, unstored.error) == (84, 14, "the disk is full")


def health_of(feed: Feed) -> tuple[str, UnstoredJson | None]:
    broadcast, waveforms, setup = (
        Broadcast(feed, lambda views: b""),
        Waveforms(lambda name: None),
        Setup(database=Path("w")),
    )
    router = api_router(feed, PowerHistory(Path("w")), broadcast, waveforms, setup, (), lambda number: None)
    (route,) = [route for route in router.routes if getattr(route, "path", "").endswith("/health")]
    health = route.endpoint()  # type: ignore[attr-defined]
    return health.status, health.unstored


def test_a_reading_without_counts_crosses_the_channel_too() -> None:
    """A network meter gives quantities alone: its sample has no counts, and no calibration."""
    quantities = Quantities(volts=230.0, watts=115.0)
    view = replace(VIEW, reading=replace(READING, sample=quantities, calibration=None))
    (message,) = decode_line(encode_views([view]))["views"]
    back = view_from_message(message).reading
    assert back is not None
    assert back.quantities == quantities
    assert back.registers == READING.registers


@pytest.mark.parametrize("line", [b"[]\n", b"1\n", b"{\n", b"\xff\n", b"\n"])
def test_what_is_not_a_message_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 whichever of them
        decode_line(line)


def names(views: Iterable[MeterView]) -> bytes:
    return ",".join(view.name for view in views).encode()


def play(story: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "EVERY_S", 0.0)
    asyncio.run(story)  # type: ignore[arg-type]


def test_a_page_gets_everything_first_and_then_what_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        feed = Feed(ManualClock())
        feed.publish(VIEW)
        feed.publish(replace(VIEW, name="garage"))
        broadcast = Broadcast(feed, names)
        running = asyncio.create_task(broadcast.run())
        stream = aiter(broadcast.stream())
        assert await anext(stream) == b"data: house,garage\n\n"
        while await anext(stream) != b":\n\n":  # what changed before anybody listened, once; then nothing new
            pass
        feed.publish(replace(VIEW, name="garage", error="lost"))
        while (event := await anext(stream)) == b":\n\n":
            pass
        assert event == b"data: garage\n\n"
        broadcast.close()
        assert [event async for event in stream if event != b":\n\n"] == []
        running.cancel()

    play(story(), monkeypatch)


def test_a_page_hears_which_meters_are_left_when_one_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        feed = Feed(ManualClock())
        feed.publish(VIEW)
        feed.publish(replace(VIEW, name="garage"))
        broadcast = Broadcast(feed, names)
        running = asyncio.create_task(broadcast.run())
        stream = aiter(broadcast.stream())
        while await anext(stream) != b":\n\n":
            pass
        feed.arrange(["cellar", "garage"])
        feed.publish(VIEW)  # of a thread that was left behind
        feed.publish(replace(VIEW, name="cellar"))
        seen = b""
        while b"event" not in seen:
            seen += await anext(stream)
        assert seen.replace(b":\n\n", b"") == b'data: cellar\n\nevent: names\ndata: ["cellar", "garage"]\n\n'
        running.cancel()

    play(story(), monkeypatch)


def test_a_page_that_does_not_keep_up_is_let_go_and_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        feed = Feed(ManualClock())
        broadcast = Broadcast(feed, names)
        running = asyncio.create_task(broadcast.run())
        stream = aiter(broadcast.stream())
        await anext(stream)
        for _ in range(100):  # it takes nothing while a hundred seconds pass
            await asyncio.sleep(0)
        left = [event async for event in stream]
        assert len(left) <= 6
        running.cancel()

    play(story(), monkeypatch)


def test_there_are_only_so_many_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        broadcast = Broadcast(Feed(ManualClock()), names)
        streams = [aiter(broadcast.stream()) for _ in range(MAX_STREAMS)]
        for stream in streams:
            await anext(stream)
        with pytest.raises(TooManyStreams, match="close one"):
            broadcast.stream()
        broadcast.close()
        assert [await anext(stream, None) for stream in streams] == [None] * MAX_STREAMS

    play(story(), monkeypatch)


def test_the_same_question_within_a_second_is_asked_of_the_database_once(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    with open_store(tmp_path / "w.sqlite") as store:
        row = store.register_meter("house", "twin://x", simulated=True, calibration=CALIBRATION, at=NOON)
        for second in range(600):
            reading = replace(READING, at=NOON - timedelta(seconds=second + 1))
            store.append(row.id, reading, observation(reading, None), ())
        history = PowerHistory(tmp_path / "w.sqlite", clock)
        first = history.series("house", minutes=60, points=720)
        assert sum(point.readings for point in first) == 600
        assert history.series("house", minutes=60, points=720) is first
        clock.advance(2)
        assert history.series("house", minutes=60, points=720) is not first
        assert history.series("attic", minutes=60, points=720) == ()
