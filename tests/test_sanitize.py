"""Foreign text on its way to a terminal or a log."""

from __future__ import annotations

import pytest

from wattrail.errors import PortOpenError
from wattrail.sanitize import hide_credentials, printable, printable_lines, url_secrets
from wattrail.urls import split


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("one\ntwo\r", r"one\x0atwo\x0d"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\x9b31m", r"\x9b31m"),
        ("\ud800", r"\ud800"),
        ("Küche 中 μW", "Küche 中 μW"),
    ],
)
def test_what_could_move_the_cursor_becomes_visible(foreign: str, shown: str) -> None:
    assert printable(foreign) == shown


def test_a_text_without_end_is_cut() -> None:
    assert printable("x" * 10_000, limit=5) == "xxxxx…"


def test_our_own_line_breaks_stay() -> None:
    assert printable_lines("a\n\tb\x1b[1m") == "a\n\tb\\x1b[1m"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no answer from mqtt://me:pa55@host/x", "no answer from mqtt://***@host/x"),
        ("tuya://10.0.0.1?local_key=abc&version=3.4", "tuya://10.0.0.1?local_key=***&version=3.4"),
        ("spi://host", "spi://host"),
    ],
)
def test_credentials_in_a_url_are_hidden(text: str, shown: str) -> None:
    assert hide_credentials(text) == shown


def test_a_known_secret_is_hidden_wherever_it_stands() -> None:
    assert hide_credentials("login pa55 failed for pa55word", "pa55", "pa55word") == "login *** failed for ***"


def test_a_password_with_an_at_sign_is_hidden_whole() -> None:
    assert hide_credentials("cannot open mqtt://me:p@55@host:1883") == "cannot open mqtt://***@host:1883"


def test_the_secrets_of_a_url_are_known_as_written_and_as_meant() -> None:
    assert set(url_secrets("mqtt://me:p%40ss@host?token=t0ken")) == {"p%40ss", "p@ss", "t0ken"}
    assert url_secrets("tcp://host:8888") == ()


def test_no_error_of_ours_carries_a_password_or_an_escape() -> None:
    error = PortOpenError("mqtt://me:pa55@host: said \x1b[2J", hint="is mqtt://me:pa55@host up?")
    assert str(error) == r"mqtt://***@host: said \x1b[2J"
    assert error.hint == "is mqtt://***@host up?"


def test_a_url_shows_itself_without_its_password_and_still_opens_with_it() -> None:
    url = split("tcp://10.0.0.1:8888?password=s3cret")
    assert str(url) == "tcp://10.0.0.1:8888?password=***"
    assert url.query["password"] == "s3cret"
