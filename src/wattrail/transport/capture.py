"""Capture files: JSON Lines, one header, then one event per line. Line by line in docs/protocols/captures.md.

Pure: text in, events out. ``replay`` and ``record`` do the reading and writing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeVar

from wattrail.files import decode_json
from wattrail.sanitize import printable

__all__ = [
    "BaudSet",
    "BusTransfer",
    "Drained",
    "Event",
    "Header",
    "LinesSet",
    "PageAnswered",
    "Received",
    "Sent",
    "TopicPublished",
    "decode_event",
    "decode_header",
    "encode_event",
    "encode_header",
]

FORMAT: Final = "wattrail-capture"
VERSION: Final = 1
KINDS: Final = ("uart", "spi", "http", "mqtt")
_FIRST_YEAR, _LAST_YEAR = 1970, 9000
"""The longest capture after the last of them still ends within the range of a date."""

MAX_SECONDS: Final = 1e10
"""Seconds of the longest capture: three centuries."""


@dataclass(frozen=True, slots=True)
class Header:
    """What was captured: kind (uart, spi, http, mqtt), its URL, start in UTC, whether a twin was read, our version."""

    kind: str
    url: str
    started: datetime
    simulated: bool
    wattrail: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A block written, ``at`` seconds after the start."""

    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """The result of one read; no bytes mean that it reached its deadline."""

    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Drained:
    """What was taken without waiting; at least one byte."""

    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class BaudSet:
    """The rate was changed."""

    at: float
    baud: int


@dataclass(frozen=True, slots=True)
class LinesSet:
    """The modem lines were driven; None left one as it was."""

    at: float
    dtr: bool | None
    rts: bool | None


@dataclass(frozen=True, slots=True)
class BusTransfer:
    """One SPI transfer; ``miso`` is None where it reached its deadline."""

    at: float
    mosi: bytes
    miso: bytes | None


@dataclass(frozen=True, slots=True)
class PageAnswered:
    """What a device's web server answered to a GET of ``target``."""

    at: float
    target: str
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class TopicPublished:
    """A message that a broker handed out."""

    at: float
    topic: str
    payload: bytes
    is_retained: bool


Event = Sent | Received | Drained | BaudSet | LinesSet | BusTransfer | PageAnswered | TopicPublished


def encode_header(header: Header) -> str:
    """The first line of a file, without its end."""
    fields = {
        "format": FORMAT,
        "version": VERSION,
        "kind": header.kind,
        "url": header.url,
        "started": header.started.isoformat(),
        "simulated": header.simulated,
        "wattrail": header.wattrail,
    }
    return json.dumps(fields)


def decode_header(line: str) -> Header:
    """The header in a first line. Raises ValueError for anything else, and for a newer version."""
    fields = _fields(line)
    if fields.get("format") != FORMAT:
        raise ValueError(f"not a {FORMAT} header")
    # A newer version is refused and not guessed at: it may mean something else by a field of the same name.
    if fields.get("version") != VERSION:
        raise ValueError(f"version {_shown(fields.get('version'))} of the format, this program knows {VERSION}")
    header = Header(
        kind=_typed(fields, "kind", str),
        url=_typed(fields, "url", str),
        started=_moment(_typed(fields, "started", str)),
        simulated=_typed(fields, "simulated", bool),
        wattrail=_typed(fields, "wattrail", str),
    )
    if header.kind not in KINDS:
        raise ValueError(f"kind {_shown(header.kind)}, expected one of {', '.join(KINDS)}")
    return header


def encode_event(event: Event) -> str:
    """The line of an event, without its end."""
    # Microseconds: a byte at the fastest rate of a meter (38400 baud) takes 260 of them.
    fields: dict[str, object] = {"t": round(event.at, 6)}
    match event:
        case Sent(_, data):
            fields["tx"] = _hex(data)
        case Received(_, data):
            fields["rx"] = _hex(data)
        case Drained(_, data):
            fields["drained"] = _hex(data)
        case BaudSet(_, baud):
            fields["baud"] = baud
        case LinesSet(_, dtr, rts):
            fields["lines"] = {"dtr": dtr, "rts": rts}
        case BusTransfer(_, mosi, miso):
            fields |= {"mosi": _hex(mosi), "miso": None if miso is None else _hex(miso)}
        case PageAnswered(_, target, status, body):
            fields |= {"get": target, "status": status, **_text("body", body)}
        case TopicPublished(_, topic, payload, is_retained):
            fields |= {"topic": topic, **_text("payload", payload), "retained": is_retained}
    return json.dumps(fields)


def decode_event(line: str) -> Event:
    """The event in a line. Raises ValueError for anything else."""
    fields = _fields(line)
    at = fields.pop("t", None)
    # JSON's true would pass as the integer 1.
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at <= MAX_SECONDS:
        raise ValueError(f"t is {_shown(at)}, expected seconds since the start")
    parse = _EVENTS.get(frozenset(fields))
    if parse is None:
        raise ValueError(f"no event has the fields {printable(', '.join(sorted(fields)), limit=120) or 'none'}")
    return parse(float(at), fields)


def _lines_set(at: float, fields: Mapping[str, object]) -> LinesSet:
    lines = fields["lines"]
    if not isinstance(lines, dict) or set(lines) != {"dtr", "rts"}:
        raise ValueError("lines must hold dtr and rts")
    dtr, rts = lines["dtr"], lines["rts"]
    if not isinstance(dtr, bool | None) or not isinstance(rts, bool | None):
        raise ValueError(f"lines are true, false or null, got {_shown(lines)}")
    return LinesSet(at, dtr, rts)


def _transferred(at: float, fields: Mapping[str, object]) -> BusTransfer:
    mosi = _bytes(fields, "mosi")
    miso = None if fields["miso"] is None else _bytes(fields, "miso")
    if miso is not None and len(miso) != len(mosi):
        raise ValueError(f"{len(mosi)} bytes out and {len(miso)} in; SPI transfers as many each way")
    return BusTransfer(at, mosi, miso)


def _answered(at: float, fields: Mapping[str, object]) -> PageAnswered:
    return PageAnswered(at, _typed(fields, "get", str), _typed(fields, "status", int), _untext("body", fields))


def _published(at: float, fields: Mapping[str, object]) -> TopicPublished:
    return TopicPublished(
        at, _typed(fields, "topic", str), _untext("payload", fields), _typed(fields, "retained", bool)
    )


_Parser = Callable[[float, Mapping[str, object]], Event]
_EVENTS: Final[Mapping[frozenset[str], _Parser]] = MappingProxyType(
    {
        frozenset({"tx"}): lambda at, fields: Sent(at, _bytes(fields, "tx")),
        frozenset({"rx"}): lambda at, fields: Received(at, _bytes(fields, "rx")),
        frozenset({"drained"}): lambda at, fields: Drained(at, _bytes(fields, "drained")),
        frozenset({"baud"}): lambda at, fields: BaudSet(at, _typed(fields, "baud", int)),
        frozenset({"lines"}): _lines_set,
        frozenset({"mosi", "miso"}): _transferred,
        frozenset({"get", "status", "body"}): _answered,
        frozenset({"get", "status", "body_hex"}): _answered,
        frozenset({"topic", "payload", "retained"}): _published,
        frozenset({"topic", "payload_hex", "retained"}): _published,
    }
)

_Value = TypeVar("_Value")


def _fields(line: str) -> dict[str, object]:
    fields = decode_json(line)
    if not isinstance(fields, dict):
        raise ValueError("not a JSON object")
    return fields


def _typed(fields: Mapping[str, object], name: str, kind: type[_Value]) -> _Value:
    value = fields.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{name} is {_shown(value)}, expected {kind.__name__}")
    return value


def _hex(data: bytes) -> str:
    return data.hex(" ").upper()


def _bytes(fields: Mapping[str, object], name: str) -> bytes:
    text = _typed(fields, name, str)
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise ValueError(f"{name} is {_shown(text)}, expected bytes in hexadecimal") from error


def _text(name: str, data: bytes) -> dict[str, str]:
    """Text for people where it is UTF-8, else hexadecimal under another name."""
    try:
        # Strictly, so that a replay gives back the very bytes: a replaced character could not be undone.
        return {name: data.decode("utf-8")}
    except UnicodeDecodeError:
        return {f"{name}_hex": _hex(data)}


def _untext(name: str, fields: Mapping[str, object]) -> bytes:
    return _typed(fields, name, str).encode("utf-8") if name in fields else _bytes(fields, f"{name}_hex")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    # Without its offset the same text is another moment on each machine that replays it.
    if moment.tzinfo is None or not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"started is {_shown(text)}, expected a time with its offset from UTC")
    return moment


def _shown(value: object) -> str:
    return printable(repr(value), limit=60)
