"""Seeing what happens: -v and --debug, on every verb and anywhere on the line."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal, Type
from tests.cli.network_rig import background, house_openbeken, web_device
from tests.sources.conftest import NEEDS_BROKER, Mosquitto
from wattrail.chips import BL0942
from wattrail.cli.main import main
from wattrail.clock import ManualClock
from wattrail.front_end import FRONT_ENDS
from wattrail.sanitize import secret_forms
from wattrail.twin.network.serving import connect_to_broker

METER = "twin://pziot-e01?watts=1150&seed=7"


@pytest.mark.usefixtures("manual_clock")
def test_the_printed_voltage_is_in_the_bytes_that_came(wattrail: Type) -> None:
    said = wattrail("meter", "read", METER, "--debug")
    (reply, *_) = re.findall(r"-> 58 04 00 00 00 00  twin:.*\n.*<- ((?:[0-9A-F]{2} ){6})", said.err)
    # The datasheet: two bytes while the address is clocked in, then the count, high byte first, then the checksum.
    count = int.from_bytes(bytes.fromhex(reply)[2:5], "big")
    volts = count / BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"]).counts_per_volt
    assert f"Voltage             {volts:.1f} V" in said.out
    assert f"reading: V_RMS {count} = {volts:.3f} V" in said.err


@pytest.mark.usefixtures("manual_clock")
def test_nothing_is_logged_unless_it_is_asked_for(wattrail: Type) -> None:
    assert wattrail("meter", "read", METER).err == ""
    wattrail("meter", "read", METER, "--debug")
    assert wattrail("meter", "read", METER).err == ""
    assert logging.getLogger("wattrail").level == logging.NOTSET


@pytest.mark.usefixtures("manual_clock")
@pytest.mark.parametrize(
    "typed",
    [("-v", "meter", "read", METER), ("meter", "-v", "read", METER), ("meter", "read", METER, "--verbose")],
)
def test_verbose_stands_anywhere_and_shows_no_frames(wattrail: Type, typed: tuple[str, ...]) -> None:
    said = wattrail(*typed)
    assert said.code == 0
    assert said.err == f"   1.601 meter: connected: {METER}, settings written: MODE was 0x87\n"


@pytest.mark.usefixtures("manual_clock")
def test_results_for_programs_stay_whole(wattrail: Type) -> None:
    said = wattrail("meter", "read", METER, "--json", "--debug")
    assert json.loads(said.out)["meter"] == METER
    assert "->" in said.err


@pytest.mark.usefixtures("manual_clock")
def test_a_live_view_leaves_the_lines_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    assert main(["meter", "watch", METER, "--count", "2", "--debug"]) == 0
    assert capsys.readouterr().err.count("meter: reading: V_RMS ") == 2
    assert "transport:" not in screen.getvalue()


@pytest.mark.usefixtures("manual_clock")
def test_a_twin_and_a_capture_are_known_behind_the_log(wattrail: Type) -> None:
    assert wattrail("meter", "calibrate", METER, "--reference", "twin", "--debug", "--dry-run").code == 0
    assert wattrail("meter", "record", METER, "c.jsonl", "--seconds", "1").code == 0
    plain, seen = (wattrail("meter", "read", "replay:c.jsonl", "--json", *more).out for more in ((), ("--debug",)))
    assert json.loads(seen)["at"] == json.loads(plain)["at"]


@pytest.mark.usefixtures("manual_clock")
def test_a_question_that_was_damaged_is_logged_with_its_reason(wattrail: Type) -> None:
    said = wattrail("meter", "read", "twin://lspa9?errors=0.002&seed=3", "-v")
    assert re.search(r"meter: asking again: \w+ at twin://lspa9.*: ", said.err)


def test_behind_two_dashes_nothing_is_an_option_of_ours(wattrail: Type) -> None:
    assert wattrail("meter", "read", "--", "--debug").err.startswith("error: '--debug' is not a URL")


def test_the_first_page_and_that_of_a_noun_are_what_they_were(wattrail: Type) -> None:
    assert "--debug" in wattrail("--help").out
    assert wattrail("-v").out == wattrail("--help").out
    assert wattrail("meter", "--debug").out == wattrail("meter").out


def test_a_meter_over_http_shows_what_is_asked_and_answered(wattrail: Type, manual_clock: ManualClock) -> None:
    with web_device(house_openbeken(manual_clock).answer) as place:
        said = wattrail("meter", "read", f"openbeken://{place}", "--debug")
    (answer, *_) = re.findall(r"<- 200 ((?:[0-9A-F]{2} )+)\.\.\. \(\d+ bytes\)", said.err)
    assert re.search(
        rf"^ +\d+\.\d{{3}} transport: -> GET /cm\?cmnd=Status%200  http://{place}$", said.err, re.MULTILINE
    )
    assert bytes.fromhex(answer).startswith(b'{"Status":{')
    assert re.search(r"sources: reading: volts 230\.\d+, amps .*, sum 4200000000 = 4200\.000 Wh", said.err)


@NEEDS_BROKER
def test_a_meter_behind_a_broker_shows_each_message(wattrail: Type, tmp_path: Path) -> None:
    broker, device = Mosquitto(tmp_path), house_openbeken()
    broker.start()
    with background() as loop:
        loop.spawn(connect_to_broker(device, port=broker.port, interval_s=0.05))
        said = wattrail("meter", "read", f"mqtt://127.0.0.1:{broker.port}/{device.client}?device=openbeken", "--debug")
    broker.stop()
    power = b"1150.00".hex(" ").upper()
    assert f"transport: <- {device.client}/power/get {power}  broker 127.0.0.1:{broker.port}" in said.err
    assert "sources: reading: " in said.err


@pytest.mark.parametrize("scheme", ["openbeken", "tasmota"])
def test_a_login_that_a_device_gives_back_is_not_shown_as_hex(
    wattrail: Type, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("WATTRAIL_LOGIN_127_0_0_1", "admin:Pl4nted-login")
    with web_device(lambda _, request: b"HTTP/1.1 200 OK\r\n\r\n{" + request) as place:
        said = wattrail("meter", "read", f"{scheme}://{place}", "--debug")
    assert re.search(r"<- 200 \(\d+ bytes, not shown: a login is in them\)", said.err)
    for form in secret_forms("admin", "Pl4nted-login"):
        assert form not in said.err
        assert form.encode().hex(" ").upper() not in said.err


def test_of_the_settings_of_a_device_only_lengths_are_shown(wattrail: Type, manual_clock: ManualClock) -> None:
    with web_device(house_openbeken(manual_clock).answer) as place:
        said = wattrail("device", "info", place, "--debug")
    assert f"transport: -> GET /api/info  http://{place}" in said.err
    assert re.search(r"<- 200 \(\d+ bytes, not shown: settings have passwords in them\)", said.err)
    assert not re.search(r"<- 200 [0-9A-F]{2} ", said.err)
