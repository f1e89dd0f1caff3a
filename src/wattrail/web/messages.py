"""Messages between the gateway and the process of the page: one JSON object a line, over an inherited socket.

JSON and not pickle, because the process of the page talks to strangers: its messages must not become code here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import field, fields, make_dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter

from wattrail.database_address import DatabaseAddress
from wattrail.energy_register import EnergyRegister, RegisterCount
from wattrail.gateway import MeterView
from wattrail.ledger import Tariff
from wattrail.publish import PublisherStatus
from wattrail.units import PlainSample, Reading

__all__ = [
    "MAX_LINE",
    "CandidateJson",
    "ConfigurationJson",
    "LogSetup",
    "MetricsSetup",
    "PublisherJson",
    "Setup",
    "decode_line",
    "encode_line",
    "encode_views",
    "view_from_message",
]

MAX_LINE: Final = 4 * 1024 * 1024
"""Bytes of one line; the longest, fifty meters with long errors, is far shorter."""


def _plain_kind(kind: type, **instead: object) -> type:
    """A dataclass with the fields of another, those that are added later too; ``instead`` are other types for some.

    One adapter for all of it writes and reads a meter in a fifth of the time that an adapter for each field takes.
    """
    hints = {**get_type_hints(kind), **instead}
    given = [
        (one.name, hints[one.name], field(default=one.default, default_factory=one.default_factory))
        for one in fields(kind)
        if one.init
    ]
    return make_dataclass(f"Plain{kind.__name__}", given, kw_only=True)


_PlainReading: Final = _plain_kind(Reading, sample=PlainSample, registers=tuple[tuple[str, int], ...])
_PlainView: Final = _plain_kind(MeterView, reading=_PlainReading | None)
_REGISTER: Final = TypeAdapter(EnergyRegister)
_VIEW: Final = TypeAdapter[Any](_PlainView)
_VIEW_FIELDS: Final = tuple(one.name for one in fields(_PlainView))
_READING_FIELDS: Final = tuple(one.name for one in fields(_PlainReading))


def encode_line(**message: object) -> bytes:
    """One message as a line."""
    return json.dumps(message, separators=(",", ":"), default=_plain).encode() + b"\n"


def decode_line(line: bytes) -> Mapping[str, Any]:
    """The fields of a message. Raises ValueError for anything else."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError(f"a message is an object, got {type(found).__name__}")
    return found


def encode_views(views: Iterable[MeterView]) -> bytes:
    """The message ``views`` as a line: every field of each, but those that stand at their defaults."""
    written = (_VIEW.dump_json(_plain_view(view), exclude_defaults=True) for view in views)
    return b'{"views":[' + b",".join(written) + b"]}\n"


def view_from_message(message: Mapping[str, Any]) -> MeterView:
    """The view again. Raises ValueError for what is none."""
    found = vars(_VIEW.validate_python(message))
    if (reading := found["reading"]) is not None:
        values = vars(reading)
        values["registers"] = tuple(RegisterCount(_read_register(text), count) for text, count in values["registers"])
        found["reading"] = Reading(**values)
    return MeterView(**found)


@lru_cache(maxsize=4096)
def _written_register(register: EnergyRegister) -> str:
    """What a meter counts hardly ever changes, and its fractions are slow to write and to read."""
    return _REGISTER.dump_json(register).decode()


@lru_cache(maxsize=4096)
def _read_register(text: str) -> EnergyRegister:
    return _REGISTER.validate_json(text)


def _plain_view(view: MeterView) -> object:
    # Not asdict(), which copies every value deeply: this thread shares the interpreter with those that read meters.
    values = {name: getattr(view, name) for name in _VIEW_FIELDS}
    if (reading := view.reading) is not None:
        plain = {name: getattr(reading, name) for name in _READING_FIELDS}
        plain["sample"] = PlainSample(reading.quantities, dict(reading.sample.counts))
        plain["registers"] = tuple((_written_register(shown.register), shown.count) for shown in reading.registers)
        values["reading"] = _PlainReading(**plain)
    return _PlainView(**values)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be part of a message")


class CandidateJson(BaseModel):
    """A port that could be a meter: what it is, its URL, and the lines of wattrail.toml that configure it."""

    description: str
    url: str
    toml: str


class PublisherJson(BaseModel):
    """One publisher: what it does, since when, and what waits; ``held`` says what is not sent, and why."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    target: str
    status: PublisherStatus
    since: datetime
    error: str | None
    hint: str | None
    sent_at: datetime | None
    waiting: int
    held: dict[str, str]


class MetricsSetup(BaseModel):
    """Settings of ``/metrics``; ``has_kwh`` adds registers in kWh."""

    has_kwh: bool = False


class ConfigurationJson(BaseModel):
    """Since when the running configuration holds; with an ``error``, why the file that was read later was refused."""

    model_config = ConfigDict(from_attributes=True)

    loaded_at: datetime
    refused_at: datetime | None = None
    error: str | None = None
    hint: str | None = None


class LogSetup(BaseModel):
    """How the page's process logs."""

    level: int = logging.WARNING
    format: str = "text"
    redacts: bool = False


class Setup(BaseModel):
    """Settings of the page. ``open_to_network``: other machines can reach it. Without ``metrics`` there are none.

    ``names`` are names under which it is served beside this machine's own. What ``trusted_proxies`` (addresses and
    networks) say of a visitor is believed. With ``certificate`` and ``key`` it is served by TLS.
    ``grid`` and ``solar`` are the meters between house and grid, and behind the roof. ``tariffs`` are those by which
    costs can be asked for, by name; ``example_tariff`` is the one of them that is an example. ``configuration`` follows
    apart, whenever the file is read again.
    """

    database: DatabaseAddress
    zone: str | None = None
    open_to_network: bool = False
    candidates: list[CandidateJson] = []
    metrics: MetricsSetup | None = None
    grid: str | None = None
    solar: str | None = None
    names: list[str] = []
    trusted_proxies: list[str] = []
    certificate: Path | None = None
    key: Path | None = None
    tariffs: dict[str, Tariff] = {}
    example_tariff: str | None = None
    log: LogSetup = LogSetup()
    configuration: ConfigurationJson | None = None
