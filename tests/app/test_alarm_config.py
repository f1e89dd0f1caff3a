"""The [[alarm]] tables of wattrail.toml: the rule that each becomes, and what is refused by file, line and field."""

from __future__ import annotations

import re
from datetime import time

import pytest

from wattrail.alarms import AlarmKind, AlarmRule, QuietHours, Severity
from wattrail.app import plan_service
from wattrail.app.config import parse_config
from wattrail.errors import ConfigError

METERS = '[[meter]]\nname = "house"\nurl = "twin://bl0942"\n[[meter]]\nname = "cellar"\nurl = "twin://bl0942"\n'


def planned(text: str) -> tuple[AlarmRule, ...]:
    return plan_service(parse_config(METERS + text, "wattrail.toml")).alarms


def test_nothing_is_watched_unless_it_is_configured() -> None:
    assert planned("") == ()


def test_a_short_table_takes_what_is_usual_for_its_kind() -> None:
    (rule,) = planned('[[alarm]]\nkind = "over-voltage"\n')
    assert (rule.name, rule.meters, rule.severity) == ("over-voltage", (), Severity.WARNING)
    assert (rule.threshold, rule.hysteresis, rule.lasts_s) == (253.0, pytest.approx(2.53), 10)


def test_every_field_reaches_the_rule() -> None:
    assert planned("""
[[alarm]]
kind = "load-stopped"
name = "freezer"
meter = "cellar"
limit = 20
clear = 5
for_s = 10800
severity = "info"
quiet = "22:00-07:30"
message = "the freezer in the cellar"
[[alarm]]
kind = "meter-silent"
meters = ["house", "cellar"]
""") == (
        AlarmRule(
            name="freezer", kind=AlarmKind.LOAD_STOPPED, meters=("cellar",), limit=20, clear=5, for_s=10800,
            severity=Severity.INFO, quiet=QuietHours(time(22), time(7, 30)), message="the freezer in the cellar",
        ),
        AlarmRule(name="meter-silent", kind=AlarmKind.METER_SILENT, meters=("house", "cellar")),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ('kind = "overvoltage"', r"line 8: alarm\[1\]\.kind: unknown kind 'overvoltage'; known: over-voltage, under-"),
        ('kind = "over-power"', r"alarm\[1\]\.limit: over-power needs a limit \| write limit = a number of W"),
        ('kind = "meter-silent"\nlimit = 60', r"line 9: .*meter-silent has no limit \| for_s says how long"),
        ('kind = "export"\nclear = 30', r"line 9: .*clear must be at most the limit, 20 W, got 30"),
        ('kind = "export"\nlimit = 0', r"line 9: alarm\[1\]\.limit: must be greater than 0, got 0"),
        ('kind = "export"\nquiet = "22-7"', r"line 9: .*must be two different local times such as 22:00-07:00, got"),
        ('kind = "export"\nquiet = "07:00-07:00"', r"must be two different local times"),
        ('kind = "export"\nseverity = "critical"\nquiet = "22:00-07:00"', r"line 10: .*do not hold back a critical"),
        (
            'kind = "export"\nseverity = "high"',
            r"line 9: alarm\[1\]\.severity: must be 'info', 'warning' or 'critical'",
        ),
        (
            'kind = "export"\nmeter = "attic"',
            r"line 9: alarm\[1\]\.meter: there is no meter 'attic'; known: house, cell",
        ),
        ('kind = "export"\nmeter = "house"\nmeters = ["house"]', r"line 10: .*keep one of them"),
        ('kind = "export"\nname = "test"', r"line 9: .*choose another name"),
        (
            'kind = "export"\n[[alarm]]\nkind = "export"',
            r"a second alarm is named 'export' \| give it a name of its own",
        ),
        ('kind = "export"\nlimits = 5', r"line 9: alarm\[1\] has no field 'limits'; .* \| did you mean limit\?"),
    ],
)
def test_what_does_not_fit_is_refused_by_line_and_field(text: str, refusal: str) -> None:
    with pytest.raises(ConfigError) as caught:
        planned(f"[[alarm]]\n{text}\n")
    assert re.search(refusal, f"{caught.value} | {caught.value.hint}")
