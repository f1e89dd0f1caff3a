"""The first page, wrong words, and how errors become words and exit codes."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib import import_module
from inspect import getdoc
from pathlib import Path

import pytest

import wattrail as package
from tests.cli.conftest import Terminal, Type
from wattrail import errors
from wattrail.cli import main as main_module
from wattrail.cli.exits import Exit, UsageError, exit_for
from wattrail.cli.main import build, in_current_words
from wattrail.cli.verbs import VERBS, Verb

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_the_first_page_names_every_verb(wattrail: Type, words: tuple[str, ...]) -> None:
    said = wattrail(*words)
    assert said.code == 0
    assert said.err == ""
    for verb in VERBS:
        assert verb.words in said.out
        assert verb.help in said.out


def test_the_first_page_loads_no_parser_and_no_verb() -> None:
    probe = "import sys, wattrail.cli.main as m; m.main(['--help']); print(*sys.modules, file=sys.stderr)"
    said = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    loaded = set(said.stderr.split())
    assert not loaded & {"cyclopts", "rich", "pydantic", "numpy", "wattrail.meter", "wattrail.twin"}


def test_the_version_is_the_packages(wattrail: Type) -> None:
    said = wattrail("--version")
    assert (said.code, said.out) == (0, f"{package.__version__}\n")


def test_the_package_runs_as_a_module() -> None:
    said = subprocess.run([sys.executable, "-m", "wattrail", "--version"], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (0, f"{package.__version__}\n")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.words)
def test_every_verb_has_help_that_begins_as_the_first_page_says(wattrail: Type, verb: Verb) -> None:
    module, _, function = verb.function.partition(":")
    doc = getdoc(getattr(import_module(f"wattrail.cli.{module}"), function)) or ""
    assert doc.splitlines()[0] == verb.help
    said = wattrail(*verb.words.split(), "--help")
    assert said.code == 0
    assert verb.help in said.out
    undescribed = [line for line in said.out.splitlines() if re.fullmatch(r"│ .*--\S+( [A-Z]+)?\s*│", line)]
    assert undescribed == []


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.words)
def test_every_help_page_names_its_arguments_and_an_example_to_type(wattrail: Type, verb: Verb) -> None:
    said = wattrail(*verb.words.split(), "--help").out
    arguments, typed = verb.arguments, verb.example
    assert said.startswith(f"Usage: wattrail {verb.words} {arguments}".rstrip())
    assert "[ARGS]" not in said
    assert "Example: wattrail " in said
    build().parse_args(shlex.split(typed), exit_on_error=False, print_error=False)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.words)
def test_every_verb_has_a_section_in_the_manual(verb: Verb) -> None:
    assert f"\n## wattrail {verb.words}\n" in (DOCS / "cli.md").read_text(encoding="utf-8")


def test_an_unknown_verb_brings_a_suggestion(wattrail: Type) -> None:
    said = wattrail("meter", "reads")
    assert said.code == 2
    assert said.out == ""
    assert 'error: unknown command "reads". Did you mean "read"?' in said.err
    assert "hint: see wattrail meter --help" in said.err


def test_an_unknown_noun_brings_a_suggestion(wattrail: Type) -> None:
    said = wattrail("metre", "read")
    assert said.code == 2
    assert 'Did you mean "meter"?' in said.err
    assert "hint: see wattrail --help" in said.err


def test_an_unknown_option_brings_a_suggestion(wattrail: Type) -> None:
    said = wattrail("meter", "read", "twin://pziot-e01", "--jsom")
    assert said.code == 2
    assert "error: unknown option: --jsom. Did you mean --json?" in said.err
    assert "hint: see wattrail meter read --help" in said.err


def test_an_argument_too_many_is_named_with_the_usage(wattrail: Type) -> None:
    said = wattrail("flash", "erase", "PORT", "app")
    assert said.code == 2
    assert "error: unexpected argument: app" in said.err
    assert "hint: type: wattrail flash erase PORT" in said.err


@pytest.mark.parametrize("words", [("meter",), ("meter", "-h"), ("meter", "--help")])
def test_a_noun_alone_shows_its_verbs(wattrail: Type, words: tuple[str, ...]) -> None:
    said = wattrail(*words)
    assert said.code == 0
    assert "meter registers        Show every register by bit field." in said.out
    assert "twin" not in said.out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (errors.UrlError("x"), 2),
        (errors.ConfigError("x"), 2),
        (errors.MissingExtra("x", library="y", extra="z"), 2),
        (errors.PortOpenError("x"), 3),
        (errors.PortLost("x"), 3),
        (errors.NoAnswer("x"), 4),
        (errors.ChecksumError("x"), 4),
        (errors.TargetError("x"), 5),
        (errors.LedgerError("x"), 1),
        (errors.StoreError("x"), 1),
        (errors.ImageError("x"), 1),
    ],
)
def test_every_error_has_its_exit_code(error: errors.WattrailError, code: int) -> None:
    assert exit_for(error) == code


def test_an_error_is_printed_with_its_hint(wattrail: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    _answer_with(monkeypatch, errors.NoAnswer("nothing came", hint="swap two wires"))
    said = wattrail("anything")
    assert said == type(said)(4, "", "error: nothing came\nhint: swap two wires\n")


def test_an_error_is_red_on_a_terminal_alone(wattrail: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    _answer_with(monkeypatch, errors.PortLost("gone"))
    assert wattrail("anything").err == "error: gone\n"
    monkeypatch.setattr("sys.stderr", Terminal())
    main_module.main(["anything"])
    assert sys.stderr.getvalue() == "\033[1;31merror:\033[0m gone\n"  # type: ignore[attr-defined]
    monkeypatch.setenv("NO_COLOR", "1")
    main_module.main(["anything"])
    assert sys.stderr.getvalue().endswith("\nerror: gone\n")  # type: ignore[attr-defined]


def test_ctrl_c_ends_quietly(wattrail: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    _answer_with(monkeypatch, KeyboardInterrupt())
    said = wattrail("anything")
    assert (said.code, said.out, said.err) == (Exit.INTERRUPTED, "", "")


def test_completion_is_installed_for_the_named_shell(wattrail: Type, home: Path) -> None:
    said = wattrail("--install-completion", "--shell", "fish")
    assert said.code == 0
    script = home / ".config" / "fish" / "completions" / "wattrail.fish"
    assert script.is_file() or any(home.rglob("wattrail.fish"))


def _answer_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def answer(_words: object) -> int:
        raise error

    monkeypatch.setattr(main_module, "_run", answer)


@pytest.mark.parametrize(
    ("typed", "error", "hint"),
    [
        ("read twin://pziot-e01", 'unknown command "read"', "did you mean wattrail meter read or wattrail flash read?"),
        ("meter record twin://pziot-e01", "FILE is missing", "type: wattrail meter record METER FILE;"),
        ("run --host --port 80", "--host is missing", "hint: see wattrail run --help"),
        ("image convert a.bin b.bin", "--to is missing", "type: wattrail image convert FILE OUT --to KIND;"),
        ("meter read twin://pziot-e01?watts=1150W", "must be a number from", "hold this active power"),
        ("meter read twin://pziot-e01?seed=1.5", "must be a whole number from", ""),
        ("meter read twin://pziot-e01?scenario=hous", "no scenario 'hous'", "did you mean house?"),
        ("meter calibrate twin://pziot-e01 --volts 230V", "'230V' is not a number", "without its unit: 230.4"),
        ("meter wave twin://pziot-e01 --csv nowhere/x.csv", "there is no folder nowhere", ""),
        ("calibration show house", "no calibration of house is kept", "'wattrail meter calibrate house' measures one"),
    ],
)
def test_a_slip_is_answered_with_what_to_type(wattrail: Type, typed: str, error: str, hint: str) -> None:
    said = wattrail(*typed.split())
    assert said.code in {1, 2}
    assert said.out == ""
    assert error in said.err
    assert hint in said.err
    assert "Traceback" not in said.err
    assert "could not convert" not in said.err


# ---- words of earlier versions


@pytest.mark.parametrize(
    ("typed", "current"),
    [
        ("image pack a b", "image add-crc a b"),
        ("image unpack a b --key zero", "image strip-crc a b --key zero"),
        ("flash info /dev/ttyUSB0 --reset person", "flash info /dev/ttyUSB0 --reset manual"),
        ("flash info /dev/ttyUSB0 --reset=person", "flash info /dev/ttyUSB0 --reset=manual"),
        ("twin serve --reset knock", "twin serve --reset auto"),
        ("image diff image pack", "image diff image pack"),
        ("flash info person", "flash info person"),
    ],
)
def test_words_of_earlier_versions_still_work(typed: str, current: str) -> None:
    assert in_current_words(typed.split()) == current.split()


def test_an_old_verb_shows_the_help_of_the_current_one(wattrail: Type) -> None:
    assert "wattrail image add-crc FILE OUT [OPTIONS]" in wattrail("image", "pack", "--help").out
