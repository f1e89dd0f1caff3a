"""What only the gateway knows of itself, for the health page: its machine, its counters, its prices and its log."""

from __future__ import annotations

import logging
import platform
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wattrail import __version__
from wattrail.access import AuditRecord
from wattrail.access.records import GATEWAY_STARTED
from wattrail.app.doctor.finding import Surroundings
from wattrail.app.doctor.machine import check_clock, check_disk, check_versions
from wattrail.app.plan import ServicePlan
from wattrail.app.price_fetch import PriceState
from wattrail.clock import Clock
from wattrail.errors import StoreError
from wattrail.gateway.recent_log import RecentLog
from wattrail.store import Store
from wattrail.store.access import AccessBook

if TYPE_CHECKING:
    from wattrail.web.gateway_calls import Action

__all__ = ["GatewayHealth"]

_CHEAP_CHECKS: Final = (("versions", check_versions), ("disk", check_disk), ("clock", check_clock))
"""Checks of ``wattrail doctor`` that take a millisecond or so: the page asks every few seconds."""

logger = logging.getLogger(__name__)


class GatewayHealth:
    """Answers the page. ``counters`` gives what each meter on a wire has counted of its line, by name."""

    def __init__(
        self, store: Store, clock: Clock, *, counters: Callable[[], Mapping[str, Mapping[str, int]]],
        prices: Callable[[], tuple[PriceState, ...]], log: RecentLog,
    ) -> None:  # fmt: skip
        self._store, self._clock = store, clock
        self._counters, self._prices, self._log = counters, prices, log
        self._started_at = clock.now()
        self.plan: ServicePlan | None = None

    def note_start(self) -> None:
        """Write the start into the audit log, so that the page can list starts. Raises nothing."""
        version = f"wattrail {__version__}"
        start = AuditRecord(at=self._started_at, who="", origin="", action=GATEWAY_STARTED, subject=version)
        try:
            with AccessBook(self._store.path) as book:
                book.record(start)
        except StoreError as error:
            logger.warning("the start is not in the audit log: %s", error)

    def actions(self) -> Mapping[str, Action]:
        """What the page may ask for."""
        return {"health": lambda _arguments: self.report(), "log": lambda _arguments: self.log_lines()}

    def report(self) -> dict[str, object]:
        """The gateway as JSON; times are ISO."""
        database = self._store.path
        return {
            "version": __version__,
            "python": platform.python_version(),
            "database": f"SQLite {sqlite3.sqlite_version}" if isinstance(database, Path) else "PostgreSQL",
            "database_bytes": _size(database) if isinstance(database, Path) else None,
            "started_at": self._started_at,
            "memory_bytes": _memory(),
            "findings": self._findings(),
            "counters": {name: dict(found) for name, found in self._counters().items()},
            "prices": [asdict(state) for state in self._prices()],
        }

    def log_lines(self) -> list[dict[str, object]]:
        """The newest warnings and errors, newest first."""
        return [asdict(line) for line in self._log.lines()]

    def _findings(self) -> list[dict[str, object]]:
        around = Surroundings(file=None, config=None, plan=self.plan, database=self._store.path)
        found: list[dict[str, object]] = []
        for name, check in _CHEAP_CHECKS:
            # A file of /proc or /sys that cannot be read must not cost the page the rest.
            with suppress(OSError):
                found += [{"check": name, **asdict(finding)} for finding in check(around)]
        return found


def _size(database: Path) -> int:
    """Bytes of the database and of its log of changes."""
    total = 0
    for file in (database, database.with_name(f"{database.name}-wal")):
        with suppress(OSError):
            total += file.stat().st_size
    return total


def _memory() -> int | None:
    """Resident bytes of this process, as Linux has them: see proc(5)."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return None
