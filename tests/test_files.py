"""Files that a person hands over, as an attacker or an accident would make them."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest

from wattrail.errors import ConfigError, FileError
from wattrail.files import parse_json, parse_toml, read_bytes, read_text


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    assert read_bytes(path, limit=3) == b"abc"


def test_a_file_over_the_limit_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abcd")
    with pytest.raises(FileError, match="too large: 4 bytes or more, at most 3"):
        read_bytes(path, limit=3)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name on this system")
def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="is a pipe, not a file"):
        read_bytes(tmp_path / "pipe", limit=10)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no /dev/zero on this system")
def test_a_device_without_an_end_is_refused() -> None:
    with pytest.raises(FileError, match="is a device"):
        read_bytes(Path("/dev/zero"), limit=10)


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is a folder"):
        read_bytes(tmp_path, limit=10)
    with pytest.raises(FileError, match="does not exist"):
        read_bytes(tmp_path / "none", limit=10)


def test_a_name_with_escapes_is_shown_harmless(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"\\x1b\[31m") as caught:
        read_bytes(tmp_path / "\x1b[31mred\n", limit=10)
    assert "\x1b" not in str(caught.value)


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1\n")
    assert parse_toml(read_text(path), "a.toml") == {"a": 1}


def test_text_in_another_encoding_is_named_with_its_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b'name = "K\xfcche"')
    with pytest.raises(FileError, match="byte 0xfc at offset 9"):
        read_text(path)


@pytest.mark.parametrize(
    "text",
    ["a = inf", "a = nan", "a = -inf", "a = 1e400", f"a = {'9' * 5000}", f"a = {'[' * 3000}{']' * 3000}", "a = = 1"],
)
def test_hostile_toml_is_a_clear_error(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^x\.toml: "):
        parse_toml(text, "x.toml", parse_float=Decimal)


@pytest.mark.parametrize(
    "text",
    [
        "Infinity",
        "[NaN]",
        "1e400",
        "9" * 5000,
        "[" * 3000 + "]" * 3000,
        "[" * 80 + "]" * 80,
        '"\\ud800"',
        '{"\\udfff": 1}',
        "{",
    ],
)
def test_hostile_json_is_a_clear_error(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^x\.json: "):
        parse_json(text, "x.json")


def test_numbers_come_as_the_type_that_was_asked_for() -> None:
    assert parse_toml("price = 0.3214", "t", parse_float=Decimal) == {"price": Decimal("0.3214")}


def test_a_number_beyond_every_exponent_is_a_clear_error() -> None:
    # Decimal raises an ArithmeticError of its own for these, which no handler of ValueError catches.
    for digits in ("1e" + "9" * 400, "1e-" + "9" * 400):
        with pytest.raises(ConfigError, match="number"):
            parse_toml(f"price = {digits}", "tariff.toml", parse_float=Decimal)
        with pytest.raises(ConfigError, match="number"):
            parse_json(f'{{"price": {digits}}}', "x.json", parse_float=Decimal)
