"""Requests to stop: what the thread that reads the signals does with them, and what a signal to this process does."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from tests.sources.conftest import DEADLINE_S
from wattrail.gateway import stopping
from wattrail.gateway.stopping import stop_requests

TERM = signal.SIGTERM
HUP = getattr(signal, "SIGHUP", 1)


class Asked:
    """What a thread that reads signals has called, in order."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.reader = -1

    def by(self, *signals: int, has_deadline: bool = False) -> list[str]:
        """Let these signals have come, and the block have ended after them."""
        self.reader, writer = os.pipe()
        os.write(writer, bytes(signals))
        os.close(writer)
        watch = stopping._SignalWatch(
            self.reader,
            lambda: self.calls.append("stop"),
            overdue=(lambda: self.calls.append("overdue")) if has_deadline else None,
            on_reload=lambda: self.calls.append("reload"),
        )
        watch.run()
        return self.calls

    @property
    def is_reader_closed(self) -> bool:
        try:
            os.fstat(self.reader)
        except OSError:
            return True
        return False


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    monkeypatch.setattr(stopping, "EXIT_WITHIN_S", 0.01)
    monkeypatch.setattr(stopping, "SAME_REQUEST_S", 0.0)
    asked = Asked()
    yield asked
    if not asked.is_reader_closed:
        os.close(asked.reader)


def test_a_block_that_ends_by_itself_asks_for_nothing(asked: Asked) -> None:
    assert asked.by(has_deadline=True) == []
    assert asked.is_reader_closed


def test_the_first_signal_stops_and_without_a_deadline_nothing_follows(asked: Asked) -> None:
    assert asked.by(TERM, TERM) == ["stop"]
    assert asked.is_reader_closed


def test_signals_that_come_together_are_one_request_and_then_time_is_up(asked: Asked) -> None:
    assert asked.by(TERM, TERM, has_deadline=True) == ["stop", "overdue"]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_a_hangup_reloads_and_does_not_stop(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_has_terminal", lambda: False)  # as under a service manager
    assert asked.by(HUP) == ["reload"]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_the_hangup_of_a_terminal_that_is_gone_stops(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    terminals = iter([True, False])
    monkeypatch.setattr(stopping, "_has_terminal", lambda: next(terminals))
    assert asked.by(HUP) == ["stop"]


def test_a_second_signal_does_not_wait_for_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "EXIT_WITHIN_S", 10 * DEADLINE_S)
    monkeypatch.setattr(stopping, "SAME_REQUEST_S", 0.0)
    stop, overdue = threading.Event(), threading.Event()
    reader, writer = os.pipe()
    watch = stopping._SignalWatch(reader, stop.set, overdue=overdue.set, on_reload=None)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    os.write(writer, bytes([TERM]))
    assert stop.wait(DEADLINE_S)
    while not overdue.wait(0.01):  # one that is read as a part of the first request asks for nothing
        assert thread.is_alive()
        os.write(writer, bytes([TERM]))
    thread.join(DEADLINE_S)
    for descriptor in (reader, writer):
        os.close(descriptor)


def test_a_signal_to_this_process_stops_and_handlers_are_as_before() -> None:
    before, stop = signal.getsignal(TERM), threading.Event()
    with stop_requests(stop.set):
        os.kill(os.getpid(), TERM)
        assert stop.wait(DEADLINE_S)
    assert signal.getsignal(TERM) is before
