"""A change from the page in the text of wattrail.toml: what a person wrote around it stays."""

from __future__ import annotations

import tomllib
from difflib import unified_diff
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.app.first_configuration import FirstAnswers, configuration_text
from wattrail.app.settings_document import SettingsChange, apply_changes, change_text
from wattrail.errors import ConfigError

OWN = """\
# my meters
[[meter]]
name = 'house'   # under the stairs
url = "serial:///dev/ttyUSB0?baud=4800"
calibration = { counts_per_volt = 15882.9, counts_per_amp = 138161.7, counts_per_watt = 342.9 }

[[meter]]
name = "garage"
url = "tcp://192.168.1.20:8888"

# the broker of Home Assistant
[publish.home_assistant]
broker = "mqtt://192.168.1.5"  # in the cellar
live_s = 5

[site]
names = [
    "meters.example.org",  # the proxy
]
"""


def changed_lines(before: str, after: str) -> list[str]:
    lines = unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def changed(text: str, table: str, item: int | None = None, **value: object) -> list[str]:
    return changed_lines(text, change_text(text, [SettingsChange(table=table, item=item, value=value)]))


def test_a_value_changes_and_its_comment_stays() -> None:
    lines = changed(OWN, "publish.home_assistant", broker="mqtt://192.168.1.6", live_s=5)
    assert lines == [
        '-broker = "mqtt://192.168.1.5"  # in the cellar',
        '+broker = "mqtt://192.168.1.6"  # in the cellar',
    ]


def test_what_is_sent_back_as_it_was_changes_nothing() -> None:
    everything = tomllib.loads(OWN)
    changes = [SettingsChange(table="meter", item=n, value=one) for n, one in enumerate(everything["meter"])]
    changes += [SettingsChange(table="site", value=everything["site"])]
    assert change_text(OWN, changes) == OWN


def test_a_field_comes_and_another_goes() -> None:
    house = {"name": "house", "url": "serial:///dev/ttyUSB0?baud=4800", "front_end": "pziot-e01"}
    assert changed(OWN, "meter", 0, **house) == [
        "-calibration = { counts_per_volt = 15882.9, counts_per_amp = 138161.7, counts_per_watt = 342.9 }",
        '+front_end = "pziot-e01"',
    ]


def test_another_meter_stands_below_the_last_one() -> None:
    after = change_text(OWN, [SettingsChange(table="meter", value={"name": "roof", "url": "tcp://192.168.1.21"})])
    assert 'tcp://192.168.1.20:8888"\n\n[[meter]]\nname = "roof"\nurl = "tcp://192.168.1.21"\n\n# the broker' in after
    assert changed_lines(after, OWN) == ["-[[meter]]", '-name = "roof"', '-url = "tcp://192.168.1.21"', "-"]


def test_the_comment_above_the_next_table_stays_when_a_meter_goes() -> None:
    after = change_text(OWN, [SettingsChange(table="meter", item=1)])
    assert "342.9 }\n\n# the broker of Home Assistant\n[publish.home_assistant]\n" in after
    assert "garage" not in after
    after = change_text(after, [SettingsChange(table="publish.home_assistant")])
    assert "# the broker of Home Assistant\n" in after


def test_the_commented_file_of_init_keeps_every_comment(tmp_path: Path) -> None:
    text = configuration_text(FirstAnswers(database=tmp_path / "w.sqlite", timezone="Europe/Berlin"))
    after = change_text(
        text,
        [
            SettingsChange(table="meter", value={"name": "house", "url": "serial:///dev/ttyUSB0"}),
            SettingsChange(table="publish.mqtt", value={"broker": "mqtt://broker.lan"}),
            SettingsChange(table="web", value={"port": 8100}),
        ],
    )
    assert [line for line in changed_lines(text, after) if line.startswith("-")] == []
    assert tomllib.loads(after)["web"] == {"port": 8100}


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ('meter = [{ name = "a", url = "tcp://a" }]\n', SettingsChange(table="meter", value={"name": "b"})),
        ('publish.mqtt.broker = "mqtt://a"\n[site]\ngrid = "a"\n', SettingsChange(table="publish.mqtt")),
        ('site = { grid = "a" }\n', SettingsChange(table="site", value={"solar": "b"})),
        ('[[meter]]\r\nname = "a"\r\n', SettingsChange(table="meter", value={"name": "b"})),
        ('[[meter]]\nname = """a\n[site]\n"""\n', SettingsChange(table="meter", item=0)),
        ("", SettingsChange(table="log", value={"level": "info"})),
        ('[[meter]]\nname = "a"\n[meter.calibration]\nx = 1\n', SettingsChange(table="meter", item=0)),
        ('[[meter]]\nname = "a"\n[site]\n[[meter]]\nname = "b"', SettingsChange(table="meter", item=1)),
        ('meter = "house"\n', SettingsChange(table="meter", value={"name": "b"})),
        ("publish = 1\n", SettingsChange(table="publish.mqtt", value={"broker": "b"})),
    ],
)
def test_unusual_files_say_what_was_asked_or_are_refused(text: str, change: SettingsChange) -> None:
    try:
        after = change_text(text, [change])
    except ConfigError:
        return
    wanted = apply_changes(tomllib.loads(text), [change])
    assert {k: v for k, v in tomllib.loads(after).items() if v} == {k: v for k, v in wanted.items() if v}


NAMES = st.sampled_from(["a", "b", "c", "poll_s", "names"])
VALUES = st.one_of(st.integers(-9, 9), st.booleans(), st.text(max_size=5), st.lists(st.integers(0, 9), min_size=1))
TABLES = st.sampled_from(["meter", "alarm", "site", "publish.mqtt", "publish.webhook", "log"])


@given(st.lists(st.tuples(TABLES, st.none() | st.integers(0, 2), st.none() | st.dictionaries(NAMES, VALUES))))
def test_whatever_is_changed_comments_stay(steps: list[tuple[str, int | None, dict[str, object] | None]]) -> None:
    text = OWN
    for table, item, value in steps:
        change = SettingsChange(table=table, item=item if table in {"meter", "alarm"} else None, value=value)
        try:
            after = change_text(text, [change])
        except ConfigError:
            continue
        assert "# my meters\n" in after
        assert "# the broker of Home Assistant\n" in after
        text = after


def test_an_item_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"there is no \[\[meter\]\] number 7"):
        change_text(OWN, [SettingsChange(table="meter", item=7)])
