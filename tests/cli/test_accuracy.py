"""``wattrail meter accuracy`` as a person types it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal, Type
from tests.cli.test_wave import assert_self_contained
from wattrail.cli.exits import UsageError
from wattrail.cli.meter.accuracy import ManualLoads, MeterReference, asked
from wattrail.clock import ManualClock
from wattrail.meter import open_meter
from wattrail.metrology.iec62053 import LoadPhase, LoadPoint

QUICK = ("--energy-s", "0", "--no-standing")

pytestmark = pytest.mark.usefixtures("manual_clock")


def test_a_twin_is_tested_by_itself_and_keeps_its_report(wattrail: Type) -> None:
    said = wattrail("meter", "accuracy", "twin", "--html", "report.html")
    assert said.code == 0
    assert "SIMULATED" in said.out
    assert "Holds the limits of class 0.5 S (IEC 62053-22:2003)" in said.out
    assert "Starting current of class 1, 20 mA: a count after" in said.out
    assert "No load, 264.5 V: 0 counts in 17.7 min, as it should" in said.out
    assert "22 of 22" in said.err
    page = Path("report.html").read_text(encoding="utf-8")
    assert "Simulated – digital twin" in page
    assert "What a current transformer sees" in page
    assert_self_contained(page)


def test_json_carries_limits_verdicts_and_causes(wattrail: Type) -> None:
    said = wattrail("meter", "accuracy", "twin://pziot-e01?tolerance=3&seed=3", *QUICK, "--json")
    found = json.loads(said.out)
    assert found["simulated"] is True
    assert len(found["loads"]) == found["loads_planned"] == 22
    assert found["loads"][1]["limits_percent"] == {"0.5 S": 0.5, "1": 1.5, "2": 2.5}
    assert found["loads"][1]["energy_error_percent"] is None
    assert [c["verdict"] for c in found["classes"]] == ["fails", "fails", "holds"]
    assert found["class"] == "2"
    assert found["phase_lead_degrees"] == pytest.approx(0.54, abs=0.02)
    assert "leads by 0.54°" in found["causes"][0]


@pytest.mark.parametrize(
    ("wiring", "words"),
    [("neutral", "the sign is turned"), ("both", "nothing is seen"), ("twice", "2 times the current")],
)
def test_a_twin_shows_what_its_wiring_does(wattrail: Type, wiring: str, words: str) -> None:
    said = wattrail("meter", "accuracy", "twin", "--wiring", wiring, *QUICK)
    assert "Holds none of the classes" in said.out
    assert words in said.out


def test_wiring_is_a_twins_and_so_is_its_truth(wattrail: Type) -> None:
    assert "--wiring is a twin's" in wattrail("meter", "accuracy", "tcp://127.0.0.1:1", "--wiring", "both").err
    said = wattrail("meter", "accuracy", "twin", "--reference", "tcp://127.0.0.1:1")
    assert said.code == 2
    assert "its own truth" in said.err


def test_a_shunt_has_no_hole_to_thread(wattrail: Type) -> None:
    said = wattrail("meter", "accuracy", "twin://lspa9", "--wiring", "both")
    assert said.code == 2
    assert "needs a transformer" in said.err


def test_a_meter_nobody_loads_is_not_tested(wattrail: Type) -> None:
    assert wattrail("meter", "record", "twin://lspa9?watts=60", "c.jsonl", "--count", "3").code == 0
    said = wattrail("meter", "accuracy", "replay:c.jsonl")
    assert said.code == 2
    assert "somebody has to set the loads" in said.err


def answers(*words: str) -> Callable[[str], str]:
    left: Iterator[str] = iter(words)
    return lambda _question: next(left)


POINT = LoadPoint(230.0, 5.0, LoadPhase.INDUCTIVE)
OPEN = LoadPoint(264.5, 0.0, LoadPhase.UNITY)


def test_a_person_types_watts_skips_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    loads = ManualLoads(0.2, answers("five", "0", "574,5 W", "s", "", "q"))
    assert loads.set_load(POINT, "point 1 of 3")
    assert loads.watts() == 574.5
    assert loads.watt_hours() is None
    assert not loads.set_load(POINT, "point 2 of 3")
    assert loads.set_load(OPEN, "no load")
    with pytest.raises(EOFError):
        loads.set_load(POINT, "point 3 of 3")
    told = capsys.readouterr().err
    assert "point 1 of 3: 230 V, 5 A, power factor 0.5 inductive (about 575.0 W)" in told
    assert "'five' is not a number of watts" in told
    assert "0 W gives no error" in told
    assert "no load: 264.5 V, and the wire open" in told


def test_another_meter_can_be_the_reference(manual_clock: ManualClock) -> None:
    with open_meter("twin://lspa9?watts=-575", clock=manual_clock) as reference:
        reference.connect()
        loads = MeterReference(reference, None, answers("", "s", "q"))
        assert "SIMULATED" in loads.name
        assert loads.set_load(POINT, "point 1 of 3")
        assert loads.watts() == pytest.approx(-575, rel=0.01)
        assert not loads.set_load(POINT, "point 2 of 3")
        with pytest.raises(EOFError):
            loads.set_load(POINT, "point 3 of 3")


def test_questions_go_to_stderr_and_need_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal("575\n")
    monkeypatch.setattr("sys.stdin", terminal)
    assert asked("watts") == "575"
    with pytest.raises(EOFError):
        asked("watts")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "watts: watts: ")
    monkeypatch.setattr("sys.stdin", io.StringIO("575\n"))
    with pytest.raises(UsageError, match="nobody sits at this terminal"):
        asked("watts")


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1"])
def test_a_time_of_counting_that_is_none_is_refused(wattrail: Type, seconds: str) -> None:
    said = wattrail("meter", "accuracy", "twin", "--energy-s", seconds)
    assert said.code == 2
    assert "Must be" in said.err
