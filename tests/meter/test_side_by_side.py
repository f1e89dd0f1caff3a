"""Meters read side by side: whose errors are waited out, and what ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from wattrail.clock import SystemClock
from wattrail.errors import NoAnswer, PortLost
from wattrail.meter.side_by_side import ComparedMeter, SideBySide
from wattrail.transport.replay import CaptureEnded
from wattrail.units import Quantities, Reading

LOST = PortLost("the cable was pulled")


def reading() -> Reading:
    return Reading(sample=Quantities(watts=1000.0), at=datetime(2026, 6, 21, tzinfo=UTC), monotonic=time.monotonic())


def saying(*answers: Reading | Exception, cancel: Callable[[], None] | None = None) -> ComparedMeter:
    """A meter that gives these one after the other, and then readings for ever."""
    left: Iterator[Reading | Exception] = iter(answers)

    def read() -> Reading:
        answer = next(left, None)
        if isinstance(answer, Exception):
            raise answer
        return answer or reading()

    return ComparedMeter(url="test:", read=read, pause_s=0.001, age_s=0.0, cancel=cancel)


def watched(meter: ComparedMeter, notes: list[str], *, readings: int) -> SideBySide:
    """Read until so many readings of it came, or its capture ends."""
    with SideBySide([meter], clock=SystemClock(), note=notes.append) as both:
        while len(both.series[0].power) < readings and both.take():
            pass
    return both


def test_an_answer_that_is_missing_on_a_wire_is_noted() -> None:
    notes: list[str] = []
    watched(saying(reading(), NoAnswer("silence")), notes, readings=3)
    assert notes == ["no reading of test:: silence"]


def test_a_wire_that_is_lost_ends_it() -> None:
    with pytest.raises(PortLost):
        watched(saying(reading(), LOST), [], readings=3)


def test_a_network_that_is_lost_is_waited_for() -> None:
    notes: list[str] = []
    cancelled = threading.Event()
    watched(saying(reading(), LOST, cancel=cancelled.set), notes, readings=3)
    assert notes == ["no reading of test:: the cable was pulled"]
    assert cancelled.is_set()  # at the end, or its last wait would outlive it


def test_a_meter_that_never_answered_ends_it_on_a_network_too() -> None:
    with pytest.raises(PortLost):
        watched(saying(LOST, cancel=lambda: None), [], readings=1)


def test_the_end_of_a_capture_keeps_what_it_held() -> None:
    both = watched(saying(reading(), reading(), CaptureEnded("the capture ends")), [], readings=9)
    assert len(both.series[0].power) == 2
