"""One gateway a database: whoever comes second is refused with the name of the first.

Reading verbs take no lock, and neither do those that add a calibration or a manual entry beside a running gateway.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.store.engines import database_at
from wattrail.store.gateway_holder import LockHolder, ReloadOutcome, holder_in

__all__ = ["GatewayLock", "GatewayRunning", "lock_holder"]


class GatewayRunning(StoreError):
    """Another gateway holds the database; the message names it."""


class GatewayLock:
    """The lock of one database, held inside a ``with`` block."""

    def __init__(self, database: DatabaseAddress | str) -> None:
        self._database = database_at(database)
        self._holder = LockHolder(
            pid=os.getpid(), host=platform.node(), started=datetime.now(UTC).isoformat(timespec="seconds")
        )
        self.use = self._database.gateway_use()

    def __enter__(self) -> Self:
        """Raises GatewayRunning where another gateway holds it, StoreError where that cannot be known."""
        if not self.use.take():
            holder, address = holder_in(self.use.read()), self._database.address
            self.use.release()
            raise GatewayRunning(
                f"another gateway uses {address}: {holder or 'a process that has not given its name yet'}",
                hint=f"stop that one, or give this one a database of its own: {_another(address)}",
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
    return holder_in(database_at(database).gateway_use().read_held())


def _another(database: DatabaseAddress) -> str:
    return "database=FILE" if isinstance(database, Path) else "another schema, as ?schema=attic in its URL"
