"""Port URLs: a strict grammar, and option tables that refuse what they do not know.

``scheme://host:port/path?option=value&option=value``. Two schemes carry no authority: ``replay:FILE`` and
``record:FILE?of=URL``. An option of kind ``url`` takes everything up to the end, question marks and all, so
that URLs nest without escapes; it therefore stands last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, TypeVar
from urllib.parse import unquote

from wattrail.errors import UrlError
from wattrail.sanitize import hide_credentials

__all__ = ["NESTED", "Option", "PortUrl", "boolean", "choice", "number_in", "read_options", "split"]

_Number = TypeVar("_Number", int, float)

NESTED = "of"
"""The one option whose value is itself a URL."""

LONGEST: Final = 4096
"""Characters of a URL: as many as the longest path of a file has."""


@dataclass(frozen=True, slots=True)
class PortUrl:
    """A URL taken apart; ``text`` is what the person typed."""

    text: str
    scheme: str
    host: str = ""
    port: int | None = None
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """The URL as it may be shown; ``text`` is the one that opens."""
        return hide_credentials(self.text)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a scheme: how its text becomes a value, and what it is when left out."""

    name: str
    convert: Callable[[str], object]
    default: object
    help: str


def split(text: str) -> PortUrl:
    """Take a URL apart. Raises UrlError for anything outside the grammar."""
    if len(text) > LONGEST:
        raise UrlError(f"a URL of {len(text)} characters, {LONGEST} are the most: {text[:40]!r} ...")
    scheme, colon, rest = text.partition(":")
    if not colon or not scheme or not all(c.isalnum() or c in "+-." for c in scheme):
        raise UrlError(
            f"{text!r} is not a URL: it has no scheme",
            hint="write where the meter is, for example serial:///dev/ttyUSB0 or twin://pziot-e01",
        )
    rest, _, query_text = rest.partition("?")
    query = _split_query(text, query_text)
    if not rest.startswith("//"):
        if scheme not in {"replay", "record"}:
            raise UrlError(
                f"{text!r}: {scheme}: must be followed by two slashes",
                hint=f"try {scheme}://{rest.lstrip('/')}",
            )
        return PortUrl(text, scheme.lower(), path=_path(text, rest), query=query)
    authority, slash, path = rest[2:].partition("/")
    host, port = _split_authority(text, authority)
    return PortUrl(text, scheme.lower(), host, port, _path(text, slash + path), query)


def read_options(url: PortUrl, options: Sequence[Option]) -> dict[str, object]:
    """Every option of a scheme with its value, defaults filled in.

    Raises UrlError for an unknown option (and lists the known ones) or a value that does not convert.
    """
    known = {option.name: option for option in options}
    for name in url.query:
        if name not in known:
            raise UrlError(
                f"{url.text!r}: {url.scheme} has no option {name!r}; known: {', '.join(known) or 'none'}",
                hint=_closest(name, known),
            )
    values: dict[str, object] = {}
    for option in options:
        if option.name not in url.query:
            values[option.name] = option.default
            continue
        given = url.query[option.name]
        try:
            values[option.name] = option.convert(given)
        except ValueError as error:
            raise UrlError(
                f"{url.text!r}: option {option.name}={given!r} does not fit: {error}", hint=option.help
            ) from error
    return values


def choice(*allowed: str) -> Callable[[str], str]:
    """A converter that accepts only the given words."""

    def convert(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text

    return convert


def number_in(kind: type[_Number], low: _Number, high: _Number) -> Callable[[str], _Number]:
    """A converter to a number from ``low`` to ``high``, both included."""

    def convert(text: str) -> _Number:
        value = kind(text)
        if not low <= value <= high:
            raise ValueError(f"must be from {low} to {high}")
        return value

    return convert


def boolean(text: str) -> bool:
    """A converter for yes/no, true/false, on/off, 1/0."""
    words = {
        "yes": True,
        "true": True,
        "on": True,
        "1": True,
        "no": False,
        "false": False,
        "off": False,
        "0": False,
    }
    try:
        return words[text.lower()]
    except KeyError:
        raise ValueError("must be yes or no") from None


def _split_query(text: str, query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    while query:
        name, equals, rest = query.partition("=")
        if not equals or not name:
            raise UrlError(f"{text!r}: {query!r} is not option=value", hint="options look like ?baud=4800&address=1")
        if name == NESTED:
            value, query = rest, ""
        else:
            value, _, query = rest.partition("&")
        if name in found:
            raise UrlError(f"{text!r}: option {name!r} stands twice")
        found[name] = value if name == NESTED else unquote(value)
    return found


def _path(text: str, quoted: str) -> str:
    path = unquote(quoted)
    if "\0" in path:
        raise UrlError(f"{text!r}: no path has a NUL in it")
    return path


def _split_authority(text: str, authority: str) -> tuple[str, int | None]:
    host, port = authority, ""
    if authority.startswith("["):
        host, bracket, tail = authority[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise UrlError(f"{text!r}: {authority!r} is not an address", hint="an IPv6 address looks like [::1]:2217")
        port = tail[1:]
    elif ":" in authority:
        host, _, port = authority.rpartition(":")
    try:
        host.encode("idna")  # as whatever looks the name up will do
    except UnicodeError as error:
        raise UrlError(f"{text!r}: {host!r} is no name of a host: {error}") from error
    if not port:
        return host, None
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise UrlError(f"{text!r}: port {port!r} is not a number from 0 to 65535")
    return host, int(port)


def _closest(name: str, known: Mapping[str, Option]) -> str | None:
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else None
