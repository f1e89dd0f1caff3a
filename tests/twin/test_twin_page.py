"""The page about twins keeps its word."""

from __future__ import annotations

import re
from pathlib import Path

from wattrail.twin.carrier import OPTIONS
from wattrail.twin.faults import Faults
from wattrail.twin.options import TwinOptions
from wattrail.twin.scenario import parse_scenario

PAGE = (Path(__file__).parents[2] / "docs" / "twin.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_runs_as_printed() -> None:
    for block in _blocks("python"):
        exec(compile(block, "docs/twin.md", "exec"), {})


def test_the_scenario_loads_as_printed() -> None:
    (text,) = _blocks("toml")
    assert set(parse_scenario(text, where="docs/twin.md").loads) == {"lamps", "compressor", "kettle"}


def test_every_option_and_every_fault_is_on_the_page() -> None:
    options = {option.name for option in OPTIONS} | set(TwinOptions.__annotations__)
    faults = {name for name in dir(Faults) if not name.startswith("_")} - {"check_cable", "request", "reply"}
    for name in options:
        assert f"`{name}`" in PAGE, name
    for name in faults:
        assert f"`{name}(" in PAGE, name
