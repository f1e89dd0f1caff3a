"""The verbs about one meter, on twins and a manual clock."""

from __future__ import annotations

import json
import shlex
from collections import deque
from pathlib import Path

import pytest
from rich.console import Console

from tests.cli.conftest import Terminal, Type
from wattrail.chips import BL0940
from wattrail.chips.bl0942.registers import REGISTERS
from wattrail.cli import clock
from wattrail.cli.meter.registers import register_lines, register_table
from wattrail.cli.meter.watch import picture
from wattrail.cli.readings import steady_readings
from wattrail.clock import ManualClock
from wattrail.errors import NoAnswer, PortLost
from wattrail.meter import Meter, open_meter
from wattrail.units import Quantities, Reading

TWIN = "twin://pziot-e01?watts=1150&seed=7"
UART_TWIN = "twin://lspa9?watts=60&seed=7"

pytestmark = pytest.mark.usefixtures("manual_clock")


@pytest.mark.parametrize("url", [TWIN, "twin://lspa9?watts=1150"])
def test_a_reading_is_a_table_that_says_it_is_simulated(wattrail: Type, url: str) -> None:
    said = wattrail("meter", "read", url)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"{url}\nSIMULATED")
    assert "Power              115" in said.out or "Power              114" in said.out


def test_a_reading_in_json_carries_its_mark_and_its_counts(wattrail: Type) -> None:
    said = wattrail("meter", "read", TWIN, "--json")
    reading = json.loads(said.out)
    assert reading["simulated"] is True
    assert reading["watts"] == pytest.approx(1150, rel=0.01)
    assert reading["at"].endswith("Z")
    assert reading["watt_count"] > 0


def test_the_only_configured_meter_needs_no_name(wattrail: Type) -> None:
    Path("wattrail.toml").write_text(f'[[meter]]\nname = "bench"\nurl = "{TWIN}"\ninverted = true\n')
    assert json.loads(wattrail("meter", "read", "--json").out)["watts"] < 0


def test_of_several_configured_meters_one_must_be_named(wattrail: Type) -> None:
    meters = "".join(f'[[meter]]\nname = "{name}"\nurl = "{TWIN}"\n' for name in ("a", "b"))
    Path("wattrail.toml").write_text(meters)
    said = wattrail("meter", "read")
    assert said.code == 2
    assert "error: wattrail.toml holds 2 meters; say which: a, b" in said.err
    assert wattrail("meter", "read", "b").code == 0
    said = wattrail("meter", "read", "c")
    assert "error: no meter is named 'c'; known: a, b" in said.err


def test_without_a_meter_it_says_what_to_type(wattrail: Type) -> None:
    said = wattrail("meter", "read")
    assert said.code == 2
    assert "which meter?" in said.err
    assert "hint: for example: 'wattrail meter read twin://pziot-e01'" in said.err


def test_a_front_end_that_is_not_known_is_refused(wattrail: Type) -> None:
    said = wattrail("meter", "read", TWIN, "--front-end", "pziot")
    assert said.code == 2
    assert "unknown front end 'pziot'; known: reference" in said.err
    assert "hint: did you mean pziot-e01?" in said.err


def test_a_front_end_sets_the_scale(wattrail: Type) -> None:
    plain = json.loads(wattrail("meter", "read", TWIN, "--json").out)
    other = json.loads(wattrail("meter", "read", TWIN, "--json", "--front-end", "reference").out)
    assert other["wh_per_count"] != plain["wh_per_count"]


def test_an_unknown_scheme_lists_the_known_ones(wattrail: Type) -> None:
    said = wattrail("meter", "read", "usb://1")
    assert said.code == 2
    assert "unknown scheme 'usb'; known: serial, tcp" in said.err


def test_a_device_that_is_not_there_is_a_port_error(wattrail: Type) -> None:
    said = wattrail("meter", "read", "serial:///dev/ttyUSB77", "--isolated")
    assert said.code == 3
    assert "error: serial:///dev/ttyUSB77: there is no device /dev/ttyUSB77" in said.err


def test_a_chip_strapped_the_other_way_is_a_link_error_with_its_cause(wattrail: Type) -> None:
    for verb in ("read", "registers", "watch"):
        said = wattrail("meter", verb, "twin://pziot-e01?sel=uart")
        assert said.code == 4
        assert "hint: nothing drives the chip's SDO line" in said.err


def test_watching_prints_a_line_a_reading_and_tells_the_statistics(wattrail: Type) -> None:
    said = wattrail("meter", "watch", TWIN, "--count", "3")
    assert said.code == 0
    lines = said.out.splitlines()
    assert [line[:24] for line in lines] == [f"2026-06-21 12:00:0{second}+0000" for second in (1, 2, 3)]
    assert all(line.endswith("SIMULATED") for line in lines)
    assert "3 readings; " in said.err


def test_watching_in_json_prints_an_object_a_line(wattrail: Type) -> None:
    said = wattrail("meter", "watch", TWIN, "--count", "2", "--json")
    assert [json.loads(line)["simulated"] for line in said.out.splitlines()] == [True, True]


@pytest.mark.parametrize("wrong", [("--count", "0"), ("--count", "x"), ("--interval", "-1")])
def test_watching_refuses_numbers_that_make_no_sense(wattrail: Type, wrong: tuple[str, str]) -> None:
    said = wattrail("meter", "watch", TWIN, *wrong)
    assert said.code == 2
    assert "hint: see wattrail meter watch --help" in said.err


def test_on_a_terminal_the_live_view_shows_history_and_mark(manual_clock: ManualClock) -> None:
    with open_meter(TWIN, clock=manual_clock) as meter:
        meter.connect()
        manual_clock.sleep(2)
        history = deque(reading for reading in steady_readings(meter, 1.0, 5) if isinstance(reading, Reading))
        console = Console(record=True, width=100, file=Terminal(), highlight=False)
        console.print(picture(meter, history))
    shown = " ".join(console.export_text().split())
    assert "SIMULATED" in shown
    assert "Voltage" in shown
    assert "▁" in shown
    assert "questions" in shown


def test_a_reading_that_fails_is_skipped_and_the_next_keeps_its_time(manual_clock: ManualClock) -> None:
    meter = FailingMeter(manual_clock, fails={1, 3})
    got = list(steady_readings(meter, 2.0, 5))
    assert [isinstance(item, Reading) for item in got] == [True, False, True, False, True]
    assert meter.asked_at == [0.0, 2.0, 4.0, 6.0, 8.0]


def test_a_first_reading_that_fails_ends_the_watch(manual_clock: ManualClock) -> None:
    with pytest.raises(NoAnswer):
        list(steady_readings(FailingMeter(manual_clock, fails={0}), 1.0, 5))


def test_a_slow_meter_does_not_make_readings_pile_up(manual_clock: ManualClock) -> None:
    meter = FailingMeter(manual_clock, fails=set(), takes_s=1.5)
    list(steady_readings(meter, 1.0, 4))
    assert meter.asked_at == [0.0, 1.5, 3.0, 4.5]


def test_a_lost_port_ends_the_watch_and_still_prints_the_statistics(
    wattrail: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, left = Meter.read, iter(range(2))

    def read(self: Meter) -> Reading:
        if next(left, None) is None:
            raise PortLost("the cable was pulled")
        return reading(self)

    monkeypatch.setattr(Meter, "read", read)
    said = wattrail("meter", "watch", TWIN)
    assert said.code == 3
    assert len(said.out.splitlines()) == 2
    assert "2 readings; " in said.err
    assert said.err.endswith("error: the cable was pulled\n")


def test_ctrl_c_ends_a_watch_cleanly(wattrail: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_self: Meter) -> Reading:
        raise KeyboardInterrupt

    monkeypatch.setattr(Meter, "read", interrupted)
    said = wattrail("meter", "watch", TWIN)
    assert said.code == 0
    assert "0 readings; " in said.err


@pytest.mark.parametrize("url", [TWIN, UART_TWIN])
def test_all_registers_are_shown_with_their_fields(wattrail: Type, url: str) -> None:
    said = wattrail("meter", "registers", url)
    assert (said.code, said.err) == (0, "")
    assert "SIMULATED" in said.out
    for register in REGISTERS:
        assert f"0x{register.address:02X}   {register.name}" in said.out
    assert "cf_cnt_add=absolute" in said.out
    assert "230.0" in said.out


def test_registers_in_json_are_decoded(wattrail: Type) -> None:
    found = json.loads(wattrail("meter", "registers", TWIN, "--json").out)
    assert found["simulated"] is True
    registers = {register["name"]: register for register in found["registers"]}
    assert len(registers) == 19
    assert registers["V_RMS"]["unit"] == "V"
    assert registers["V_RMS"]["value"] == pytest.approx(230, rel=0.01)
    assert registers["MODE"]["fields"]["cf_en"] == 1
    assert registers["MODE"]["words"]["rms_update"] == "ms_400"
    assert registers["MODE"]["changed"] is False
    assert registers["MODE"]["hex"] == "0x087"


def test_a_setting_that_was_changed_is_marked() -> None:
    with open_meter(UART_TWIN, clock=clock.CLOCK) as meter:
        meter.connect()  # sets MODE
        lines = register_lines(meter.read_registers(), meter.calibration, meter.chip)
    assert [line.register.name for line in lines if line.changed] == ["MODE"]
    console = Console(record=True, width=132, file=Terminal())
    console.print(register_table(lines))
    shown = " ".join(console.export_text().split())
    assert "MODE *" in shown
    assert "(after a reset: 0x87)" in shown
    assert "* differs from its value after a reset" in shown


@pytest.mark.parametrize("url", [TWIN, UART_TWIN, "twin://bw-shp10?watts=60&seed=7"])
def test_what_was_recorded_can_be_replayed_as_it_says(wattrail: Type, url: str) -> None:
    said = wattrail("meter", "record", url, "a capture.jsonl", "--count", "3")
    assert said.code == 0
    assert "a capture.jsonl: 3 readings" in said.out
    assert "SIMULATED" in said.out
    recorded = [line[25:] for line in said.err.splitlines()]
    command = shlex.split(said.out.rpartition("replay it: wattrail ")[2])
    replayed = wattrail(*command)
    assert replayed.code == 0
    assert [line[25:] for line in replayed.out.splitlines()] == recorded


@pytest.mark.parametrize("url", [TWIN, UART_TWIN])
def test_a_capture_is_watched_to_its_end_with_its_own_times(
    wattrail: Type, manual_clock: ManualClock, url: str
) -> None:
    # It ended as a port that is lost, with exit code 3, and its readings bore the time of the replay.
    recorded = wattrail("meter", "record", url, "day.jsonl", "--count", "3").err
    manual_clock.advance(86_400)
    before = manual_clock.monotonic()
    said = wattrail("meter", "watch", "replay:day.jsonl")
    assert said.code == 0
    assert said.out == recorded
    assert "3 readings; " in said.err
    assert "error" not in said.err
    assert manual_clock.monotonic() - before < 2.5  # it does not wait a second for each
    first = json.loads(wattrail("meter", "read", "replay:day.jsonl", "--json").out)
    assert first["at"].startswith("2026-06-21T12:00:01")


def test_a_capture_that_ends_before_a_reading_is_an_error(wattrail: Type) -> None:
    wattrail("meter", "record", TWIN, "day.jsonl", "--count", "1")
    lines = Path("day.jsonl").read_text().splitlines(keepends=True)
    Path("day.jsonl").write_text("".join(lines[:4]))
    said = wattrail("meter", "watch", "replay:day.jsonl")
    assert said.code == 3
    assert "the capture ended at line 4" in said.err


def test_a_capture_is_never_overwritten(wattrail: Type) -> None:
    Path("there.jsonl").write_text("precious")
    said = wattrail("meter", "record", TWIN, "there.jsonl")
    assert said.code == 2
    assert "there.jsonl exists already" in said.err
    assert "hint: name another file" in said.err
    assert "overwrite" not in said.err  # this verb has no such option
    assert Path("there.jsonl").read_text() == "precious"


def test_recording_takes_one_end_only(wattrail: Type) -> None:
    said = wattrail("meter", "record", TWIN, "x.jsonl", "--count", "1", "--seconds", "1")
    assert said.code == 2
    assert "--seconds and --count both say when to stop" in said.err


class FailingMeter(Meter):
    """A meter of which only ``read`` is there."""

    recorded_at = None

    def __init__(self, clock: ManualClock, *, fails: set[int], takes_s: float = 0.0) -> None:
        self._clock = clock
        self._fails = fails
        self._takes_s = takes_s
        self.asked_at: list[float] = []

    def read(self) -> Reading:
        turn = len(self.asked_at)
        self.asked_at.append(self._clock.monotonic())
        self._clock.sleep(self._takes_s)
        if turn in self._fails:
            raise NoAnswer("silence")
        return Reading(
            at=self._clock.now(), monotonic=self._clock.monotonic(),
            sample=Quantities(volts=230.0, amps=0.0, watts=0.0, hertz=50.0),
        )  # fmt: skip


@pytest.mark.usefixtures("manual_clock")
def test_the_verbs_take_their_facts_from_the_chip(wattrail: Type) -> None:
    shown = wattrail("meter", "read", "twin://bw-shp10?watts=60").out
    assert "Temperature" in shown
    assert "Hz  (the BL0940 has no register for the line frequency)" in shown
    registers = wattrail("meter", "registers", "twin://bw-shp10?watts=60").out
    assert all(register.name in registers for register in BL0940.registers)
    calibrated = wattrail("meter", "calibrate", "twin://bw-shp10?watts=1150", "--reference", "twin", "--dry-run")
    assert calibrated.code == 0
    assert "the three agree with each other within" in calibrated.out
