"""Scenarios: TOML files that say what the mains and the house behind them do. The format is in docs/twin.md."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from wattrail.errors import ConfigError
from wattrail.files import read_text
from wattrail.toml_schema import needs_pydantic, read_model
from wattrail.twin.mains import Mains

__all__ = ["load_scenario", "parse_scenario", "scenario_names"]


def scenario_names() -> list[str]:
    """The scenarios that come with the twin."""
    folder = files("wattrail.twin") / "scenarios"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_scenario(name: str, *, starts_at: float = 0.0, seed: int = 0) -> Mains:
    """The mains of a scenario by its name, or of a file by its path (anything ending in .toml).

    Raises FileError for a file that cannot be read, ConfigError for an unknown name or a field that does not fit,
    MissingExtra without pydantic.
    """
    if name.endswith(".toml"):
        text = read_text(Path(name))
    elif name in scenario_names():
        text = (files("wattrail.twin") / "scenarios" / f"{name}.toml").read_text(encoding="utf-8")
    else:
        close = get_close_matches(name, scenario_names(), n=1)
        raise ConfigError(
            f"no scenario {name!r}; known: {', '.join(scenario_names())}",
            hint=f"did you mean {close[0]}?" if close else "a file of your own ends in .toml",
        )
    return parse_scenario(text, where=name, starts_at=starts_at, seed=seed)


def parse_scenario(text: str, *, where: str, starts_at: float = 0.0, seed: int = 0) -> Mains:
    """The mains that a scenario's text describes. Raises ConfigError by ``where``, line and field, MissingExtra."""
    with needs_pydantic("a twin", extra="twin"):
        from wattrail.twin.scenario_schema import ScenarioFile

        return read_model(ScenarioFile, text, f"scenario {where}").build(starts_at=starts_at, seed=seed)
