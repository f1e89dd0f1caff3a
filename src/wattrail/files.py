"""Reads the files that a person gives: regular files only, of a bounded size, as bytes, text, TOML or JSON.

A path can name a pipe or a device without an end, or a prepared file. Every such file is read here, so that a bad file
is an error with its name, never a hang, a traceback or a full memory.
"""

from __future__ import annotations

import io
import json
import math
import os
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, NoReturn, TextIO

from wattrail.errors import ConfigError, FileError
from wattrail.sanitize import printable

__all__ = [
    "MAX_TEXT_BYTES",
    "decode_json",
    "open_text",
    "parse_json",
    "parse_toml",
    "read_bytes",
    "read_text",
]

MAX_TEXT_BYTES: Final = 4 << 20
"""Largest configuration, tariff, scenario or report in bytes; the largest seen has 40 kB."""

MAX_DEPTH: Final = 64
"""Deepest nesting of tables; wattrail's own formats have three levels."""

_NO_WAITING: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
"""Opening a pipe without a writer must not block; for a regular file O_NONBLOCK has no effect."""


def read_bytes(path: Path, *, limit: int) -> bytes:
    """All of a regular file of at most ``limit`` bytes. Raises FileError."""
    with _opened(path, limit=limit) as file:
        try:
            content = file.read(limit + 1)  # a file may grow while it is read
        except OSError as error:
            raise FileError(f"{_named(path)} cannot be read: {_reason(error)}") from error
    _refuse_size(path, len(content), limit)
    return content


def open_text(path: Path, *, limit: int) -> TextIO:
    """A regular file of at most ``limit`` bytes, open for reading line by line as UTF-8. Raises FileError.

    For files larger than memory; the caller bounds each line, and closes the file.
    """
    return io.TextIOWrapper(_opened(path, limit=limit), encoding="utf-8")


def read_text(path: Path, *, limit: int = MAX_TEXT_BYTES) -> str:
    """A regular file as UTF-8 text, without the byte order mark that Windows editors write. Raises FileError."""
    content = read_bytes(path, limit=limit)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(
            f"{_named(path)} is not UTF-8 text: byte 0x{content[error.start]:02x} at offset {error.start}",
            hint="save it as UTF-8",
        ) from error


def parse_toml(text: str, name: str, *, parse_float: Callable[[str], object] = float) -> dict[str, object]:
    """A TOML document. ``name`` is its name in errors. Raises ConfigError, its cause the parser's error."""
    try:
        document: dict[str, object] = tomllib.loads(text, parse_float=lambda digits: _finite(digits, parse_float))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{printable(name)}: {_complaint(error)}") from error
    try:
        _check(document)
    except ValueError as error:
        raise ConfigError(f"{printable(name)}: {error}") from error
    return document


def parse_json(text: str, name: str, *, parse_float: Callable[[str], object] = float) -> object:
    """A JSON document without Infinity and NaN. ``name`` is its name in errors. Raises ConfigError."""
    try:
        return decode_json(text, parse_float=parse_float)
    except ValueError as error:
        raise ConfigError(f"{printable(name)}: {error}") from error


def decode_json(text: str, *, parse_float: Callable[[str], object] = float) -> object:
    """As ``parse_json``, for a text without a name, such as one line of a file. Raises ValueError."""
    try:
        document: object = json.loads(
            text, parse_float=lambda digits: _finite(digits, parse_float), parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise ValueError(_complaint(error)) from error
    _check(document)
    return document


def _finite(digits: str, parse: Callable[[str], object]) -> object:
    if not math.isfinite(float(digits)):
        raise ValueError(f"{printable(digits, limit=40)} is not a finite number")
    try:
        return parse(digits)
    except ArithmeticError as error:  # Decimal's own limits of an exponent
        raise ValueError(f"{printable(digits, limit=40)} is too small a number") from error


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a finite number")


def _check(document: object) -> None:
    """Raises ValueError for what the parsers accept and later code does not: deep nesting, lone surrogates."""
    # A loop, for what it looks for is a document nested deeper than Python's own stack.
    pending: list[tuple[object, int]] = [(document, 0)]
    while pending:
        value, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise ValueError(f"tables are nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
            raise ValueError(f"{printable(value, limit=40)!r} holds half of a surrogate pair")
        if isinstance(value, dict):
            pending += [(part, depth + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list):
            pending += [(part, depth + 1) for part in value]


def _opened(path: Path, *, limit: int) -> BinaryIO:
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_WAITING)
    except FileNotFoundError as error:
        where = "check its name" if path.absolute().parent.is_dir() else f"there is no folder {_named(path.parent)}"
        raise FileError(f"{_named(path)} does not exist", hint=where) from error
    except (OSError, ValueError) as error:
        raise FileError(f"{_named(path)} cannot be read: {_reason(error)}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            what = _kind(status.st_mode)
            raise FileError(f"{_named(path)} is {what}, not a file", hint="copy its content into a file")
        _refuse_size(path, status.st_size, limit)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _complaint(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return f"tables are nested deeper than {MAX_DEPTH} levels"
    text = str(error)
    return "a whole number has too many digits" if "integer string conversion" in text else printable(_lower(text))


def _refuse_size(path: Path, size: int, limit: int) -> None:
    if size > limit:
        raise FileError(f"{_named(path)} is too large: {size} bytes or more, at most {limit} are read")


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a disk"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((what for is_kind, what in kinds if is_kind(mode)), "something else")


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _named(path: Path) -> str:
    return printable(str(path))


def _lower(sentence: str) -> str:
    """A sentence without its capital, to continue another; words such as NaN keep theirs."""
    return sentence if sentence[:3].lower() == "nan" else sentence[:1].lower() + sentence[1:]
