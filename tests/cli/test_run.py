"""What ``wattrail run`` would do: the plan, the notice, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from wattrail.app.config import parse_config
from wattrail.app.plan import HouseMeters, ServicePlan, WebPlan, plan_service
from wattrail.cli import safety
from wattrail.cli.run import demo_notice, run
from wattrail.extras import install_command
from wattrail.store import open_to_read
from wattrail.transport.discovery import DeviceCandidate

FILE = """\
[[meter]]
name = "bench"
url = "twin://pziot-e01?watts=100"
front_end = "pziot-e01"
inverted = true
poll_s = 2.0
[store]
path = "meters.sqlite"
[web]
host = "0.0.0.0"
port = 8080
[site]
timezone = "Europe/Berlin"
"""
ADAPTER = DeviceCandidate("serial:///dev/ttyUSB0", "UART", "QinHeng USB Serial")


def planned(text: str | None = None, **typed: object) -> ServicePlan:
    config = None if text is None else parse_config(text, "wattrail.toml")
    return plan_service(config, **typed)  # type: ignore[arg-type]


def test_the_configured_meters_are_the_plan() -> None:
    service = planned(FILE)
    (meter,) = service.gateway.meters
    assert (meter.name, meter.front_end, meter.inverted, meter.poll_s) == ("bench", "pziot-e01", True, 2.0)
    assert service.web == WebPlan(host="0.0.0.0", port=8080, house=HouseMeters("bench"))
    assert service.database == Path("meters.sqlite")
    assert service.gateway.zone == "Europe/Berlin"
    assert service.demo is None


def test_what_is_typed_beats_what_is_written() -> None:
    service = planned(FILE, host="::1", port=0, database=Path("other.sqlite"))
    assert service.web == WebPlan(host="::1", port=0, house=HouseMeters("bench"))
    assert service.database == Path("other.sqlite")


def test_without_a_page_nothing_of_the_page_is_planned() -> None:
    assert planned(FILE, web=False).web is None
    assert planned().web == WebPlan(host="127.0.0.1", port=8042, house=HouseMeters("twin", "roof"))


@pytest.mark.parametrize("text", [None, "", '[store]\npath = "meters.sqlite"\n'])
def test_without_a_meter_two_twins_run_in_a_database_of_their_own(home: Path, text: str | None) -> None:
    service = planned(text)
    assert service.demo is not None
    assert [(meter.name, meter.url) for meter in service.gateway.meters] == [
        ("twin", "twin://pziot-e01?scenario=house"), ("roof", "twin://pziot-e01?scenario=roof")
    ]  # fmt: skip
    assert service.database == home / "data" / "wattrail" / "simulated.sqlite"


def test_only_a_demonstration_without_a_tariff_has_an_example_of_one(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('name = "Own"\ncurrency = "EUR"\n[[price]]\nfrom = 2026-01-01\nrates = 0.3\n')
    tariffs = f'[site]\ntariffs = ["{tmp_path}/own.toml"]\n'
    assert [tariff.name for tariff in planned().tariffs] == ["Example"]
    demo = planned(tariffs).demo
    assert demo is not None
    assert demo.tariff is None
    assert [tariff.name for tariff in planned(tariffs).tariffs] == ["Own"]
    assert planned(FILE).tariffs == ()


def test_the_notice_says_simulated_and_gives_the_lines_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattrail.app.plan.list_candidates", lambda: (ADAPTER,))
    service = planned()
    assert service.demo is not None
    notice = demo_notice(service.demo)
    assert "SIMULATED" in notice
    assert "none was opened" in notice
    lines = notice[notice.index("[[meter]]") :]
    (meter,) = parse_config(lines, "pasted").meter
    assert meter.url == ADAPTER.url


def test_the_notice_says_when_nothing_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattrail.app.plan.list_candidates", lambda: ())
    demo = planned().demo
    assert demo is not None
    assert "No port of this machine" in demo_notice(demo)


def test_configured_wires_are_asked_about_before_anything_starts(wattrail: Type) -> None:
    Path("wattrail.toml").write_text('[[meter]]\nname = "a"\nurl = "serial:///dev/ttyUSB77"\n')
    said = wattrail("run")
    assert said.code == 2
    assert "mains potential" in said.err


@pytest.mark.parametrize("url", ["openbeken://192.0.2.7", "mqtt://192.0.2.1?device=openbeken&topic=obk1"])
def test_a_mounted_meter_on_the_network_asks_about_no_wires(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    safety.confirm([url])
    assert capsys.readouterr().err == ""


def test_a_broken_configuration_starts_nothing(wattrail: Type, home: Path) -> None:
    Path("wattrail.toml").write_text('[[meter]]\nname = "a"\nurl = "twin://pziot-e01"\npoll = 1\n')
    said = wattrail("run")
    assert said.code == 2
    assert "error: wattrail.toml, line 4: meter[1] has no field 'poll'" in said.err
    assert not (home / "data").exists()


def test_without_the_web_library_the_install_command_is_given(wattrail: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    said = wattrail("run", "--port", "0")
    assert said.code == 2
    assert "error: the dashboard needs the library" in said.err
    assert f"hint: {install_command('nicegui', 'run')}" in said.err


@pytest.mark.parametrize(
    ("host", "is_open"),
    [
        ("127.0.0.1", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("192.168.1.5", True),
    ],
)
def test_only_this_machine_is_not_the_network(host: str, is_open: bool) -> None:
    assert WebPlan(host=host).open_to_network is is_open


def test_serving_to_the_network_without_tls_is_said_aloud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("wattrail.app.process.run", lambda *_arguments, **_named: None)
    run(host="0.0.0.0", browser=False)
    assert "warning: the page is served at 0.0.0.0 without TLS: passwords, tokens" in capsys.readouterr().err
    run(host="127.0.0.1", browser=False)
    assert "warning" not in capsys.readouterr().err


def test_nothing_is_served_to_a_network_where_nobody_could_sign_in(wattrail: Type, tmp_path: Path) -> None:
    database = str(tmp_path / "w.sqlite")
    said = wattrail("run", "--host", "0.0.0.0", "--port", "0", "--database", database)
    assert said.code == 2
    assert "error: the page is not served at 0.0.0.0, for nobody could sign in" in said.err
    assert f"hint: make a user first: wattrail user add NAME --scope admin --database {database}" in said.err
    assert "or serve this machine alone: --host 127.0.0.1" in said.err
    assert "Traceback" not in said.err
    with open_to_read(Path(database)) as reader:
        assert reader.meters() == (), "no past was generated for a page that nobody sees"


@pytest.mark.parametrize("words", [["--host", "::1"], ["--port", "0"], ["--open"]])
def test_a_page_that_is_not_served_has_no_address(wattrail: Type, words: list[str]) -> None:
    said = wattrail("run", "--no-web", *words)
    assert said.code == 2
    assert "error: --no-web serves no page" in said.err


def test_a_folder_that_is_made_for_the_database_is_said(wattrail: Type, tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.touch()
    folder = taken / "below"
    said = wattrail("run", "--no-web", "--database", str(folder / "w.sqlite"))
    assert said.code != 0  # below a file nothing can be made, so that this story ends
    assert f"note: the folder {folder} is made for the database" in said.err
