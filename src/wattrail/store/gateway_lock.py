"""One gateway a database: whoever comes second is refused with the name of the first.

Reading verbs take no lock, and neither do those that add a calibration or a manual entry beside a running gateway.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from wattrail.database_address import DatabaseAddress, parse_address
from wattrail.errors import StoreError
from wattrail.sanitize import printable
from wattrail.store.database import ExclusiveUse, database_at

__all__ = ["GatewayLock", "GatewayRunning", "LockHolder", "ReloadOutcome", "holder_in", "lock_holder"]

_MAX_ERROR: Final = 20_000
_MAX_TEXT: Final = 200


class GatewayRunning(StoreError):
    """Another gateway holds the database; the message names it."""


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


class GatewayLock:
    """The lock of one database, held inside a ``with`` block."""

    def __init__(self, database: DatabaseAddress | str) -> None:
        self._database = parse_address(database) if isinstance(database, str) else database
        self._holder = LockHolder(
            pid=os.getpid(), host=platform.node(), started=datetime.now(UTC).isoformat(timespec="seconds")
        )
        self.use: ExclusiveUse = database_at(self._database).gateway_use()

    def __enter__(self) -> Self:
        """Raises GatewayRunning where another gateway holds it, StoreError where that cannot be known."""
        if not self.use.take():
            holder = holder_in(self.use.read())
            self.use.release()
            raise GatewayRunning(
                f"another gateway uses {self._database}: {holder or 'a process that has not given its name yet'}",
                hint=f"stop that one, or give this one a database of its own: {_another(self._database)}",
            )
        self._write()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.use.release()

    def set_address(self, address: str) -> None:
        """Name the page, for whoever is refused."""
        self._holder = replace(self._holder, address=address)
        self._write()

    def set_reload(self, outcome: ReloadOutcome) -> None:
        """Say what came of a reload, for whoever asked for it."""
        self._holder = replace(self._holder, reload=outcome)
        self._write()

    def _write(self) -> None:
        self.use.write(json.dumps(asdict(self._holder)))


def lock_holder(database: DatabaseAddress | str) -> LockHolder | None:
    """The gateway that holds a database now; None where none does. Raises StoreError where that cannot be seen."""
    address = parse_address(database) if isinstance(database, str) else database
    return holder_in(database_at(address).gateway_use().read_held())


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


def _another(database: DatabaseAddress) -> str:
    return "database=FILE" if isinstance(database, Path) else "another schema, as ?schema=attic in its URL"
