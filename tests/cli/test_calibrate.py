"""Calibrating at the command line: on twins, by typed values, at a terminal; and what is kept of it."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal, Type
from wattrail.app.config import data_dir
from wattrail.clock import ManualClock
from wattrail.errors import StoreError
from wattrail.gateway import Feed, MeterPlan
from wattrail.gateway.source import open_planned
from wattrail.gateway.worker import Worker
from wattrail.store import GatewayLock, open_store

pytestmark = pytest.mark.usefixtures("manual_clock")

OFF = "twin://pziot-e01?volts=230&amps=10&seed=1&tolerance=5"
IDEAL = "twin://pziot-e01?volts=230&amps=10&seed=1"
CALIBRATE = ("meter", "calibrate")
TRUTH = ("--reference", "twin")
KEPT = ("--apply", "--name", "bench", "--by", "anna")


def keeping(wattrail: Type, url: str = OFF, *more: str) -> None:
    said = wattrail(*CALIBRATE, url, *TRUTH, *KEPT, *more)
    assert said.code == 0, said.err


def kept_by(name: str = "bench", database: str = "simulated.sqlite") -> list[dict[str, object]]:
    with closing(sqlite3.connect(data_dir() / database)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM calibration WHERE meter = ?", (name,))]


def test_a_command_says_how_a_gateway_takes_up_what_it_keeps(wattrail: Type) -> None:
    alone = "no gateway runs on this database: the next one takes it as it starts"
    assert alone in wattrail(*CALIBRATE, OFF, *TRUTH, *KEPT).err
    with GatewayLock(data_dir() / "simulated.sqlite"):
        calibrating = wattrail(*CALIBRATE, OFF, *TRUTH, *KEPT).err
        restoring = wattrail("calibration", "restore", "bench").err
    for said in (calibrating, restoring):
        assert "a gateway runs, process " in said
        assert "wattrail reload applies it; the past keeps its own" in said
    assert alone in wattrail("calibration", "restore", "bench").err


# ---- measuring


def test_a_twin_off_by_five_per_cent_is_calibrated_against_its_truth(wattrail: Type) -> None:
    said = wattrail(*CALIBRATE, OFF, *TRUTH, "--json")
    found = json.loads(said.out)
    assert found["simulated"] is True
    assert found["acceptable"] is True
    assert found["kept"] is None
    Path("wattrail.toml").write_text(f'[[meter]]\nname = "bench"\nurl = "{OFF}"\n{found["toml"]}\n')
    reading = json.loads(wattrail("meter", "read", "--json").out)
    assert reading["volts"] == pytest.approx(230.0, rel=1e-3)
    assert reading["amps"] == pytest.approx(10.0, rel=1e-3)
    assert reading["watts"] == pytest.approx(2300.0, rel=1e-3)


def test_the_proposal_shows_before_after_and_a_line_to_paste(wattrail: Type) -> None:
    said = wattrail(*CALIBRATE, OFF, *TRUTH, "--dry-run")
    assert said.code == 0
    assert said.out.startswith(f"{OFF}\nSIMULATED")
    assert "counts per volt     15883.34    16435.18   +3.47 %" in said.out
    assert "calibration = { counts_per_volt = 16435." in said.out
    assert "waiting for the load to settle" in said.err
    assert not (data_dir() / "simulated.sqlite").exists()


def test_several_loads_show_how_far_each_is_off_the_line(wattrail: Type) -> None:
    said = wattrail(*CALIBRATE, OFF, *TRUTH, "--loads", "2,5,10,10@0.5", "--dry-run")
    assert said.code == 0
    assert "off the line, by load" in said.out
    assert "load 4: 10 readings, reference 230 V, 10 A, 1150 W" in said.out
    assert "the transformer turns the current by" in said.out


def test_typed_values_calibrate_one_load(wattrail: Type) -> None:
    said = wattrail(*CALIBRATE, IDEAL, "--volts", "230.0", "--amps", "10.00", "--watts", "2300", "--json")
    found = json.loads(said.out)
    assert found["after"]["counts_per_volt"] == pytest.approx(15883.34, rel=1e-4)
    # the last digit typed: 0.1 V of 230 V, over the square root of 12
    assert found["evidence"]["uncertainty"]["counts_per_volt"] == pytest.approx(0.1 / math.sqrt(12) / 230, rel=1e-3)
    assert len(found["evidence"]["points"][0]["counts"]) == 10


@pytest.mark.parametrize(
    ("url", "typed", "says"),
    [
        (IDEAL, ("--amps", "1.00", "--watts", "2300"), "10 times too small: look at the decimal point"),
        (IDEAL, ("--volts", "230", "--amps", "5.00", "--watts", "1150"), "say --turns 2"),
        (f"{IDEAL}&wiring=twice", TRUTH, "say --turns 2"),
        (f"{IDEAL}&pf=0.5", ("--volts", "230", "--amps", "10.00", "--watts", "1150"), "the load is not resistive"),
        (f"{IDEAL}&pf=0.5", ("--volts", "230", "--amps", "10.00", "--watts", "2300"), "does it show VA"),
        (IDEAL, ("--volts", "230", "--amps", "10.00", "--watts", "2500"), "no load does that"),
    ],
)
def test_what_looks_wrong_is_named_and_nothing_is_kept(
    wattrail: Type, url: str, typed: tuple[str, ...], says: str
) -> None:
    said = wattrail(*CALIBRATE, url, *typed, *KEPT)
    assert said.code == 1
    assert [line.split(": ")[0] for line in said.out.splitlines() if says in line] == ["finding"]
    assert "error: findings speak against this calibration; nothing was kept" in said.err
    assert not (data_dir() / "simulated.sqlite").exists()


def test_who_insists_is_obeyed(wattrail: Type) -> None:
    keeping(wattrail, f"{IDEAL}&wiring=twice", "--allow", "turns")
    (row,) = kept_by()
    assert row["micro_counts_per_amp"] == pytest.approx(2 * 138_167.4e6, rel=1e-4)
    assert "say turns=2" in str(row["evidence"])
    assert "\nfinding: current reads 2 times" in wattrail("calibration", "show", "bench").out


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        (("--volts", "120.0"), "parts"),  # for 230 V
        (("--amps", "7.500"), "parts"),  # for 10 A
        (("--amps", "10"), "uncertain"),  # one ampere is the finest step that was typed
    ],
)
def test_what_no_parts_can_be_is_kept_only_in_its_own_word(wattrail: Type, typed: tuple[str, ...], word: str) -> None:
    said = wattrail(*CALIBRATE, IDEAL, *typed, *KEPT)
    assert said.code == 1
    assert f"keep it with --allow {word}\n" in said.err
    assert wattrail(*CALIBRATE, IDEAL, *typed, *KEPT, "--allow", "turns").code == 1
    assert not (data_dir() / "simulated.sqlite").exists()
    assert wattrail(*CALIBRATE, IDEAL, *typed, *KEPT, "--allow", word).code == 0


def test_an_unknown_finding_is_refused_before_anything_is_measured(wattrail: Type) -> None:
    said = wattrail(*CALIBRATE, IDEAL, *TRUTH, *KEPT, "--allow", "everything")
    assert said.code == 2
    assert "--allow everything: no such finding; known: two-ways, turns, decimal" in said.err


def test_declared_turns_are_taken_without_a_word(wattrail: Type) -> None:
    keeping(wattrail, f"{IDEAL}&wiring=twice", "--turns", "2")
    assert kept_by()[0]["turns"] == 2


def test_a_wire_the_wrong_way_is_recognised_and_set_right(wattrail: Type) -> None:
    said = wattrail(*CALIBRATE, f"{IDEAL}&wiring=neutral", *TRUTH, *KEPT)
    assert said.code == 0
    assert "note: the wire passes the hole the other way" in said.out
    assert said.out.endswith("inverted = true\n")
    assert kept_by()[0]["inverted"] == 1


def test_a_fluctuating_load_is_refused_with_the_reason(wattrail: Type) -> None:
    Path("restless.toml").write_text(
        '[mains]\nnoise_percent = 5\n[[loads]]\nname = "heater"\nwatts = 2000\n', encoding="utf-8"
    )
    said = wattrail(*CALIBRATE, "twin://pziot-e01?scenario=restless.toml", *TRUTH)
    assert said.code == 1
    assert "error: the load is not steady: the power moved by" in said.err
    assert "hint: take a load that holds still" in said.err


def test_another_meter_is_a_reference_by_its_name(wattrail: Type) -> None:
    Path("wattrail.toml").write_text(f'[[meter]]\nname = "good"\nurl = "{IDEAL}"\n')
    said = wattrail(*CALIBRATE, OFF, "--reference", "good", "--json")
    assert json.loads(said.out)["after"]["counts_per_volt"] == pytest.approx(16435.18, rel=1e-4)


# ---- at a terminal


def sit_down(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    terminal = Terminal("".join(f"{line}\n" for line in answers))
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)


def test_at_a_terminal_a_person_is_led_through_it(wattrail: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    sit_down(monkeypatch, "", "230.0", "10.00", "x", "", "230.0", "10.00", "2300", "", "n", "y")
    said = wattrail(*CALIBRATE, IDEAL, "--name", "bench")
    assert said.code == 0, said.err
    assert "Switch a steady load on" in said.err
    assert "watch the reference from now on" in said.err
    assert "'x' is not a number other than 0" in said.err
    assert "Keep it for bench?" in said.err
    assert len(kept_by()) == 1


def test_at_a_terminal_another_meter_is_read_load_by_load(wattrail: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("wattrail.toml").write_text(f'[[meter]]\nname = "good"\nurl = "{IDEAL}"\n')
    sit_down(monkeypatch, "", "y", "", "n")
    said = wattrail(*CALIBRATE, OFF, "--reference", "good", "--dry-run")
    assert said.code == 0, said.err
    assert "load 2: 10 readings" in said.out


def test_a_reference_counts_by_the_calibration_that_is_kept_for_it(wattrail: Type) -> None:
    Path("wattrail.toml").write_text(f'[[meter]]\nname = "good"\nurl = "{OFF}"\n')
    assert wattrail(*CALIBRATE, "good", *TRUTH, "--apply").code == 0
    said = wattrail(*CALIBRATE, IDEAL, "--reference", "good", "--json")
    assert json.loads(said.out)["after"]["counts_per_volt"] == pytest.approx(15883.34, rel=1e-4)


def test_who_does_not_agree_keeps_nothing(wattrail: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    sit_down(monkeypatch, "", "230.0", "10.00", "2300", "", "n", "")
    assert wattrail(*CALIBRATE, IDEAL, "--name", "bench").code == 0
    assert not (data_dir() / "simulated.sqlite").exists()


def test_a_terminal_that_goes_away_ends_it(wattrail: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    sit_down(monkeypatch)
    said = wattrail(*CALIBRATE, IDEAL)
    assert said.code == 2
    assert "the input ended before the calibration did" in said.err


# ---- without measuring


def test_factory_constants_are_taken_and_checked(wattrail: Type) -> None:
    said = wattrail(*CALIBRATE, IDEAL, "--factory", "15968,12418,3091,2653", *KEPT)
    assert said.code == 0
    assert "counts_per_amp = 124180.000000, counts_per_watt = 309.100000" in said.out
    assert kept_by()[0]["origin"] == "factory"
    for wrong, says in [("0,0,0,0", "store zeros"), ("15968,12418,3091,2700", "the set says 2700")]:
        said = wattrail(*CALIBRATE, IDEAL, "--factory", wrong)
        assert said.code == 1
        assert says in said.err
    assert wattrail(*CALIBRATE, IDEAL, "--factory", "1,2,3").code == 2
    said = wattrail(*CALIBRATE, IDEAL, "--factory", f"{10**20},1,1,1")
    assert said.code == 2
    assert "counts_per_volt must be from 0.001 to 1e+09" in said.err


def test_turns_and_direction_are_settings(wattrail: Type) -> None:
    keeping(wattrail, IDEAL)
    assert wattrail(*CALIBRATE, IDEAL, "--turns", "2", *KEPT).code == 0
    assert wattrail(*CALIBRATE, IDEAL, "--invert", *KEPT).code == 0
    assert wattrail(*CALIBRATE, IDEAL, "--turns", "1", *KEPT).code == 0
    measured, twice, flipped, once = kept_by()
    assert twice["micro_counts_per_amp"] == pytest.approx(2 * int(str(measured["micro_counts_per_amp"])), abs=1)
    assert (flipped["turns"], flipped["inverted"]) == (2, 1)
    assert once["micro_counts_per_amp"] == measured["micro_counts_per_amp"]
    assert once["inverted"] == 1


# ---- what is refused


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "nothing to calibrate against"),
        (("--apply", *TRUTH), "under which name?"),
        (("--apply", "--dry-run", "--name", "a", *TRUTH), "exclude each other"),
        (("--volts", "230", *TRUTH), "exclude each other"),
        (("--loads", "2", "--volts", "230"), "only with --reference twin"),
        (("--loads", "2@x", *TRUTH), "is not a load"),
        (("--loads", "0", *TRUTH), "is not a load"),
        (("--factory", "1,1,1,1", *TRUTH), "exclude each other"),
        (("--name", "a b", *TRUTH), "is not a name for a meter"),
        (("--reference", "ask"), "needs a terminal"),
        (("--readings", "3", *TRUTH), "readings"),
        (("--mains-off", "--volts", "230"), "without mains there are no volts"),
    ],
)
def test_wishes_that_make_no_sense_are_usage_errors(wattrail: Type, words: tuple[str, ...], says: str) -> None:
    said = wattrail(*CALIBRATE, IDEAL, *words)
    assert said.code == 2
    assert says in said.err


@pytest.mark.parametrize(
    ("typed", "says"), [("abc", "is not a number other than 0"), ("-230", "only watts have a sign")]
)
def test_values_that_cannot_be_are_refused(wattrail: Type, typed: str, says: str) -> None:
    said = wattrail(*CALIBRATE, IDEAL, f"--volts={typed}")
    assert said.code == 1
    assert says in said.err


def test_the_truth_is_known_of_twins_alone(wattrail: Type) -> None:
    said = wattrail(*CALIBRATE, "serial:///dev/ttyUSB77", "--isolated", *TRUTH)
    assert said.code == 2
    assert "is not a twin:// URL" in said.err


# ---- what is kept


def test_kept_calibrations_are_listed_shown_exported_and_put_back(wattrail: Type) -> None:
    keeping(wattrail, OFF, "--note", "lab")
    keeping(wattrail, IDEAL)
    listed = wattrail("calibration", "list", "bench").out.splitlines()
    assert listed[0].startswith("    1  2026-06-21 12:00+0000  16435.18")
    assert listed[0].endswith("measured by anna  lab  SIMULATED")
    assert listed[1].startswith("*   2")
    shown = wattrail("calibration", "show", "bench", "1").out
    assert "reference: the twin's own truth" in shown
    assert "loads            1" in shown
    evidence = json.loads(wattrail("calibration", "show", "bench", "1", "--json").out)["evidence"]
    assert len(evidence["points"][0]["counts"]) == 10
    assert wattrail("calibration", "restore", "bench", "--by", "otto").code == 0
    listed = json.loads(wattrail("calibration", "list", "bench", "--json").out)["calibrations"]
    assert [one["origin"] for one in listed] == ["measured", "measured", "restored"]
    assert listed[2]["calibration"] == listed[0]["calibration"]
    assert listed[2]["note"] == "calibration 1"


def test_an_export_is_put_back_elsewhere(wattrail: Type) -> None:
    keeping(wattrail)
    assert wattrail("calibration", "export", "bench", "bench.json").code == 0
    assert wattrail("calibration", "export", "bench", "bench.json").code == 2
    assert json.loads(wattrail("calibration", "export", "bench").out)["format"] == "wattrail calibrations 1"
    elsewhere = ("--database", "other.sqlite")
    said = wattrail("calibration", "restore", "garage", "--file", "bench.json", *elsewhere)
    assert said.code == 0
    assert "garage: calibration 1 of bench from bench.json" in said.out
    (one,) = json.loads(wattrail("calibration", "list", "garage", "--json", *elsewhere).out)["calibrations"]
    assert one["simulated"] is True


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "x"}', '{"format": "wattrail calibrations 1"}'])
def test_a_file_of_another_kind_is_refused(wattrail: Type, text: str) -> None:
    Path("file.json").write_text(text)
    said = wattrail("calibration", "restore", "bench", "--file", "file.json")
    assert said.code == 2
    assert "file.json is not an export of calibrations" in said.err


def test_restoring_can_be_tried_and_needs_something_to_restore(wattrail: Type) -> None:
    keeping(wattrail)
    assert "no calibration before the newest" in wattrail("calibration", "restore", "bench").err
    said = wattrail("calibration", "restore", "bench", "1", "--dry-run", "--json")
    assert json.loads(said.out) == {"meter": "bench", "restored": 1, "kept": None}
    assert len(kept_by()) == 1
    said = wattrail("calibration", "show", "bench", "7")
    assert said.code == 2
    assert "no calibration 7 of bench" in said.err


@pytest.mark.parametrize("sql", ["UPDATE calibration SET turns = 3", "DELETE FROM calibration"])
def test_the_database_itself_refuses_to_change_or_delete_a_calibration(wattrail: Type, sql: str) -> None:
    keeping(wattrail)
    with (
        closing(sqlite3.connect(data_dir() / "simulated.sqlite")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="a calibration is never"),
    ):
        connection.execute(sql)


def test_a_name_nobody_calibrated_has_none(wattrail: Type) -> None:
    said = wattrail("calibration", "list", "attic")
    assert said.code == 0
    assert "no calibration of attic is kept" in said.out
    assert not (data_dir() / "wattrail.sqlite").exists()


def test_the_constants_of_a_twin_never_calibrate_a_meter(wattrail: Type, tmp_path: Path) -> None:
    keeping(wattrail, OFF, "--database", str(tmp_path / "w.sqlite"))
    with open_store(tmp_path / "w.sqlite") as store:
        assert store.calibration("bench", simulated=True) is not None
        assert store.calibration("bench", simulated=False) is None
        one = store.calibrations("bench")[0]
        with pytest.raises(StoreError, match="'bench' is a twin here, and this calibration comes from a meter"):
            store.keep_calibration("bench", one.calibration, simulated=False, origin="factory", by="x", at=one.at)


def test_what_the_file_says_still_wins_and_a_note_says_so(wattrail: Type) -> None:
    Path("wattrail.toml").write_text(
        f'[[meter]]\nname = "bench"\nurl = "{IDEAL}"\ninverted = true\n'
        "calibration = { counts_per_volt = 16000.0, counts_per_amp = 138000.0, counts_per_watt = 344.0 }\n"
    )
    said = wattrail(*CALIBRATE, "bench", *TRUTH, "--apply")
    assert said.code == 0, said.err
    assert "counts per volt     16000.00    15883.34" in said.out
    assert "note: wattrail.toml gives a calibration for bench, and that wins" in said.err
    assert "note: wattrail.toml says inverted = true for bench, and that wins" in said.err
    assert "that wins" in wattrail("calibration", "list", "bench").out


# ---- the gateway


def test_the_gateway_takes_what_is_kept_and_the_past_keeps_its_own(
    wattrail: Type, tmp_path: Path, manual_clock: ManualClock
) -> None:
    path = tmp_path / "w.sqlite"

    def live(seconds: int, **plan: object) -> tuple[float, int]:
        """Watts at the end of that many seconds of a gateway, and how many epochs there are."""
        with open_store(path) as store:
            feed = Feed(manual_clock)
            planned = MeterPlan(name="bench", url=OFF, **plan)  # type: ignore[arg-type]
            worker = Worker(planned, store, feed, clock=manual_clock, opener=open_planned)
            for _ in range(seconds):
                worker.poll_once()
                manual_clock.sleep(1)
            worker.close()
            row = store.meter("bench")
            reading = store.latest(row.id) if row else None
            assert row is not None
            assert reading is not None
            return reading.watts, row.epoch.number

    watts, epoch = live(70)
    assert abs(watts / 2300 - 1) > 0.05
    assert epoch == 1
    keeping(wattrail, OFF, "--database", str(path))
    watts, epoch = live(70, front_end="reference")
    assert watts == pytest.approx(2300, rel=1e-3)
    assert epoch == 2
    watts, epoch = live(5, inverted=True)
    assert watts == pytest.approx(-2300, rel=1e-3)
    assert epoch == 3


def test_a_kept_calibration_is_used_wherever_the_meter_is_read_by_name(wattrail: Type) -> None:
    Path("wattrail.toml").write_text('[[meter]]\nname = "house"\nurl = "twin://pziot-e01?watts=1000"\n')
    before = json.loads(wattrail("meter", "read", "house", "--json").out)["watts"]
    assert wattrail("meter", "calibrate", "house", "--invert", "--apply").code == 0
    after = json.loads(wattrail("meter", "read", "house", "--json").out)["watts"]
    assert before == pytest.approx(1000, rel=0.01)
    assert after == pytest.approx(-1000, rel=0.01)
    by_parts = json.loads(wattrail("meter", "read", "house", "--json", "--front-end", "pziot-e01").out)["watts"]
    assert by_parts == pytest.approx(1000, rel=0.01)


def test_a_reference_out_of_all_bounds_is_refused(wattrail: Type) -> None:
    said = wattrail(*CALIBRATE, IDEAL, "--watts", "1e9", "--dry-run")
    assert said.code == 2
    assert "the reference cannot be right: counts_per_watt must be from 0.001 to 1e+09" in said.err
