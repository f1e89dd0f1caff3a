"""Values of Tuya's storage as what they stand for.

Most are JSON. The configuration of the pins (``user_param_key``) often is not: names and words without quotes, a comma
before the closing brace, a brace missing or doubled. It is read leniently, and a number that is written like a word
(``0505``, ``1.0.1``) stays one.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

__all__ = ["StoredValue", "Value", "parse_lenient", "parse_value"]

Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | float | bool | None"

MAX_DEPTH: Final = 16
"""Levels of nesting that are followed; the deepest seen has 4."""

_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_TOKEN: Final = re.compile(r'[{}\[\]:,]|"(?:[^"\\]|\\.)*"|[^{}\[\]:,"]+|"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A name and the bytes under it. ``problem`` says why the bytes may be wrong."""

    name: str
    data: bytes = field(repr=False)
    problem: str | None = None

    @property
    def value(self) -> Value:
        """The bytes as what they stand for: an object, a list, a number, text; hexadecimal digits for others."""
        return parse_value(self.data)


def parse_value(data: bytes) -> Value:
    """JSON where it is JSON, an object or a list where it is nearly so, else text; hexadecimal of other bytes.

    NULs behind a text do not belong to it: firmware counts them or does not.
    """
    try:
        text = data.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError:
        return data.hex()
    if any(ord(char) < 0x20 and char not in "\t\r\n" for char in text):
        return data.hex()
    strict = _strict(text)
    if strict is not None:
        return strict[0]
    if text.lstrip().startswith(("{", "[")):
        return parse_lenient(text)
    return text


def _strict(text: str) -> tuple[Value] | None:
    # Counted before it is walked: deep nesting is rare, and json goes down by recursion.
    if max(text.count("{"), text.count("[")) > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        return None
    try:
        return (json.loads(text, parse_constant=_refuse, parse_float=_finite),)
    except ValueError:
        return None


# Python's json reads NaN and Infinity, which no JSON has and none can be written with.
def _refuse(name: str) -> Value:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is larger than any number that is stored")
    return number


def _depth(text: str) -> int:
    deepest = depth = 0
    for char in text:
        depth += (char in "{[") - (char in "}]")
        deepest = max(deepest, depth)
    return deepest


def parse_lenient(text: str) -> Value:
    """An object or a list out of text that is nearly JSON; a text with neither, or nested too deep, as it is."""
    tokens = [token.strip() for token in _TOKEN.findall(text)]
    reader = _TokenReader([token for token in tokens if token])
    found = reader.value(0)
    return text if reader.too_deep else found


class _TokenReader:
    """Walks over tokens. What is missing at the end is taken as given, what is too much as nothing."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0
        self.too_deep = False

    def value(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            self.too_deep = True
            self.at = len(self.tokens)
            return None
        match self._next():
            case "{":
                return self._object(depth)
            case "[":
                return self._list(depth)
            case word:
                return _scalar(word)

    def _next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1] if self.at <= len(self.tokens) else ""

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _object(self, depth: int) -> Value:
        made: dict[str, Value] = {}
        while token := self._next():
            if token == "}":
                break
            if token == "{" and not made:  # doubled
                continue
            if token in ",:]{[":
                continue
            name = str(_scalar(token, as_text=True))
            if self._peek() != ":":
                made[name] = None
                continue
            self._next()
            made[name] = None if self._peek() in (",", "}", "") else self.value(depth + 1)
        return made

    def _list(self, depth: int) -> Value:
        made: list[Value] = []
        while token := self._peek():
            if token == "]":
                self._next()
                break
            if token == "}":  # of the object around it: the bracket is missing
                break
            if token in ",:":
                self._next()
                continue
            made.append(self.value(depth + 1))
        return made


def _scalar(token: str, *, as_text: bool = False) -> Value:
    if token.startswith('"'):
        try:
            return str(json.loads(token))
        except ValueError:
            return token.strip('"')
    if not as_text and _NUMBER.fullmatch(token):
        return int(token)
    return token
