"""The question about the mains on a real terminal: nothing is opened before it is answered."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.transport.transport_rigs import terminal
from wattrail.cli.safety import memory_path

LONGEST_S = 180.0


class Seat:
    """A person at a terminal: what the screen shows, and a keyboard."""

    def __init__(self, screen: int, process: subprocess.Popen[bytes]) -> None:
        self._screen = screen
        self.process = process

    def until(self, words: bytes) -> bytes:
        """What is shown until ``words`` are, or until the program ends."""
        shown = b""
        while words not in shown:
            try:
                got = os.read(self._screen, 4096)
            except OSError:  # Linux says so at the end of a terminal
                return shown
            if not got:
                return shown
            shown += got
        return shown

    def type(self, text: str) -> None:
        os.write(self._screen, f"{text}\n".encode())


@contextmanager
def seated(*words: str) -> Iterator[Seat]:
    """``wattrail`` with all three streams on a terminal of its own; killed if it takes too long."""
    screen, near = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "wattrail", *words], stdin=near, stdout=near, stderr=near, start_new_session=True
    )
    os.close(near)
    guard = threading.Timer(LONGEST_S, process.kill)
    guard.start()
    try:
        yield Seat(screen, process)
    finally:
        guard.cancel()
        process.kill()
        process.wait()
        os.close(screen)


def silent(port: int) -> bool:
    """Whether nothing has arrived at the far end of a port: a meter's port is written to as soon as it is open."""
    return not select.select([port], [], [], 0)[0]


@pytest.fixture
def mains_were_off() -> None:
    memory_path().parent.mkdir(parents=True)
    memory_path().write_text('confirmed = "mains-off"\nat = 2026-11-01T08:00:00Z\n')


@pytest.mark.usefixtures("mains_were_off")
def test_a_no_opens_nothing() -> None:
    with terminal() as (port, device), seated("meter", "read", f"serial://{device}") as seat:
        assert b"confirmed on 2026-11-01" in seat.until(b"[y/N]")
        assert silent(port)
        seat.type("n")
        assert b"no port was opened" in seat.until(b"no port was opened")
        assert seat.process.wait(LONGEST_S) == 2
        assert silent(port)
        os.close(port)


@pytest.mark.usefixtures("mains_were_off")
def test_a_yes_opens_the_port_and_not_before() -> None:
    with terminal() as (port, device), seated("meter", "read", f"serial://{device}") as seat:
        seat.until(b"[y/N]")
        assert silent(port)
        seat.type("y")
        assert select.select([port], [], [], LONGEST_S)[0]
        os.close(port)


def test_the_first_question_is_waited_for_too() -> None:
    with terminal() as (port, device), seated("meter", "read", f"serial://{device}") as seat:
        assert b"can kill you" in seat.until(b"> ")
        seat.type("n")
        assert b"neither mains-off nor isolated was confirmed" in seat.until(b"was confirmed")
        assert seat.process.wait(LONGEST_S) == 2
        assert silent(port)
        os.close(port)


def test_ctrl_c_at_the_question_opens_nothing() -> None:
    with terminal() as (port, device), seated("meter", "read", f"serial://{device}") as seat:
        seat.until(b"> ")
        seat.process.send_signal(signal.SIGINT)
        assert seat.process.wait(LONGEST_S) == 130
        assert silent(port)
        os.close(port)
