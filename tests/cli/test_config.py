"""The configuration file: what it holds, and how it says what is wrong with it."""

from __future__ import annotations

import os
import random
import sys
import time
import tomllib
from pathlib import Path

import pytest

from wattrail.app.config import find_config, load_config, parse_config, user_config_dir
from wattrail.app.plan import plan_service
from wattrail.calibration import Calibration
from wattrail.errors import ConfigError, FileError, MissingExtra
from wattrail.toml_schema.lines import line_of
from wattrail.twin.scenario import load_scenario

WHOLE = """\
[[meter]]
name = "garage"
url = "tcp://192.168.1.20:8888"
front_end = "pziot-e01"
inverted = true
poll_s = 2

[[meter]]
name = "roof"
url = "rfc2217://roof:2217?baud=9600"
address = 3
calibration = { counts_per_volt = 15882.9, counts_per_amp = 251213.0, counts_per_watt = 623.0 }

[store]
path = "/var/lib/wattrail/meters.sqlite"

[web]
host = "0.0.0.0"
port = 8080

[site]
timezone = "Europe/Berlin"

[safety]
confirmed = "isolated"
"""

METER = '[[meter]]\nname = "a"\nurl = "tcp://h:1"\n'


def test_a_whole_file_is_understood() -> None:
    config = parse_config(WHOLE, "wattrail.toml")
    garage, roof = config.meter
    assert (garage.front_end, garage.inverted, garage.scale()) == ("pziot-e01", True, None)
    assert roof.scale() == Calibration(15882.9, 251213.0, 623.0)
    assert (garage.poll_s, roof.poll_s, roof.address) == (2.0, 1.0, 3)
    assert config.store.path == "/var/lib/wattrail/meters.sqlite"
    assert (config.web.host, config.web.port) == ("0.0.0.0", 8080)
    assert config.site.timezone == "Europe/Berlin"
    assert config.safety.confirmed == "isolated"


def test_an_empty_file_is_a_configuration() -> None:
    config = parse_config("", "wattrail.toml")
    assert config.meter == []
    assert (config.web.host, config.store.path, config.safety.confirmed) == (None, None, None)


def test_a_meter_without_constants_leaves_the_scale_to_its_front_end() -> None:
    assert parse_config(METER, "wattrail.toml").meter[0].scale() is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[web\n", r"^w.toml, line 1, column 5: expected ']'"),
        ("[web]\nport = 1\n\nhost = \n", r"^w.toml, line 4, column 8: invalid value"),
        ("numbers = [1,\n2", r"^w.toml, line 2, column 2: unclosed array"),
        (METER + "pol_s = 2\n", r"^w.toml, line 4: meter\[1\] has no field 'pol_s'; known: name, url, address"),
        (METER + 'chip = "bl0941"\n', r"line 4: meter\[1\].chip: unknown chip 'bl0941'; known: bl0942, bl0940"),
        (
            '[[meter]]\nname = "a"\nurl = "tcp://h:1?chip=bl0940"\nchip = "bl0942"\n',
            r"url says chip=bl0940, and chip says bl0942; keep one of them",
        ),
        (
            '[[meter]]\nname = "a"\nurl = "tcp://h:1?chip=bl0941"\n',
            r"url names an unknown chip 'bl0941'; known: bl0942, bl0940",
        ),
        ("[wep]\nport = 1\n", r"^w.toml, line 1: the file has no field 'wep'; known: meter, store, web, site, safety"),
        ('[[meter]]\nname = "a"\n', r"^w.toml, line 1: meter\[1\].url: this field is missing"),
        (METER + METER, r"^w.toml, line 5: meter\[2\].name: a second meter is named 'a'"),
        (
            '[[meter]]\nname = "Big One"\nurl = "tcp://h:1"\n',
            r"line 2: meter\[1\].name: 'Big One' cannot be the name of a meter",
        ),
        (METER + "poll_s = 0.1\n", r"line 4: meter\[1\].poll_s: must be greater than or equal to 0.2, got 0.1"),
        (METER + 'poll_s = "1"\n', r"line 4: meter\[1\].poll_s: must be a valid number, got '1'"),
        (METER.replace("[[meter]]", "[meter]"), "line 1: meter: one table, but there may be several"),
        (METER + 'front_end = "ct"\n', r"line 4: meter\[1\].front_end: unknown front end 'ct'; known: reference"),
        (
            METER + 'front_end = "lspa9"\n'
            "calibration = { counts_per_volt = 1.0, counts_per_amp = 1.0, counts_per_watt = 1.0 }\n",
            r"line 1: meter\[1\]: front_end and calibration both set the scale",
        ),
        ('[web]\nport = "x"\n', r"line 2: web.port: must be a valid integer, got 'x'"),
        ('[site]\ntimezone = "Mars/Base"\n', r"line 2: site.timezone: unknown time zone 'Mars/Base'"),
        ('[safety]\nconfirmed = "yes"\n', r"line 2: safety.confirmed: must be 'mains-off' or 'isolated', got 'yes'"),
        (
            "[store]\npath = 1\n[web]\nport = -1\n",
            r"line 2: store.path: must be a valid string, got 1 \(and 1 more error in this file\)",
        ),
    ],
)
def test_what_is_wrong_is_named_by_file_line_and_field(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(text, "w.toml")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (METER + "pol_s = 2\n", "did you mean poll_s?"),
        ("[wep]\n", "did you mean web?"),
        (METER + "calibration = { count_per_volt = 1.0 }\n", "did you mean counts_per_volt?"),
        (METER + METER, "give every meter a name of its own: what it measured is kept under that name"),
        ('[[meter]]\nname = "a"\nurl = "foo://"\n', "for example serial:///dev/ttyUSB0?baud=4800"),
    ],
)
def test_the_remedy_is_in_the_hint(text: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "w.toml")
    assert hint in (caught.value.hint, *_hints_of_all(text))


def _hints_of_all(text: str) -> list[str | None]:
    """The hint once every missing field is there: an unknown field may not be the first complaint."""
    filled = text.replace("{ ", "{ counts_per_volt = 1.0, counts_per_amp = 1.0, counts_per_watt = 1.0, ")
    with pytest.raises(ConfigError) as caught:
        parse_config(filled, "w.toml")
    return [caught.value.hint]


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("foo://", "unknown scheme 'foo'; known: serial, tcp"),
        ("tcp://h:1?baud=3", "tcp has no option 'baud'"),
        ("record:x?of=tcp://h:1?baud=3", "tcp has no option 'baud'"),
        ("garage", "it has no scheme"),
    ],
)
def test_urls_are_checked_when_the_file_is_read(url: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match="line 3: meter.1..url: .*" + complaint):
        parse_config(f'[[meter]]\nname = "a"\nurl = "{url}"\n', "w.toml")


def test_the_working_directory_comes_before_the_users_own_file(home: Path) -> None:
    assert find_config() is None
    assert load_config() is None
    own = user_config_dir() / "wattrail.toml"
    own.parent.mkdir(parents=True)
    own.write_text("")
    assert find_config() == own
    Path("wattrail.toml").write_text("")
    assert find_config() == Path("wattrail.toml")


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(FileError, match=r"^nowhere\.toml does not exist"):
        load_config(Path("nowhere.toml"))


def test_a_file_that_is_not_text_is_named() -> None:
    Path("wattrail.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(FileError, match=r"wattrail.toml is not UTF-8 text: byte 0xff at offset 0"):
        load_config()


def test_without_pydantic_the_install_command_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(MissingExtra, match=r"reading wattrail\.toml needs the library 'pydantic'"):
        parse_config("", "wattrail.toml")


def test_the_line_of_a_value_is_where_its_statement_begins() -> None:
    text = 'first = 1\n\n# words\nsecond = [\n  1,\n  2,\n]\n[table]\n"a key" = """\n[no.table]\n"""\nlast.one = 3\n'
    assert line_of(text, ("first",)) == 1
    assert line_of(text, ("second",)) == 4
    assert line_of(text, ("second", 1)) == 4
    assert line_of(text, ("table",)) == 8
    assert line_of(text, ("table", "a key")) == 9
    assert line_of(text, ("table", "last", "one")) == 12
    assert line_of(text, ("table", "missing")) == 8
    assert line_of(text, ("missing",)) == 1


def grown_line_of(text: str, path: tuple[str | int, ...]) -> int:
    """The same by the parser alone: read again with one line more each time, which is right and takes a minute."""
    lines, begins, first = text.splitlines(), 1, {}
    for count in range(1, len(lines) + 1):
        try:
            document = tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        for depth in range(1, len(path) + 1):
            if depth not in first and holds(document, path[:depth]):
                first[depth] = begins
        begins = count + 1
    return first[max(first)] if first else 1


def holds(document: object, path: tuple[str | int, ...]) -> bool:
    for step in path:
        inside = dict(enumerate(document)) if isinstance(document, list) else document
        if not isinstance(inside, dict) or step not in inside:
            return False
        document = inside[step]
    return True


STATEMENTS = (
    'name = "a"', "'odd key' = 1", 'a.b."c.d" = 2', "list = [\n  1, # ]\n  '[',\n]", "# [no.table]", "",
    'text = """\n[no.table]\nkey = 1\n"""', "quotes = \'\'\'\n\'\'\'", 'ends = """with two: """""',
    "inline = { x = 1, y = [2] }",
    "  indented = 3 # why", 'esc = "a\\"[b"',
)  # fmt: skip
HEADERS = ("[[meter]]", "[meter.calibration]", "[ 'site' . x ]", "[[a.list]]", "[web] # words", "[[meter]] # more")


def test_lines_are_those_that_reading_again_and_again_would_find() -> None:
    chance, compared = random.Random(20261128), 0
    while compared < 300:
        text = "\n".join(chance.choices(HEADERS + STATEMENTS, k=chance.randrange(1, 9))) + "\n"
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue
        for path in paths_of(document):
            assert line_of(text, path) == grown_line_of(text, path), (text, path)
            compared += 1


def paths_of(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict):
        inside = list(value.items())
    else:
        inside = list(enumerate(value)) if isinstance(value, list) else []
    return [path for key, part in inside for path in ((*at, key), *paths_of(part, (*at, key)))]


def test_a_mistake_at_the_end_of_a_large_file_is_found_in_seconds() -> None:
    # 3000 meters and a misspelled field behind them took 61 s: the file was read again for each of its lines.
    text = "".join(f'[[meter]]\nname = "m{n}"\nurl = "tcp://h:{n + 1}"\n\n' for n in range(3000)) + "[web]\nprot = 1\n"
    before = time.process_time()
    with pytest.raises(ConfigError, match=r"w.toml, line 12002: web has no field 'prot'"):
        parse_config(text, "w.toml")
    assert time.process_time() - before < 10


HOSTILE = (
    "x = " + "[" * 3000 + "]" * 3000,
    "x." * 3000 + "y = 1",
    "[web]\nport = " + "9" * 5000,
    METER + "poll_s = inf",
    METER + "poll_s = 1e400",
    METER + "poll_s = " + "9" * 400,
    METER + "address = " + "9" * 400,
    METER + f"calibration = {{ counts_per_volt = {'9' * 400}, counts_per_amp = 1.0, counts_per_watt = 1.0 }}",
    METER + "calibration = { counts_per_volt = 1e300, counts_per_amp = 1.0, counts_per_watt = 1.0 }",
    METER + "calibration = { counts_per_volt = nan, counts_per_amp = 1.0, counts_per_watt = 1.0 }",
    '[store]\npath = "a\\u0000b"',
    '[store]\npath = "\\ud800"',
    '[web]\nhost = ["' + "x" * 10_000 + '"]',
    '"\\u001b[31m' + "k" * 10_000 + '" = 1',
    '[site]\ntimezone = "../../../../etc/passwd"',
    '[site]\ntimezone = "' + "a/" * 3000 + '"',
    '[[meter]]\nname = "a"\nurl = "record:x?of=' + "record:x?of=" * 300 + '"',
    "meter = 5",
    "meter = [[]]",
    "\ufeff\ufeff[web]",
    "[web]\r\nport = 1\rhost = 2",
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_file_is_an_error_that_can_be_read(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "w.toml")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", ["wattrail.toml", "scenario.toml"])
def test_a_pipe_in_place_of_a_file_is_refused_at_once(name: str) -> None:
    os.mkfifo(name)
    with pytest.raises(FileError, match=f"{name} is a pipe, not a file"):
        load_config() if name == "wattrail.toml" else load_scenario(name)


@pytest.mark.parametrize(("lines", "chip"), [("", None), ('chip = "bl0940"\n', "bl0940")])
def test_the_chip_of_a_meter_reaches_the_plan(lines: str, chip: str | None) -> None:
    config = parse_config(METER + lines, "w.toml")
    assert [meter.chip for meter in plan_service(config, web=False).gateway.meters] == [chip]
