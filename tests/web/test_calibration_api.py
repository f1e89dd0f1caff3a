"""Calibrating at the page: a real twin that is off by some per cent, read by a real gateway, against its truth."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from wattrail.app.calibration_actions import CalibrationActions
from wattrail.clock import ManualClock
from wattrail.gateway import Feed, Gateway, GatewayPlan, MeterChanged, MeterPlan, MeterState, MeterView
from wattrail.ledger import EntryKind
from wattrail.store import Store, open_store
from wattrail.units import Quantities, Reading
from wattrail.web.gateway_calls import answer_call

OFF = "twin://pziot-e01?volts=230&amps=10&seed=1&tolerance=5"
TRUTH = {"volts": "230.0", "amps": "10.00", "watts": "2300", "load": "resistive"}

HELD = {"scale": "calibrated constants"}

ActionCall = Callable[..., Awaitable[dict[str, Any]]]


def visit(folder: Path, url: str, story: Callable[[ActionCall, Store, Feed], Awaitable[None]]) -> None:
    """A gateway that reads one meter, and the actions that its page would call."""

    async def played() -> None:
        plan = GatewayPlan(meters=(MeterPlan(name="bench", url=url, poll_s=0.5),))
        with open_store(folder / "w.sqlite") as store:
            async with Gateway(plan, store) as gateway:
                with gateway.feed.subscribe("test") as events:
                    async for _ in events:
                        view = gateway.feed.view("bench")
                        if view is not None and view.reading is not None:
                            break
                actions = CalibrationActions(store, gateway.feed, gateway.recalibrate).actions()

                async def call(action: str, **arguments: object) -> dict[str, Any]:
                    sent = {"id": 1, "action": f"calibration.{action}", "arguments": {"meter": "bench", **arguments}}
                    answer = await asyncio.to_thread(answer_call, json.loads(json.dumps(sent)), actions)
                    assert isinstance(answer, dict)
                    return answer

                await story(call, store, gateway.feed)

    asyncio.run(asyncio.wait_for(played(), 60))


def test_a_twin_is_measured_kept_once_and_put_back(tmp_path: Path) -> None:
    async def story(call: ActionCall, store: Store, feed: Feed) -> None:
        found = (await call("measure", **TRUTH))["result"]
        view = feed.view("bench")
        assert view is not None
        assert view.reading is not None
        counts = view.reading.sample.counts
        assert found["after"]["counts_per_volt"] == pytest.approx(counts["v_rms"] / 230.0, rel=1e-3)
        assert found["after"]["counts_per_watt"] == pytest.approx(abs(counts["watt"]) / 2300.0, rel=2e-3)
        assert 0 < found["evidence"]["uncertainty"]["counts_per_volt"] < 0.005
        assert (found["simulated"], found["acceptable"], store.calibrations("bench")) == (True, True, ())
        keeping = {"number": found["number"], "who": "ada", "note": "bench load", "allow": []}
        assert (
            (await call("keep", **keeping))["result"]
            == (await call("keep", **keeping))["result"]
            == HELD | {"number": 1}
        )
        (kept,) = store.calibrations("bench")
        assert (kept.by, kept.note, kept.origin, kept.simulated) == ("ada", "bench load", "measured", True)
        assert kept.calibration.counts_per_volt == pytest.approx(found["after"]["counts_per_volt"], abs=1e-5)
        assert len(json.loads(kept.evidence)["points"][0]["counts"]) == 10
        assert (await call("restore", number=1, who="ada"))["result"] == HELD | {"number": 2}
        assert store.calibrations("bench")[-1].origin == "restored"

    visit(tmp_path, OFF, story)


def test_what_is_kept_or_put_back_holds_from_the_next_reading_on(tmp_path: Path) -> None:
    """The twin is a few per cent off: the answer comes when the gateway shows the load as it truly is."""

    def reading(feed: Feed) -> Reading:
        view = feed.view("bench")
        assert view is not None
        assert view.reading is not None
        return view.reading

    async def story(call: ActionCall, store: Store, feed: Feed) -> None:
        before = reading(feed)
        assert before.calibration is not None
        assert abs((before.watts or 0) / 2300.0 - 1) > 0.01
        store.keep_calibration(
            "bench", before.calibration, simulated=True, origin="factory", by="the maker", at=before.at
        )
        found = (await call("measure", **TRUTH))["result"]
        keeping = {"number": found["number"], "who": "ada", "note": "", "allow": []}
        assert (await call("keep", **keeping))["result"] == HELD | {"number": 2}
        kept = reading(feed)
        assert kept.watts == pytest.approx(2300.0, rel=2e-3)
        assert kept.calibration == store.calibrations("bench")[-1].calibration
        assert (await call("restore", number=1, who="ada"))["result"] == HELD | {"number": 3}
        assert reading(feed).watts == pytest.approx(before.watts, rel=2e-3)

    visit(tmp_path, OFF, story)
    with open_store(tmp_path / "w.sqlite") as store:
        row = store.meter("bench")
        assert row is not None
        entries = store.entries(row.id)
    assert [one.kind for one in entries if one.kind is not EntryKind.COUNTED] == [
        EntryKind.START, EntryKind.EPOCH, EntryKind.EPOCH,
    ]  # fmt: skip


def test_a_slipped_decimal_is_found_and_not_kept(tmp_path: Path) -> None:
    async def story(call: ActionCall, store: Store, feed: Feed) -> None:
        found = (await call("measure", **{**TRUTH, "volts": "23.00"}))["result"]
        assert found["acceptable"] is False
        shown = feed.view("bench")
        assert shown is not None
        refused = await call("keep", number=found["number"], who="ada", note="", allow=[])
        assert refused["problem"]["kind"] == "invalid"
        assert store.calibrations("bench") == ()
        with feed.subscribe("test") as events:
            for _ in range(3):
                while not isinstance(event := await anext(events), MeterChanged):
                    pass  # an entry is closed about once a minute, perhaps just now
                assert event.view.reading is not None
                assert shown.reading is not None
                assert event.view.reading.calibration is shown.reading.calibration
        assert (await call("keep", number=99, who="ada", note="", allow=[]))["problem"]["kind"] == "not-found"

    visit(tmp_path, OFF, story)


def test_a_meter_that_scales_by_itself_says_where_it_is_calibrated(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 6, 21, tzinfo=UTC))
    feed = Feed(clock)
    reading = Reading(at=clock.now(), monotonic=clock.monotonic(), sample=Quantities(volts=230.0, watts=2300.0))
    feed.publish(MeterView(name="bench", url="http://x", simulated=False, state=MeterState.LIVE, reading=reading))
    with open_store(tmp_path / "w.sqlite") as store:
        actions = CalibrationActions(store, feed, lambda _names: ()).actions()
        answer = answer_call(
            {"id": 1, "action": "calibration.measure", "arguments": {"meter": "bench", **TRUTH}}, actions
        )
    problem: Any = answer["problem"]
    assert problem["detail"].startswith("bench gives volts, amperes and watts by itself")
