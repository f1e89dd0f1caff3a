"""Real processes: how they stop, and what a closed pipe does to them. Every wait is bounded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

import pytest

LONGEST_S = 180.0


DEAF = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
"""Starts a command as a shell without job control starts what stands before an ampersand: SIGINT is ignored."""


@contextmanager
def started(*words: str, deaf: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A command that is killed, and so fails its test, if it outstays its welcome. ``deaf``: as behind an ampersand."""
    command = [sys.executable, "-m", "wattrail", *words]
    if deaf:
        command = [sys.executable, "-c", DEAF, *command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        guard = threading.Timer(LONGEST_S, process.kill)
        guard.start()
        try:
            yield process
        finally:
            guard.cancel()
            process.kill()


def line_with(stream: Iterator[str] | None, word: str) -> str:
    assert stream is not None
    return next(line for line in stream if word in line)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [("lspa9",), ("pziot-e01", "--port", "0")])
def test_a_served_twin_stops_cleanly(stop: signal.Signals, words: tuple[str, ...]) -> None:
    with started("twin", "serve", *words) as process:
        line_with(process.stdout, "Ctrl-C ends it")
        process.send_signal(stop)
        assert process.wait(LONGEST_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_watch_stops_cleanly_and_tells_its_statistics(stop: signal.Signals) -> None:
    with started("meter", "watch", "twin://pziot-e01?seed=7") as process:
        line_with(process.stdout, "SIMULATED")
        process.send_signal(stop)
        assert process.wait(LONGEST_S) == 0
        assert process.stderr is not None
        assert "readings; " in process.stderr.read()


@pytest.mark.parametrize(
    ("stop", "more"),
    [(signal.SIGINT, []), (signal.SIGTERM, ["--no-past"])],  # making a demo's year once is enough
    ids=["SIGINT", "SIGTERM"],
)
def test_the_gateway_serves_its_page_and_stops_cleanly(stop: signal.Signals, more: list[str]) -> None:
    with started("run", "--port", "0", "--no-open", *more) as process:
        line_with(process.stderr, "SIMULATED")
        address = line_with(process.stdout, "http://").strip()
        with urlopen(address, timeout=LONGEST_S) as page:
            assert page.status == 200
        process.send_signal(stop)
        assert process.wait(LONGEST_S) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_second_gateway_is_refused_with_the_page_of_the_first() -> None:
    with started("run", "--port", "0", "--no-open", "--no-past") as first:
        address = line_with(first.stdout, "http://").strip()
        with started("run", "--port", "0", "--no-open") as second:
            assert second.wait(LONGEST_S) == 1
            assert second.stderr is not None
            said = second.stderr.read()
    assert f"process {first.pid} on " in said
    assert f"page {address}" in said
    assert "--database FILE" in said


BACKGROUND = pytest.mark.parametrize(
    ("words", "sign"),
    [
        (("twin", "serve", "pziot-e01", "--port", "0"), "Ctrl-C ends it"),
        (("meter", "watch", "twin://pziot-e01?seed=7", "--json"), '"meter"'),
        (("run", "--port", "0", "--no-open", "--no-past"), "http://"),
    ],
)


@BACKGROUND
def test_what_a_script_put_into_the_background_stops_on_sigint_too(words: tuple[str, ...], sign: str) -> None:
    with started(*words, deaf=True) as process:
        line_with(process.stdout, sign)
        process.send_signal(signal.SIGINT)
        assert process.wait(LONGEST_S) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_reader_that_has_enough_ends_the_watch_quietly() -> None:
    with started("meter", "watch", "twin://pziot-e01?seed=7", "--json", "--interval", "0") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith('{"meter"')
        process.stdout.close()
        assert process.wait(LONGEST_S) == 0
        assert process.stderr is not None
        told = process.stderr.read()
        assert "Traceback" not in told
        assert "BrokenPipe" not in told


def test_help_into_a_closed_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "wattrail", "--help"]
    said = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=LONGEST_S)
    os.close(writer)
    assert (said.returncode, said.stderr) == (0, "")


def test_a_terminal_without_our_letters_still_gets_its_reading() -> None:
    command = [sys.executable, "-m", "wattrail", "meter", "read", "twin://lspa9?watts=0"]
    plain = {**os.environ, "PYTHONIOENCODING": "ascii"}
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_S, env=plain)
    assert (said.returncode, said.stderr) == (0, "")
    assert "Power factor" in said.stdout
