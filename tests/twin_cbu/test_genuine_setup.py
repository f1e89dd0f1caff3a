"""A genuine OpenBeken is set up for its board over its own pages, and then obeys its button and shows its LED."""

from __future__ import annotations

import asyncio

import pytest

from tests.twin_cbu.genuine import openbeken
from wattrail.bk7231 import Chip
from wattrail.board import load_board, load_front_panel
from wattrail.board.openbeken import openbeken_settings
from wattrail.board.openbeken_script import autoexec
from wattrail.clock import SystemClock
from wattrail.credentials import Secrets
from wattrail.device import SetupReport, apply_setup, open_client, plan_setup
from wattrail.twin import Board


class BoardClock(SystemClock):
    """Time as it passes for the board, which may be slower or quicker than here."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def monotonic(self) -> float:
        """Seconds of the device."""
        return self._board.machine.seconds

    async def passed(self, seconds: float) -> None:
        """Wait until so many have passed there."""
        end = self.monotonic() + seconds
        while self.monotonic() < end:
            await asyncio.sleep(0)


def set_up(board: Board) -> SetupReport:
    """What ``wattrail device setup HOST --board pziot-e01`` does."""
    known, panel = load_board("pziot-e01"), load_front_panel()

    clock = BoardClock(board)
    client = open_client(f"http://127.0.0.1:{board.network().port()}", secrets=Secrets(), timeout_s=60.0)

    async def work() -> SetupReport:
        plan = await plan_setup(client, openbeken_settings(known, scripted=panel), script=autoexec(known, panel))
        return await apply_setup(client, plan, pause=clock.passed, clock=clock)

    return board.run_while(lambda: asyncio.run(work()), within=300)


def test_a_setup_is_taken_whole_and_the_button_and_the_led_work() -> None:
    with Board(openbeken(Chip.N, "")) as board:
        board.wait_for("softap: 1", within=40)
        board.run(2.0)
        report = set_up(board)
        assert report.is_complete, report.remaining
        assert report.plan.script is not None
        again = set_up(board)
        assert again.plan.changes == (), "what the script sets is what is wanted"

        board.run(8.0)  # the access point opens five seconds after the start
        assert board.led.pattern(3.0).period_s == pytest.approx(0.52, abs=0.03), "it is open"
        assert board.log.find("Publishing", 0) < 0, "nothing of the LED goes to the broker"

        first = len(board.log.lines)
        board.press(6.0)
        board.run(6.0)
        assert board.log.find("no flash configuration", first) >= 0, "held 5 s: the access point opens again"
        assert board.log.find("config has been cleared", first) < 0

        first = len(board.log.lines)
        board.press(17.0)
        board.run(1.0)
        assert board.log.find("config has been cleared", first) >= 0, "held 15 s: factory settings"
