"""Messages between the gateway and the process of the page: one JSON object a line, over an inherited socket.

JSON and not pickle, because the process of the page talks to strangers: its messages must not become code here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter

from wattrail.database_address import DatabaseAddress
from wattrail.gateway import MeterView
from wattrail.ledger import Tariff
from wattrail.publish import PublisherStatus
from wattrail.units import PlainSample, Reading

__all__ = [
    "MAX_LINE",
    "CandidateJson",
    "MetricsSetup",
    "PublisherJson",
    "Setup",
    "decode_line",
    "encode_line",
    "view_from_message",
    "view_message",
]

MAX_LINE: Final = 4 * 1024 * 1024
"""Bytes of one line; the longest, fifty meters with long errors, is far shorter."""


def _adapters(kind: type, *, apart: str, **instead: Any) -> dict[str, TypeAdapter[Any]]:  # noqa: ANN401 any type
    """How each field of a dataclass is written and read; ``apart`` is left out."""
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind) if field.init and field.name != apart]
    return {name: TypeAdapter(instead.get(name, hints[name])) for name in names}


_VIEW: Final = _adapters(MeterView, apart="reading")
_READING: Final = _adapters(Reading, apart="", sample=PlainSample)


def encode_line(**message: object) -> bytes:
    """One message as a line."""
    return json.dumps(message, separators=(",", ":"), default=_plain).encode() + b"\n"


def decode_line(line: bytes) -> Mapping[str, Any]:
    """The fields of a message. Raises ValueError for anything else."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError(f"a message is an object, got {type(found).__name__}")
    return found


def view_message(view: MeterView) -> dict[str, object]:
    """A meter's view as plain values; every field of it, those that are added later too."""
    message = _written(view, _VIEW)
    if reading := view.reading:
        sample = PlainSample(reading.quantities, dict(reading.sample.counts))
        plain = _READING["sample"].dump_python(sample, mode="json")
        message["reading"] = {**_written(reading, _READING, "sample"), "sample": plain}
    return message


def view_from_message(message: Mapping[str, Any]) -> MeterView:
    """The view again. Raises ValueError for what is none."""
    reading = message.get("reading")
    return MeterView(**_read(message, _VIEW), reading=None if reading is None else Reading(**_read(reading, _READING)))


def _written(value: object, adapters: Mapping[str, TypeAdapter[Any]], *apart: str) -> dict[str, object]:
    return {
        name: adapter.dump_python(getattr(value, name), mode="json")
        for name, adapter in adapters.items()
        if name not in apart
    }


def _read(message: Mapping[str, Any], adapters: Mapping[str, TypeAdapter[Any]]) -> dict[str, Any]:
    return {name: adapter.validate_python(message[name]) for name, adapter in adapters.items() if name in message}


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


class Setup(BaseModel):
    """Settings of the page. ``open_to_network``: other machines can reach it. Without ``metrics`` there are none.

    ``names`` are names under which it is served beside this machine's own. What ``trusted_proxies`` (addresses and
    networks) say of a visitor is believed. With ``certificate`` and ``key`` it is served by TLS.
    ``grid`` and ``solar`` are the meters between house and grid, and behind the roof. ``tariffs`` are those by which
    costs can be asked for, by name.
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
