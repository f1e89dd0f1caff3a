"""``wattrail doctor``: what is in order, what is wrong with its remedy, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Type
from wattrail.app.doctor import CHECKS

HOUSE = '[[meter]]\nname = "house"\nurl = "twin://pziot-e01"\n[web]\nport = 0\n[site]\ntimezone = "Europe/Berlin"\n'


def test_every_check_says_something_and_no_error_is_exit_code_0(wattrail: Type, home: Path) -> None:
    Path("wattrail.toml").write_text(HOUSE)
    said = wattrail("doctor")
    assert said.code == 0, said
    names = {line.split()[1] for line in said.out.splitlines()[:-1] if not line.startswith(" ")}
    assert names == {name for name, _ in CHECKS}
    assert said.out.splitlines()[-1].startswith("0 errors")
    assert not list(home.iterdir()), "it changes nothing"


def test_what_the_configuration_leads_to_is_an_error_too(wattrail: Type) -> None:
    Path("wattrail.toml").write_text(f'{HOUSE}[publish.p1]\nmeter = "hose"\n')
    said = wattrail("doctor")
    assert said.code == 1
    assert "error    configuration  [publish.p1] names an unknown meter 'hose'; known: house" in said.out


def test_an_error_has_its_remedy_and_exit_code_1_also_as_json(wattrail: Type) -> None:
    Path("wattrail.toml").write_text(HOUSE.replace("[web]", "[wep]"))
    said = wattrail("doctor")
    assert said.code == 1
    assert "error    configuration  wattrail.toml, line 4: the file has no field 'wep'" in said.out
    assert "remedy: did you mean web?" in said.out
    objects = json.loads(wattrail("doctor", "--json").out)
    assert {"check", "severity", "text", "remedy"} == set(objects[0])
    assert objects[0]["severity"] == "error"
