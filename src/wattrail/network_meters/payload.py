"""Payloads of devices as JSON with exact numbers, and the paths into them. Every error says what stands there instead.

OpenBeken prints an infinite float as a bare ``inf``, which no JSON parser takes (frequency register 0); such tokens,
and the NaN that other firmware prints, are read as null: the one value is unknown, the others are good.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from wattrail.errors import UnexpectedReply
from wattrail.sanitize import printable

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "Path",
    "find",
    "find_number",
    "float_of",
    "number_of",
    "parse_path",
    "parse_payload",
    "part_of",
    "text_of",
]

MAX_PAYLOAD_BYTES: Final = 256 << 10
"""The largest payload of a meter seen is 6 kB; a megabyte is another device, or an attack."""

_TEXT_NUMBERS: Final = "set text_numbers=yes if this device writes numbers in quotes"

MAX_DIGITS: Final = 30
"""Longer numbers do not come from registers: 2**64 has 20 digits."""

_NOT_FINITE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|(?P<bare>-?\b(?:inf(?:inity)?|nan)\b)', re.IGNORECASE)
_MAYBE_NOT_FINITE: Final = re.compile("inf|nan", re.IGNORECASE)
_PATH_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")

Path = tuple[str | int, ...]
"""Keys and indexes into a JSON document; empty for the payload itself."""


def parse_path(text: str) -> Path:
    """``ENERGY.Power[1]`` as keys and indexes. Raises ValueError."""
    steps: list[str | int] = []
    position = 0
    while position < len(text):
        found = _PATH_STEP.match(text, position)
        if found is None:
            raise ValueError(f"{text!r} is not a path like ENERGY.Power[1]: it breaks off at {text[position:]!r}")
        steps.append(int(found[2]) if found[2] else found[1])
        position = found.end()
    return tuple(steps)


def parse_payload(payload: bytes, where: str) -> object:
    """A JSON document with every number as an int or a Decimal. Raises UnexpectedReply, which quotes its beginning."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise UnexpectedReply(
            f"{where}: {len(payload)} bytes, a meter sends at most {MAX_PAYLOAD_BYTES}", hint="check the topic or host"
        )
    text = payload.decode("utf-8", errors="replace")
    try:
        finite = text
        if _MAYBE_NOT_FINITE.search(text):
            finite = _NOT_FINITE.sub(lambda found: "null" if found["bare"] else found[0], text)
        document: object = _DECODER.decode(finite)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise UnexpectedReply(
            f"{where}: expected JSON, got '{printable(text, limit=60)}': {_complaint(error, text)}",
            hint="check that this is the address of a meter, not of a web page or of plain text",
        ) from error
    return document


def find(document: object, path: Path, where: str) -> object:
    """What stands at a path. Raises UnexpectedReply, which lists what stands there instead."""
    for depth, step in enumerate(path):
        try:
            document = _step(document, step)
        except LookupError as error:
            before = _written(path[:depth]) or "the payload"
            raise UnexpectedReply(
                f"{where}: path {_written(path)!r} matches nothing: {before} {_content(document)}",
                hint="set the path to one of these",
            ) from error
    return document


def find_number(
    document: object, path: Path, where: str, *, is_text_allowed: bool = False, text_hint: str | None = _TEXT_NUMBERS
) -> Decimal | None:
    """The number at a path; None for null, which firmware writes for what it does not know. Raises UnexpectedReply.

    ``text_hint`` is the remedy where a number stands in quotes.
    """
    value = find(document, path, where)
    if isinstance(value, str) and is_text_allowed:
        return number_of(value, f"{where}: {_written(path) or 'the payload'}")
    if value is None or (isinstance(value, int | Decimal) and not isinstance(value, bool)):
        return None if value is None else Decimal(value)
    hint = text_hint if isinstance(value, str) else None
    raise UnexpectedReply(
        f"{where}: {_written(path) or 'the payload'} is {printable(repr(value), limit=60)}, expected a number",
        hint=hint,
    )


def number_of(text: str, where: str) -> Decimal | None:
    """A number written as plain text; None for inf and nan. Raises UnexpectedReply."""
    try:
        value = _decimal(text.strip()[: 2 * MAX_DIGITS])
    except (ValueError, InvalidOperation) as error:
        raise UnexpectedReply(
            f"{where}: expected a number, got '{printable(text, limit=60)}'", hint="check the topic and the path"
        ) from error
    return value if value.is_finite() else None


def text_of(document: object, *path: str) -> str:
    """The text at a path, or an empty one: for what firmware may leave out."""
    found = _within(document, path)
    return found if isinstance(found, str) else ""


def float_of(document: object, *path: str) -> float | None:
    """The number at a path, or None: for what firmware may leave out."""
    found = _within(document, path)
    return float(found) if isinstance(found, int | Decimal) and not isinstance(found, bool) else None


def part_of(document: object, *path: str) -> Mapping[str, object] | None:
    """The object at a path, or None: for what firmware may leave out, or write as something else."""
    found = _within(document, path)
    return found if isinstance(found, Mapping) else None


def _within(document: object, path: Sequence[str]) -> object:
    for step in path:
        document = document.get(step) if isinstance(document, Mapping) else None
    return document


def _step(document: object, step: str | int) -> object:
    if isinstance(step, int) and isinstance(document, list):
        return document[step]
    if isinstance(step, str) and isinstance(document, Mapping):
        return document[step]
    raise LookupError(step)


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    # 1e999999999 is a short text, and a fraction of a gigabyte.
    if value.is_finite() and abs(value.adjusted()) > MAX_DIGITS:
        raise ValueError(f"{text[:MAX_DIGITS]} is out of range")
    return value


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


_DECODER: Final = json.JSONDecoder(parse_float=_decimal, parse_int=_whole)
"""Made once: ``json.loads`` with these makes another for each message, which takes as long as decoding it."""


def _complaint(error: Exception, text: str) -> str:
    if text.lstrip().startswith("<"):
        return "it is the web page of another device"
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error)


def _written(path: Sequence[str | int]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return printable(text.removeprefix("."), limit=80)


def _content(document: object) -> str:
    if isinstance(document, Mapping):
        return f"has {printable(', '.join(map(str, document)), limit=120) or 'no keys'}"
    if isinstance(document, list):
        return f"is a list of {len(document)}"
    return f"is {printable(repr(document), limit=60)}"
