"""``wattrail config check``: everything that is wrong at once, and what would run; nothing is opened."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Type

RIGHT = """\
[[meter]]
name = "house"
url = "serial:///dev/ttyUSB0?baud=4800"
[publish.mqtt]
broker = "mqtt://127.0.0.1"
login = "broker"
"""
WRONG = """\
[[meter]]
name = "a house"
url = "serial:///dev/ttyUSB0"
poll_s = "often"
[web]
prot = 80
[site]
timezone = "Europe/Berlim"
"""


def written(text: str) -> Path:
    file = Path("wattrail.toml")
    file.write_text(text)
    return file


def test_every_problem_is_said_at_once_with_its_line(wattrail: Type) -> None:
    written(WRONG)
    said = wattrail("config", "check")
    assert said.code == 2
    problems = [line for line in said.out.splitlines() if line.startswith("problem: ")]
    places = [line.removeprefix("problem: wattrail.toml, line ").partition(":")[0] for line in problems]
    assert places == ["2", "4", "6", "8"]
    assert "  hint: did you mean port?" in said.out


def test_a_right_file_says_what_would_run_and_opens_nothing(wattrail: Type, home: Path) -> None:
    written(RIGHT)
    said = wattrail("config", "check")
    assert said.code == 0, said
    assert "nothing is wrong" in said.out
    assert "meter     house  serial:///dev/ttyUSB0?baud=4800" in said.out
    assert "publish   mqtt  mqtt://127.0.0.1" in said.out
    assert not list(home.iterdir())


def test_secrets_that_others_may_read_are_a_problem_and_not_shown(wattrail: Type, home: Path) -> None:
    written(RIGHT)
    secrets = home / "config" / "wattrail" / "secrets.toml"
    secrets.parent.mkdir(parents=True)
    secrets.write_text('[broker]\nuser = "u"\npassword = "hunter2"\n')
    secrets.chmod(0o644)
    said = wattrail("config", "check")
    assert said.code == 2
    assert f"chmod 600 {secrets}" in said.out
    assert "hunter2" not in said.out + said.err


def test_a_ca_file_that_holds_no_certificate_is_a_problem(wattrail: Type) -> None:
    Path("ca.pem").write_text("no certificate")
    written(RIGHT.replace("mqtt://", "mqtts://") + 'ca_file = "ca.pem"\n')
    said = wattrail("config", "check")
    assert said.code == 2
    assert "[publish.mqtt]: ca_file ca.pem cannot be used" in said.out


def test_the_same_is_said_as_json(wattrail: Type) -> None:
    file = written(WRONG)
    said = wattrail("config", "check", str(file), "--json")
    assert said.code == 2
    assert len(json.loads(said.out)["problems"]) == 4
    written(RIGHT)
    said = wattrail("config", "check", str(file), "--json")
    assert json.loads(said.out)["meters"] == [{"name": "house", "url": "serial:///dev/ttyUSB0?baud=4800"}]


def test_without_a_file_it_says_so(wattrail: Type) -> None:
    said = wattrail("config", "check")
    assert said.code == 2
    assert "there is no wattrail.toml here" in said.err


def test_virtual_meters_alarms_and_messages_are_checked_too(wattrail: Type) -> None:
    meters = '[[meter]]\nname = "a"\nurl = "twin://pziot-e01"\n[[virtual]]\nname = "v"\nkind = "sum"\nplus = ["a"]\n'
    alarm = '[[alarm]]\nkind = "over-voltage"\n'
    said = wattrail("config", "check", str(written(meters + alarm)))
    assert said.code == 0
    assert "virtual   v  virtual:sum?plus=a" in said.out
    assert "alarm     over-voltage  over-voltage of every meter" in said.out
    Path("ca.pem").write_text("no certificate")
    webhook = '[[publish.webhook]]\nname = "w"\nurl = "https://example.org"\nevents = ["alarms"]\nca_file = "ca.pem"\n'
    said = wattrail("config", "check", str(written(meters + webhook)))
    assert said.code == 2
    assert "[publish.webhook]: ca_file ca.pem cannot be used" in said.out


def test_the_file_is_named_as_for_other_verbs(wattrail: Type) -> None:
    written(WRONG).rename("other.toml")
    for named in (["other.toml"], ["--config", "other.toml"], ["--file", "other.toml"]):
        said = wattrail("config", "check", *named)
        assert (said.code, "problem: other.toml, line 2" in said.out) == (2, True), said


def test_the_first_error_says_how_to_see_all(wattrail: Type) -> None:
    written(WRONG).rename("my house.toml")
    said = wattrail("run", "--config", "my house.toml", "--no-web")
    assert said.code == 2
    assert "(and 3 more errors in this file)" in said.err
    assert "wattrail config check 'my house.toml' names every error" in said.err
    written("[web]\nprot = 80\n")
    assert "config check" not in wattrail("run", "--no-web").err
