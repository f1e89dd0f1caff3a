"""What the gateway of a database leaves at its place, and what whoever comes second makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wattrail.sanitize import printable

__all__ = ["LockHolder", "ReloadOutcome", "holder_in"]

_MAX_ERROR: Final = 20_000
_MAX_TEXT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadOutcome:
    """What came of the last reload: ``at`` is UTC in ISO 8601. With an ``error`` nothing was changed."""

    at: str
    changes: tuple[str, ...] = ()
    error: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockHolder:
    """The gateway that holds a database. ``started`` is UTC in ISO 8601; ``address`` is its page, None without one."""

    pid: int
    host: str
    started: str
    address: str | None = None
    reload: ReloadOutcome | None = None

    def __str__(self) -> str:
        page = f", page {self.address}" if self.address else ""
        return f"process {self.pid} on {self.host}, since {self.started}{page}"


def holder_in(text: str | None) -> LockHolder | None:
    """Who left a text at the place of the gateway; None for nothing, or nothing clear."""
    try:
        said = json.loads(text or "")
        address = said["address"]
        return LockHolder(
            pid=int(said["pid"]), host=_short(said["host"]), started=_short(said["started"]),
            address=None if address is None else _short(address), reload=_reload(said.get("reload")),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return None


def _reload(said: Mapping[str, object] | None) -> ReloadOutcome | None:
    if said is None:
        return None
    changes, error, hint = said["changes"], said["error"], said["hint"]
    return ReloadOutcome(
        at=_short(said["at"]),
        changes=tuple(_short(change) for change in changes) if isinstance(changes, list) else (),
        error=None if error is None else printable(str(error), limit=_MAX_ERROR),
        hint=None if hint is None else _short(hint),
    )


def _short(text: object) -> str:
    return printable(str(text), limit=_MAX_TEXT)
