"""Threads that keep something at the same moment share a transaction: each still waits until its own part is kept.

A transaction costs a write lock, a commit, two pages of the log and, with a ledger entry, the wait for the disk; five
hundred meters at 1 Hz would ask for each of these five hundred times a second. So the first thread that comes leads:
it keeps what all others have brought meanwhile, wakes them, and lets the next one lead. A thread that is alone waits
for nobody. Where others came along the last time, the leader waits a moment for them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from wattrail.errors import StoreError

__all__ = ["COLLECT_S", "GroupCommit"]

COLLECT_S: Final = 0.05
"""How long a leader waits for others: an SD card takes some tens of transactions in a second."""

MAX_ROWS: Final = 500
"""Rows of one transaction: others wait meanwhile, and a reader must not find the log grown without end."""

_Row = TypeVar("_Row")


class _Part(Generic[_Row]):
    """What one thread brings, and what became of it."""

    def __init__(self, row: _Row) -> None:
        self.row = row
        self.is_kept = False
        self.error: BaseException | None = None
        self.wakes = threading.Lock()
        self.wakes.acquire()  # until this part is kept or refused, or its thread is to lead


class GroupCommit(Generic[_Row]):
    """``keep`` makes one transaction of rows, or raises StoreError and keeps none of them."""

    def __init__(self, keep: Callable[[Sequence[_Row]], None], *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._keep, self._sleep = keep, sleep
        self._lock = threading.Lock()
        self._waiting: list[_Part[_Row]] = []
        self._is_led = False
        self._has_company = False

    def append(self, row: _Row) -> None:
        """Keep a row; returns once it is kept. Raises the StoreError of this row alone, or what ended its leader."""
        part = _Part(row)
        with self._lock:
            self._waiting.append(part)
            leads, self._is_led = not self._is_led, True
        if not leads:
            part.wakes.acquire()
        if not part.is_kept and part.error is None:
            self._lead()
        if part.error is not None:
            raise part.error

    def _lead(self) -> None:
        """Keep what waits, its own part with it, and let the next thread lead."""
        if self._has_company:
            self._sleep(COLLECT_S)
        with self._lock:
            parts, self._waiting = self._waiting[:MAX_ROWS], self._waiting[MAX_ROWS:]
        try:
            self._keep_all(parts)
        except BaseException as defect:  # noqa: BLE001 raised in every thread whose row is not kept, this one among them
            for part in parts:
                if not part.is_kept and part.error is None:
                    part.error = defect
        finally:
            with self._lock:
                self._has_company = len(parts) > 1
                self._is_led = bool(self._waiting)
                following = self._waiting[:1]
            for part in (*parts, *following):
                part.wakes.release()

    def _keep_all(self, parts: Sequence[_Part[_Row]]) -> None:
        try:
            self._keep([part.row for part in parts])
        except StoreError as error:
            if len(parts) == 1:
                parts[0].error = error
                return
            for part in parts:  # a row that is refused costs its own thread only
                self._keep_all([part])
        else:
            for part in parts:
                part.is_kept = True
