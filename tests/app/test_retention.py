"""How long readings and rollups are kept, and the tariffs of the page, in wattrail.toml."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from wattrail.app import plan_service
from wattrail.app.config import parse_config
from wattrail.errors import ConfigError
from wattrail.store import DEFAULT_RETENTION

METER = '[[meter]]\nname = "house"\nurl = "twin://pziot-e01"\n'
TARIFF = 'currency = "EUR"\nname = "{name}"\n[[price]]\nfrom = 2026-01-01\nrates = 0.3\n'


def test_without_a_word_readings_are_kept_as_ever() -> None:
    plan = plan_service(parse_config(METER, "w.toml"))
    assert plan.gateway.retention == DEFAULT_RETENTION
    assert DEFAULT_RETENTION.readings == timedelta(days=14)
    assert DEFAULT_RETENTION.hours is None


@pytest.mark.parametrize(
    ("text", "days"), [("1 day", 1), ("30 days", 30), ("2 weeks", 14), ("3 years", 1098), ("for ever", None)]
)
def test_each_tier_is_kept_as_long_as_the_file_says(text: str, days: int | None) -> None:
    config = parse_config(f'{METER}[store]\nkeep_minutes = "{text}"\n', "w.toml")
    kept = plan_service(config).gateway.retention
    assert kept.minutes == (None if days is None else timedelta(days=days))
    assert kept.readings == DEFAULT_RETENTION.readings


@pytest.mark.parametrize("text", ['"0 days"', '"a while"', "14", '"5 fortnights"', '"99999 years"', '"-1 days"'])
def test_a_time_to_keep_that_is_none_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r'line 5: store\.keep_readings: must be a time such as "14 days"'):
        parse_config(f"{METER}[store]\nkeep_readings = {text}\n", "w.toml")


def test_tariffs_of_the_site_are_read_at_the_start(tmp_path: Path) -> None:
    files = [tmp_path / "one.toml", tmp_path / "two.toml"]
    for file in files:
        file.write_text(TARIFF.format(name=file.stem))
    names = ", ".join(f'"{file}"' for file in files)
    plan = plan_service(parse_config(f"{METER}[site]\ntariffs = [{names}]\n", "w.toml"))
    assert [tariff.name for tariff in plan.tariffs] == ["one", "two"]
    files[1].write_text(TARIFF.format(name="one"))
    with pytest.raises(ConfigError, match="two tariffs are named 'one'"):
        plan_service(parse_config(f"{METER}[site]\ntariffs = [{names}]\n", "w.toml"))


def test_a_tariff_file_that_is_not_there_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"there is no file 'gone\.toml'"):
        parse_config(f'{METER}[site]\ntariffs = ["gone.toml"]\n', "w.toml")
