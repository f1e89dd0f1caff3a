"""Which meters the first page draws between grid, house and roof."""

from __future__ import annotations

import pytest

from wattrail.app import plan_service
from wattrail.app.config import parse_config
from wattrail.app.plan import HouseMeters
from wattrail.errors import ConfigError

TWO = """
[[meter]]
name = "grid"
url = "twin://pziot-e01"
[[meter]]
name = "inverter"
url = "twin://pziot-e01?watts=-800"
"""


def drawn(text: str) -> HouseMeters:
    plan = plan_service(parse_config(text, "wattrail.toml"))
    assert plan.web is not None
    return plan.web.house


def test_an_only_meter_stands_at_the_grid() -> None:
    assert drawn(TWO.split('[[meter]]\nname = "inverter"')[0]) == HouseMeters(grid="grid")


def test_of_two_meters_none_is_guessed() -> None:
    assert drawn(TWO) == HouseMeters()


def test_the_site_says_which_is_which() -> None:
    assert drawn(f'[site]\ngrid = "grid"\nsolar = "inverter"\n{TWO}') == HouseMeters("grid", "inverter")


def test_a_self_consumption_says_it_too() -> None:
    virtual = '[[virtual]]\nname = "own"\nkind = "self_consumption"\nsolar = "inverter"\ngrid = "grid"\n'
    assert drawn(TWO + virtual) == HouseMeters("grid", "inverter")


def test_a_name_that_no_meter_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is no meter 'mains'") as refused:
        drawn(f'[site]\ngrid = "mains"\n{TWO}')
    assert refused.value.hint == "known: grid, inverter"
