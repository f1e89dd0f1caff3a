"""A report for strangers: every part of the journey plants something private, and none of it is in the file."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.app.doctor.test_checks import Machine
from wattrail.app.config import parse_config
from wattrail.app.doctor import Surroundings
from wattrail.app.plan import plan_service
from wattrail.app.support_report import Attachment, known_values, support_report
from wattrail.app.support_report.report import SECTIONS
from wattrail.errors import WattrailError
from wattrail.gateway.logs import formatter_of
from wattrail.redaction import Private, PrivateKind, leaks

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
CONFIGURATION = """\
# Anna's meters, at 52.520812, 13.409401
[[meter]]
name = "kitchen"
url = "openbeken://annas-plug.fritz.box"

[[meter]]
name = "roof"
url = "tasmota://192.168.178.31?login=roofuser"

[publish.home_assistant]
broker = "mqtt://broker.anna.example.net"

[[publish.webhook]]
name = "phone"
url = "https://hooks.example.org/services/T02ABCDEF/Zk39dkslPQ02mdkz"
events = ["alarms"]
"""
SECRETS = '["broker.anna.example.net"]\nuser = "annamqtt"\npassword = "correct horse"\n'
ENVIRONMENT = {"WATTRAIL_LOGIN_ROOFUSER": "roofadmin:battery staple", "USER": "annaw"}
LOG = """\
2026-07-01 warning kitchen at 192.168.178.30 did not answer
joined SSID Barn 7, bssid=7C:F6:66:1A:2B:3C, ip 192.168.178.30 gw 192.168.178.1 mask 255.255.255.0
{"ssid": "Barn 7", "local_key": "7f3kPq9ZtX2mW8bd", "devid": "bf1234567890abcdef12"}
GET /cm?user=admin&password=%62attery%20staple
"""
PLANTED = (
    "52.520812", "13.409401", "annas-plug", "fritz.box", "192.168.178", "roofuser", "broker.anna", "annamqtt",
    "correct horse", "battery staple", "roofadmin", "annaw", "Zk39dkslPQ02mdkz", "hooks.example", "Barn 7",
    "7C:F6:66", "1A:2B:3C", "7f3kPq9ZtX2mW8bd", "bf1234567890abcdef12", "annasbox", "0b1c2d3e4f5a", "02:00:5e:10",
)  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.write(CONFIGURATION)
    (tmp_path / "secrets.toml").write_text(SECRETS)
    (tmp_path / "etc" / "machine-id").write_text("0b1c2d3e4f5a69788796a5b4c3d2e1f0\n")
    (tmp_path / "etc" / "hostname").write_text("annasbox\n")
    card = tmp_path / "sys" / "class" / "net" / "eth0"
    card.mkdir(parents=True)
    (card / "address").write_text("02:00:5e:10:20:30\n")
    return made


def around(machine: Machine) -> Surroundings:
    config = parse_config(machine.file.read_text(), "wattrail.toml")
    return Surroundings(
        file=machine.file, config=config, plan=plan_service(config), database=machine.database,
        secrets=machine.folder / "secrets.toml",
        **{name: machine.folder / name for name in ("proc", "sys", "etc", "run")},
    )  # fmt: skip


def report(machine: Machine, *attachments: Attachment) -> str:
    surroundings = around(machine)
    offline = [section for section in SECTIONS if section[0] not in {"What the doctor finds", "Gateway"}]
    return support_report(
        surroundings, at=NOON, known=known_values(surroundings, ENVIRONMENT), attachments=attachments, sections=offline
    )


def test_nothing_that_was_planted_is_left(machine: Machine) -> None:
    written = report(machine, Attachment("annasbox.log", LOG))
    for planted in PLANTED:
        assert planted.lower() not in written.lower()
        assert base64.b64encode(planted.encode()).decode().rstrip("=") not in written
        assert planted.encode().hex() not in written


def test_what_helps_is_still_there(machine: Machine) -> None:
    written = report(machine, Attachment("gateway.log", LOG))
    for kept in ("wattrail 0.", "Python 3", 'name = "kitchen"', "did not answer", "255.255.255.0", "== gateway.log"):
        assert kept in written


def test_one_address_has_one_label_in_configuration_and_log(machine: Machine) -> None:
    written = report(machine, Attachment("log", "tried 192.168.178.31 twice"))
    (label,) = [
        line.partition("tasmota://")[2].partition("?")[0] for line in written.splitlines() if "tasmota://" in line
    ]
    assert label.startswith("<address")
    assert f"tried {label} twice" in written


def test_a_section_that_fails_is_said_and_costs_no_other(machine: Machine) -> None:
    def fails(_around: Surroundings) -> Iterator[str]:
        yield "before"
        raise OSError("192.168.178.99 is gone")

    written = support_report(
        around(machine), at=NOON, known=(), sections=[("Broken", fails), ("Fine", lambda _: iter(["after"]))]
    )
    assert "before\nthis could not be collected: OSError: <address 1> is gone" in written
    assert "== Fine\n\nafter" in written


def test_of_a_long_log_the_end_stays(machine: Machine) -> None:
    written = report(machine, Attachment("log", "old\n" * 60_000 + "newest"))
    assert "characters are left out" in written
    assert written.rstrip().endswith("newest")


@pytest.mark.parametrize("name", ["vm", "debian", "networks", "report", "before"])
def test_a_machine_called_by_a_common_word_gets_its_report(machine: Machine, name: str) -> None:
    (machine.folder / "etc" / "hostname").write_text(f"{name}\n")
    written = report(machine, Attachment("log", f"2026-07-01T12:00:00 {name} wattrail[12]: started"))
    assert written.startswith("wattrail support report, 2026-07-01\n")
    assert "names of networks, hosts and users" in written
    assert "2026-07-01T12:00:00 <host " in written
    assert name not in written.rpartition("2026-07-01T12:00:00")[2]


def test_a_report_with_something_left_is_not_written(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattrail.redaction.redactor._TextForms.spans_of", lambda _views, _private: iter(()))
    with pytest.raises(WattrailError, match="the report is not written") as refused:
        report(machine, Attachment("log", LOG))
    assert "192.168" not in str(refused.value)


@pytest.mark.parametrize("format_", ["text", "json"])
def test_a_log_for_others_has_labels(format_: str) -> None:
    formatter = formatter_of(format_, in_journal=False, redacts=True)
    lines = [
        formatter.format(logging.LogRecord("w", logging.WARNING, "", 0, text, (), None))
        for text in ("192.168.178.30 did not answer", 'status {"ssid": "Barn7"}', "lost 192.168.178.30 in Barn7")
    ]
    assert "<address 1> did not answer" in lines[0]
    assert "lost <address 1> in <network 1>" in lines[2]
    values = [Private(PrivateKind.ADDRESS, "192.168.178.30"), Private(PrivateKind.NETWORK, "Barn7")]
    assert leaks("\n".join(lines), values) == ()
    if format_ == "json":
        assert json.loads(lines[2])["message"] == "lost <address 1> in <network 1>"
