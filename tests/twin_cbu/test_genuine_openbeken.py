"""A genuine OpenBeken on the emulated board reads our chip, and our own sources read it; with images of one's own."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.twin_cbu.genuine import asked, command, openbeken
from wattrail.bk7231 import Chip
from wattrail.sources import open_source
from wattrail.twin import Board

WIRED = {Chip.N: "BL0942SPI", Chip.T: "BL0942"}
"""How OpenBeken calls its driver for the chip, wired as the board comes, and reworked."""


@pytest.mark.parametrize("chip", [Chip.N, Chip.T])
def test_our_source_reads_the_load_out_of_a_genuine_firmware(chip: Chip) -> None:
    flash = openbeken(chip, f"backlog startDriver {WIRED[chip]}")
    with Board(flash, scenario="bench", volts=231.5, amps=2.0) as board:
        board.wait_for(f"Started {WIRED[chip]}", within=30)
        board.wait_for("softap: 1", within=40)
        board.run(2.0)
        for calibrate in ("VoltageSet 231.5", "CurrentSet 2", "PowerSet 463"):
            command(board, calibrate)

        board.meter.set(volts=224.0, amps=5.0, hertz=49.9)
        board.run(3.0)
        source = open_source(f"openbeken://127.0.0.1:{board.network().port()}")
        reading = board.run_while(lambda: asyncio.run(source.read()))
        sample = reading.sample

        assert reading.simulated  # the firmware does not say so
        truth = board.meter.truth
        assert sample.volts == pytest.approx(truth.volts, rel=0.002)
        assert sample.amps == pytest.approx(truth.amps, rel=0.002)
        assert sample.watts == pytest.approx(truth.watts, rel=0.002)
        assert sample.hertz == pytest.approx(49.9, rel=0.002)
        assert b"OpenBK7231" in asked(board, "/index")


@pytest.mark.parametrize("chip", [Chip.N, Chip.T])
def test_the_led_blinks_while_the_button_is_pressed_and_held(chip: Chip) -> None:
    flash = openbeken(chip, "backlog setPinRole 22 WifiLED; setPinRole 20 Btn")
    with Board(flash) as board:
        board.wait_for("Main_Init_After_Delay done", within=20)
        board.run(8.0)
        assert board.led.pattern(3.0).period_s == pytest.approx(0.53, abs=0.03)

        for held_s, times, said in (
            (0.1, 1, "short"), (1.0, 1, "short"), (0.1, 2, "double"), (0.1, 3, "triple"), (6.0, 1, "LongPressHold"),
            (16.0, 1, "LongPressHold"),
        ):  # fmt: skip
            first = len(board.log.lines)
            for _ in range(times):
                board.press(held_s)
                board.run(0.15)
            board.run(1.5)
            assert board.log.find("InitialPressDown", first) >= 0
            assert board.log.find(said if said.endswith("Hold") else f"key_{said}_press", first) >= 0
        assert not board.machine.resets


@pytest.mark.skipif(shutil.which("mosquitto") is None, reason="mosquitto is not there: apt-get install mosquitto")
def test_a_broker_of_this_machine_hears_its_voltage(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = tmp_path / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    log = tmp_path / "broker.log"
    with log.open("wb") as said, subprocess.Popen(["mosquitto", "-v", "-c", settings], stdout=said, stderr=said) as run:
        try:
            flash = openbeken(Chip.N, "backlog startDriver BL0942SPI", broker=("192.168.4.2", port))
            with Board(flash, scenario="bench", volts=231.5, amps=2.0) as board:
                board.wait_for("softap: 1", within=40)
                board.network().join()
                end = board.machine.seconds + 60
                while b"/voltage/get" not in log.read_bytes():
                    assert board.machine.seconds < end, log.read_text()
                    board.run(0.1)
        finally:
            run.terminate()
