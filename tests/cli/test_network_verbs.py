"""The verbs about one meter, on simulated devices of a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.cli.network_rig import background, house_openbeken, web_device
from tests.sources.conftest import NEEDS_BROKER, Mosquitto
from wattrail.clock import ManualClock, SystemClock
from wattrail.twin.network.openbeken import SimulatedOpenBeken
from wattrail.twin.network.serving import connect_to_broker


@pytest.fixture
def openbeken(manual_clock: ManualClock) -> Iterator[tuple[SimulatedOpenBeken, str]]:
    """A simulated OpenBeken and its URL."""
    device = house_openbeken(manual_clock)
    with web_device(device.answer) as place:
        yield device, f"openbeken://{place}"


Served = tuple[SimulatedOpenBeken, str]


def test_a_device_is_read_as_a_table_with_dashes(wattrail: Type, openbeken: Served) -> None:
    _, url = openbeken
    said = wattrail("meter", "read", url)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == url
    assert lines[1].startswith("SIMULATED")
    assert "Power              1150.0 W" in said.out
    assert lines[-1].split() == ["Energy", "4200.000", "Wh", "(import", "+", "export)"]


def test_a_device_in_json_carries_registers_and_evidence(wattrail: Type, openbeken: Served) -> None:
    said = json.loads(wattrail("meter", "read", openbeken[1], "--json").out)
    assert said["simulated"] is True
    assert said["watts"] == pytest.approx(1150)
    (register,) = said["registers"]
    assert (register["wh"], register["step_mwh"], register["class"]) == (4200.0, "1/1000", "B")
    assert said["evidence"]["reset_reason"] == "0 - Pwr"


def test_a_device_without_a_sign_says_what_to_set(wattrail: Type, manual_clock: ManualClock) -> None:
    device = house_openbeken(manual_clock, is_signed=False)
    with web_device(device.answer) as place:
        said = wattrail("meter", "read", f"openbeken://{place}")
    assert "on the meter, set flag 25" in said.err


def test_registers_are_shown_with_class_and_evidence(wattrail: Type, openbeken: Served) -> None:
    said = wattrail("meter", "registers", openbeken[1])
    assert said.code == 0
    assert "0.001 mWh" in said.out
    assert "B, saved: a power cut takes it back to its last save" in said.out
    assert "Last boot       0 - Pwr, the power came on" in said.out
    assert "Boots           –" in said.out
    register = json.loads(wattrail("meter", "registers", openbeken[1], "--json").out)["registers"][0]
    assert register["class_words"].startswith("saved")


def test_watching_a_device_outlasts_a_failed_poll(wattrail: Type, openbeken: Served) -> None:
    device, url = openbeken
    usual, polls = device.command, []

    def empty_at_the_second_poll(line: str) -> str:
        polls.append(line)
        return "" if len(polls) == 2 else usual(line)

    device.command = empty_at_the_second_poll  # type: ignore[method-assign]
    said = wattrail("meter", "watch", url, "--count", "3")
    assert said.code == 0
    assert len(said.out.splitlines()) == 2
    assert "no reading: " in said.err
    assert "2 readings; 1 failed, signal -61 dBm" in said.err


def test_what_a_device_says_is_recorded_and_replayed(wattrail: Type, openbeken: Served, tmp_path: Path) -> None:
    _, url = openbeken
    capture = tmp_path / "day.jsonl"
    said = wattrail("meter", "record", url, str(capture), "--count", "3")
    assert said.code == 0
    assert "3 readings" in said.out
    assert "SIMULATED" in said.out
    header = json.loads(capture.read_text().splitlines()[0])
    assert (header["kind"], header["url"], header["simulated"]) == ("http", url, True)
    replayed = wattrail("meter", "watch", f"replay:{capture}")
    assert replayed.code == 0
    assert len(replayed.out.splitlines()) == 3
    assert replayed.out.splitlines()[1].startswith("2026-06-21 12:00:02")
    assert "4200.000 Wh" in wattrail("meter", "read", f"replay:{capture}").out


def test_a_capture_of_a_device_is_not_one_of_a_chip(wattrail: Type, openbeken: Served, tmp_path: Path) -> None:
    capture = tmp_path / "device.jsonl"
    wattrail("meter", "record", openbeken[1], str(capture), "--count", "1")
    said = wattrail("meter", "wave", f"replay:{capture}")
    assert said.code == 2
    assert "is read through its firmware" in said.err


@pytest.mark.parametrize("verb", ["wave", "accuracy", "calibrate"])
def test_verbs_for_a_chip_name_the_remedy(wattrail: Type, verb: str) -> None:
    said = wattrail("meter", verb, "openbeken://192.0.2.1")
    assert said.code == 2
    assert (
        "openbeken://192.0.2.1 is read through its firmware, and this verb needs the metering chip itself" in said.err
    )
    assert "name its metering chip by a wire, such as spi:///dev/spidev0.0" in said.err


def test_options_of_a_chip_are_refused_for_a_device(wattrail: Type) -> None:
    said = wattrail("meter", "read", "openbeken://192.0.2.1", "--front-end", "pziot-e01")
    assert said.code == 2
    assert "--front-end belongs to a metering chip on a wire" in said.err


@NEEDS_BROKER
def test_a_device_behind_a_broker_is_read_and_recorded(wattrail: Type, tmp_path: Path) -> None:
    broker, device = Mosquitto(tmp_path), house_openbeken()
    broker.start()
    url = f"mqtt://127.0.0.1:{broker.port}/{device.client}?device=openbeken"
    capture = tmp_path / "mqtt.jsonl"
    with background() as loop:
        loop.spawn(connect_to_broker(device, port=broker.port, interval_s=0.05))
        said = wattrail("meter", "read", url)
        recorded = wattrail("meter", "record", url, str(capture), "--count", "2")
    broker.stop()
    assert said.code == 0
    assert "Energy           4200.000 Wh" in said.out
    assert recorded.code == 0
    header, *events = map(json.loads, capture.read_text().splitlines())
    assert header["kind"] == "mqtt"
    values = {event["topic"]: event["payload"] for event in events}
    assert values[f"{device.client}/power/get"] == "1150.00"  # what it publishes, not only what it is asked for
    assert len(wattrail("meter", "watch", f"replay:{capture}").out.splitlines()) >= 2


@pytest.fixture
def quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds side by side are enough for a verdict on power."""
    monkeypatch.setattr("wattrail.sources.source_reader._POLL_S", 0.1)
    monkeypatch.setattr("wattrail.cli.meter.compare._CHIP_PAUSE_S", 0.1)


@pytest.mark.usefixtures("quick_polls")
def test_a_chip_and_a_firmware_are_compared(wattrail: Type) -> None:
    with web_device(house_openbeken(SystemClock()).answer) as place:
        url = f"openbeken://{place}"
        said = wattrail("meter", "compare", "twin://pziot-e01?watts=1150&seed=7", url, "--seconds", "2", "--json")
    assert said.code == 0
    found = json.loads(said.out)
    assert found["compared"] == url
    assert found["simulated"] is True
    assert abs(found["power"]["percent"]) < 1
    assert found["energy"]["uncertainty"] > 0
    assert min(found["readings"]) > 4


@pytest.mark.usefixtures("quick_polls")
def test_a_wrong_calibration_shows_in_a_comparison(wattrail: Type) -> None:
    with web_device(house_openbeken(SystemClock()).answer) as place:
        said = wattrail(
            "meter", "compare", "twin://pziot-e01?watts=1300&seed=7", f"openbeken://{place}", "--seconds", "2"
        )
    assert said.code == 0
    assert said.out.startswith("reference: twin://pziot-e01?watts=1300&seed=7\nSIMULATED")
    assert "Verdict: they differ in power: -11." in said.out


def test_a_meter_is_not_compared_with_itself(wattrail: Type) -> None:
    said = wattrail("meter", "compare", "openbeken://192.0.2.1", "openbeken://192.0.2.1")
    assert said.code == 2
    assert "name two meters that measure the same conductor" in said.err


def test_a_comparison_ends_where_one_never_answers(wattrail: Type, openbeken: Served) -> None:
    said = wattrail("meter", "compare", openbeken[1], "openbeken://127.0.0.1:9", "--seconds", "1000000")
    assert said.code == 3
    assert "http://127.0.0.1:9: cannot connect" in said.err


@pytest.mark.usefixtures("quick_polls")
def test_captures_are_compared_to_the_end_of_the_shorter(wattrail: Type, openbeken: Served, tmp_path: Path) -> None:
    chip, device = tmp_path / "chip.jsonl", tmp_path / "device.jsonl"
    wattrail("meter", "record", "twin://pziot-e01?watts=1150&seed=7", str(chip), "--count", "4")
    wattrail("meter", "record", openbeken[1], str(device), "--count", "3")
    for pair in ((chip, device), (device, chip)):
        said = wattrail("meter", "compare", *(f"replay:{capture}" for capture in pair), "--seconds", "60")
        assert said.code == 0
        assert "Verdict: " in said.out
        assert "no reading" not in said.err
