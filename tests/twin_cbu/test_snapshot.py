"""A saved machine goes on exactly as it would have: the same accesses, at the same ticks."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.twin_cbu.conftest import Program, flash_with
from wattrail.errors import ConfigError
from wattrail.twin.cbu.board import Board
from wattrail.twin.cbu.chips import CBU_CHIPS
from wattrail.twin.cbu.firmware import LoadedFirmware
from wattrail.twin.cbu.machine import Cbu
from wattrail.twin.cbu.snapshot import load_snapshot, save_snapshot, snapshot_bytes

Load = Callable[..., Program]


def accesses(machine: Cbu, seconds: float) -> list[tuple[int, str, int, int]]:
    seen: list[tuple[int, str, int, int]] = []
    machine.bus.trace = lambda kind, address, value: seen.append((machine.clock.now, kind, address, value))
    machine.run_for(seconds)
    return seen


def test_the_same_image_gives_the_same_trace(program: Load) -> None:
    first, second = (accesses(program("timers").machine, 0.3) for _ in range(2))

    assert len(first) > 400
    assert first == second


@pytest.mark.parametrize("thumb", [False, True])
def test_a_loaded_machine_goes_on_as_the_saved_one(program: Load, tmp_path: Path, thumb: bool) -> None:
    one = program("timers", thumb=thumb).machine
    one.run_for(0.05)
    save_snapshot(one, tmp_path / "half")
    expected = accesses(one, 0.2)

    began = time.process_time()
    other = load_snapshot(tmp_path / "half")
    assert time.process_time() - began < 1.0

    assert accesses(other, 0.2) == expected
    assert other.seconds == one.seconds
    assert snapshot_bytes(other) == snapshot_bytes(one)


def test_bytes_on_the_wire_are_part_of_the_state(program: Load, tmp_path: Path) -> None:
    echo = program("echo")
    echo.run(0.01)
    echo.machine.uart("uart1").receive(b"half of it is on the wire")
    echo.machine.run_for(0.001)
    save_snapshot(echo.machine, tmp_path / "wire")

    back = bytearray()
    other = load_snapshot(tmp_path / "wire")
    other.uart("uart1").listen(back.extend)
    other.run_for(0.1)

    assert bytes(back) == b"HALF OF IT IS ON THE WIRE"


def test_a_machine_of_a_board_is_loaded_into_another_board(compiled: Load, tmp_path: Path) -> None:
    flash = bytes(flash_with(compiled("board"), CBU_CHIPS["N"].code_key).data)  # type: ignore[arg-type]
    one = Board(LoadedFirmware("N", flash, 0, "program"), scenario="bench", powered_for=2.0)
    one.wait_for("ready", within=1)
    save_snapshot(one.machine, tmp_path / "board")

    other = Board(load_snapshot(tmp_path / "board"), scenario="bench", powered_for=2.0)

    other.press(seconds=0.3)
    assert other.wait_for("pressed", within=1) == "pressed"


def test_a_machine_inside_a_call_of_ours_is_not_saved(program: Load, tmp_path: Path) -> None:
    machine = program("timers").machine
    machine.run_for(0.01)
    machine.guest.call(0x420000)
    assert machine.guest.begin()

    with pytest.raises(ConfigError, match="a call into the firmware is under way"):
        save_snapshot(machine, tmp_path / "inside")
    assert list(tmp_path.iterdir()) == []


def test_another_file_is_refused_and_says_what_makes_a_snapshot(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("not a snapshot")

    with pytest.raises(ConfigError, match="not a snapshot") as caught:
        load_snapshot(tmp_path / "notes")

    assert "twin snapshot" in str(caught.value.hint)
