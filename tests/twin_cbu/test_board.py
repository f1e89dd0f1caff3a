"""A whole board with a program of our own: meter chip, button, LED, log, as a firmware's own tests would use it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.twin_cbu.conftest import flash_with
from wattrail.twin.cbu import control
from wattrail.twin.cbu.board import Board, FirmwareSilent
from wattrail.twin.cbu.chips import CBU_CHIPS
from wattrail.twin.cbu.firmware import LoadedFirmware
from wattrail.twin.cbu.frames import NoNetwork


@pytest.fixture
def board(compiled: Callable[..., bytes]) -> Iterator[Board]:
    flash = flash_with(compiled("board"), CBU_CHIPS["N"].code_key)
    made = Board(LoadedFirmware("N", bytes(flash.data), 0, "program"), scenario="bench", powered_for=2.0)
    yield made
    made.close()


def test_the_firmware_reads_what_the_load_is(board: Board) -> None:
    board.meter.set(volts=231.5)
    board.run(0.9)
    before = int(board.wait_for("voltage", new=True).split()[1], 16)

    board.meter.set(volts=115.75)
    board.run(0.9)
    after = int(board.wait_for("voltage", new=True).split()[1], 16)

    assert before / after == pytest.approx(2.0, rel=0.02)
    assert board.meter.truth.volts == pytest.approx(115.75)


def test_the_button_is_pressed_and_let_go(board: Board) -> None:
    board.wait_for("ready", within=1)

    board.press(seconds=0.3)

    assert board.wait_for("pressed", within=1) == "pressed"
    assert board.wait_for("released", within=1) == "released"


def test_the_led_is_seen_blinking(board: Board) -> None:
    board.wait_for("ready", within=1)
    board.run(0.6)

    shown = board.led.pattern(0.5)

    assert shown.period_s is not None
    assert shown.period_s > 0
    assert shown.duty == pytest.approx(0.5, abs=0.05)
    assert "blinks every" in str(shown)


def test_waiting_for_what_does_not_come_says_what_came_last(board: Board) -> None:
    with pytest.raises(FirmwareSilent, match=r"'no such line' did not come within 0\.5 s") as silent:
        board.wait_for("no such line", within=0.5)
    assert "ready" in str(silent.value) or "voltage" in str(silent.value)


def test_pulses_of_the_chip_arrive_at_their_pin(board: Board) -> None:
    edges: list[bool] = []
    board.machine.pins.listen(lambda pin, level: edges.append(level) if pin == 9 else None)
    board.meter.set(volts=230.0, amps=60.0)

    board.run(5.0)

    assert edges.count(True) >= 1


def test_a_firmware_without_a_known_stack_has_no_network(board: Board) -> None:
    with pytest.raises(NoNetwork, match="not recognised"):
        board.network()


@pytest.mark.parametrize(
    "line", [b'{"set": {"volts": "many"}}', b'{"led": Infinity}', b'{"press": "button", "seconds": 1e9}', b"[1]", b"{"]
)
def test_a_wrong_wish_is_refused_and_the_board_goes_on(
    board: Board, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: bytes
) -> None:
    monkeypatch.setattr(control, "runtime_folder", lambda: tmp_path)
    hands = control.BoardControl(board)
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(hands.path))
        link.sendall(line + b"\n")
        board.run(0.2)
        answer = json.loads(link.recv(4096))
    hands.close()

    assert answer["error"]
    assert board.meter.truth.volts == pytest.approx(230.0, abs=10)
