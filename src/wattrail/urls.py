"""Port URLs: a strict grammar, and option tables that refuse what they do not know.

``scheme://host:port/path?option=value&option=value``. Two schemes have no authority: ``replay:FILE`` and
``record:FILE?of=URL``. The option ``of`` takes everything up to the end, including question marks, so that URLs nest
without escapes; it is therefore the last option.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final, TypeVar
from urllib.parse import unquote

from wattrail.errors import UrlError
from wattrail.sanitize import has_typed_credentials, hide_credentials, hide_typed_credentials, printable

__all__ = [
    "DEVICE_SCHEMES", "FILE_SCHEMES", "HOST_SCHEMES", "METER_NAME", "MQTT_PORTS", "NESTED", "NETWORK_SCHEMES", "Option",
    "PortUrl", "boolean", "choice", "corrected", "device_url", "innermost", "number_in", "read_options", "split",
]  # fmt: skip

_Number = TypeVar("_Number", int, float)

NESTED = "of"
"""The one option whose value is itself a URL."""

METER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""The name of a meter. It is part of page addresses and topics, and needs no escape there."""

MAX_LENGTH: Final = 4096
"""Characters of a URL; the longest path of a file on Linux has as many."""

MQTT_PORTS: Final = MappingProxyType({"mqtt": 1883, "mqtts": 8883})
"""The ports that IANA gives to MQTT, without and with TLS."""

DEVICE_SCHEMES: Final = frozenset({"serial", "spi", "spi+gpio"})
"""Schemes whose URL names a device of this machine by its path: three slashes, no host."""

FILE_SCHEMES: Final = frozenset({"replay", "record"})
"""Schemes whose URL names a file, directly after the colon."""

HOST_SCHEMES: Final = frozenset({"tcp", "rfc2217", "spi+tcp", "spi+ftdi", "twin"})
"""Schemes whose URL has a host, or a name in its place, after two slashes."""

NETWORK_SCHEMES: Final = frozenset({"openbeken", "tasmota", "mqtt", "tuya"})
"""Schemes of meters that speak for themselves on a network; ``wattrail.sources`` opens them."""

_COM_PORT: Final = re.compile(r"COM\d{1,3}", re.IGNORECASE)
_SERIAL_DEVICE: Final = re.compile(r"/.+|COM\d{1,3}(\?.*)?", re.IGNORECASE)
_HOST_AND_PORT: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?P<port>\d{1,5})")
_BARE_DEVICE: Final = re.compile(
    r"(?:/dev/)?(?:tty[A-Za-z]+[0-9.]*|spidev[0-9.]+|serial[0-9]+|serial/by-(?:id|path)/[^?&]+|cu\.[A-Za-z0-9._-]+)"
)


@dataclass(frozen=True, slots=True)
class PortUrl:
    """The parts of a URL; ``text`` is the URL as typed."""

    text: str
    scheme: str
    host: str = ""
    port: int | None = None
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """The URL without credentials, to be shown; ``text`` is the one to open."""
        return hide_credentials(self.text)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a scheme: how its text becomes a value, and its default."""

    name: str
    convert: Callable[[str], object]
    default: object
    help: str


def split(text: str) -> PortUrl:
    """Split a URL into its parts. Raises UrlError for anything outside the grammar."""
    hidden = hide_typed_credentials(text)
    if len(text) > MAX_LENGTH:
        raise UrlError(
            f"a URL has at most {MAX_LENGTH} characters, this one has {len(text)}: {printable(hidden, limit=40)!r}"
        )
    shown = repr(hidden)
    if has_typed_credentials(text):  # before it is taken apart, and a part is shown
        raise UrlError(
            f"{shown}: a URL holds no user and no password", hint="store them by docs/sources.md, credentials"
        )
    scheme, colon, rest = text.partition(":")
    if not colon or not scheme or not all(c.isalnum() or c in "+-." for c in scheme):
        raise UrlError(
            f"{shown} is not a URL: it has no scheme",
            hint=_try(text) or "say where the meter is, for example serial:///dev/ttyUSB0 or twin://pziot-e01",
        )
    rest, _, query_text = rest.partition("?")
    is_file = scheme.lower() in FILE_SCHEMES
    if not is_file and not rest.startswith("//"):
        raise UrlError(f"{shown}: {scheme}: must be followed by two slashes", hint=_try(text))
    query = _split_query(text, query_text)
    if not rest.startswith("//"):
        return PortUrl(text, scheme.lower(), path=_path(text, rest), query=query)
    authority, slash, path = rest[2:].partition("/")
    if is_file and authority:
        raise UrlError(f"{shown}: the file follows {scheme}: directly, without slashes", hint=_try(text))
    host, port = _split_authority(text, authority)
    return PortUrl(text, scheme.lower(), host, port, _path(text, slash + path), query)


def innermost(url: str) -> PortUrl:
    """The URL of the port itself, inside ``record:`` and any other scheme that nests a URL. Raises UrlError."""
    parts = split(url)
    while NESTED in parts.query:
        parts = split(parts.query[NESTED])
    return parts


def corrected(text: str) -> str | None:
    """The URL that a malformed one probably means, or None.

    People type ``ttyUSB0``, ``/dev/ttyUSB0``, ``serial:/dev/ttyUSB0`` and ``serial://dev/ttyUSB0`` for
    ``serial:///dev/ttyUSB0``. The result follows the grammar and differs from ``text``.
    """
    typed, colon, rest = text.partition(":")
    scheme = next(
        iter(get_close_matches(typed.lower(), DEVICE_SCHEMES | HOST_SCHEMES | FILE_SCHEMES | NETWORK_SCHEMES, n=1)), ""
    )
    if _COM_PORT.fullmatch(text) or _BARE_DEVICE.fullmatch(text):
        meant = _device_url("spi" if "spidev" in text else "serial", text)
    elif _HOST_AND_PORT.fullmatch(text):
        meant = f"tcp://{text}"
    elif text.endswith(".jsonl") and not colon:
        meant = f"replay:{text}"
    elif not (scheme and colon and rest.strip("/")):
        return None
    elif scheme in DEVICE_SCHEMES:
        meant = _device_url(scheme, rest)
    else:
        meant = f"{scheme}:{rest.lstrip('/')}" if scheme in FILE_SCHEMES else f"{scheme}://{rest.lstrip('/')}"
    try:
        split(meant)
    except UrlError:
        return None
    return meant if meant != text else None


def device_url(text: str) -> str:
    """The URL of a serial device given by its system name, ``/dev/ttyUSB0`` or ``COM5``; other ``text`` unchanged."""
    return _device_url("serial", text) if _SERIAL_DEVICE.fullmatch(text) else text


def _device_url(scheme: str, rest: str) -> str:
    """A device by its path, after any number of slashes; options follow the first ``?`` or ``&``."""
    found = re.match(r"/*(?P<device>[^?&]*)[?&]?(?P<query>.*)", rest, re.DOTALL)
    assert found is not None  # every part of it may be empty
    device = found["device"]
    if not (_COM_PORT.fullmatch(device) or "/" in device):
        device = f"dev/{device}"
    return f"{scheme}:///{device}?{found['query']}".removesuffix("?")


def _try(text: str) -> str | None:
    meant = corrected(text)
    return f"try {meant}" if meant else None


def read_options(url: PortUrl, options: Sequence[Option]) -> dict[str, object]:
    """Every option of a scheme with its value, defaults filled in.

    Raises UrlError for an unknown option (and lists the known ones) or a value that does not convert.
    """
    known = {option.name: option for option in options}
    for name in url.query:
        if name not in known:
            raise UrlError(
                f"{str(url)!r}: {url.scheme} has no option {name!r}; known: {', '.join(known) or 'none'}",
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
                f"{str(url)!r}: option {option.name}={given!r} does not fit: {error}", hint=option.help
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
        try:
            value = kind(text)
        except ValueError:
            what = "a whole number" if kind is int else "a number"
            raise ValueError(f"must be {what} from {low} to {high}, without a unit") from None
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
            raise UrlError(f"{text!r}: option {name!r} is given twice")
        found[name] = value if name == NESTED else unquote(value)
    return found


def _path(text: str, quoted: str) -> str:
    path = unquote(quoted)
    if "\0" in path:
        raise UrlError(f"{text!r}: a path cannot contain a NUL character")
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
        host.encode("idna")  # as the look-up of the name will do
    except UnicodeError as error:
        raise UrlError(f"{text!r}: {host!r} is not the name of a host: {error}") from error
    if not port:
        return host, None
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise UrlError(f"{text!r}: port {port!r} is not a number from 0 to 65535")
    return host, int(port)


def _closest(name: str, known: Mapping[str, Option]) -> str | None:
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else None
