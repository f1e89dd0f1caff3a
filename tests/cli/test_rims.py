"""Foreign text at the places that print: whatever it holds, a terminal is not moved and a password not shown."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from rich.table import Table

from tests.cli.conftest import Type
from wattrail.cli import output
from wattrail.cli.output import results, safe_stdout

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"


@pytest.mark.parametrize("speak", [output.note, output.error, output.hint])
def test_narration_shows_escapes_instead_of_sending_them(speak: object, capsys: pytest.CaptureFixture[str]) -> None:
    speak(f"the image is {HOSTILE}\nand from mqtt://me:secret@host")  # type: ignore[operator]
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "\x9b" not in err
    assert "\u202e" not in err
    assert "secret" not in err
    assert err.count("\n") == 2  # our own line breaks stay


def test_what_a_verb_prints_shows_escapes_instead_of_sending_them(capsys: pytest.CaptureFixture[str]) -> None:
    with safe_stdout():
        sys.stdout.write(f"version {HOSTILE} from https://me:secret@host/")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert r"\x1b[2J" in out
    assert "secret" not in out


def test_a_table_shows_escapes_instead_of_sending_them(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table()
    table.add_row(HOSTILE)
    with safe_stdout():
        results().print(table)
    assert "\x1b" not in capsys.readouterr().out


def test_a_meter_that_is_named_with_escapes_is_an_error_in_plain_letters(wattrail: Type) -> None:
    said = wattrail("meter", "read", f"tcp://{HOSTILE}")
    assert said.code != 0
    assert "\x1b" not in said.err + said.out


def test_a_password_does_not_show_in_the_error_about_its_url(wattrail: Type) -> None:
    said = wattrail("meter", "read", "tcp://me:secret@127.0.0.1:1")
    assert said.code != 0
    assert "secret" not in said.err + said.out


def test_a_file_that_names_itself_with_escapes_prints_none(wattrail: Type) -> None:
    name = "a\x1b[2J.bin"
    Path(name).write_bytes(b"\x00" * 64)
    said = wattrail("image", "info", name)
    assert "\x1b" not in said.err + said.out
