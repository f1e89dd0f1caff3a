"""What people stated about one account: manual entries in their own order, and the last reset among them."""

from __future__ import annotations

from collections.abc import Collection

from wattrail.errors import LedgerError
from wattrail.ledger.entries import STATED, Entry, EntryKind

__all__ = ["StatedEntries"]


class StatedEntries:
    """Grows by one entry at a time."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._reset: Entry | None = None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All of them, oldest first."""
        return tuple(self._entries)

    def take(self, entry: Entry, epochs: Collection[int]) -> None:
        """Take up the next one. Raises LedgerError if it does not follow, or belongs to none of these epochs."""
        if entry.kind not in STATED:
            raise LedgerError(f"entry {entry.sequence} is {entry.kind}, which only a reading causes")
        if entry.sequence != len(self) + 1:
            raise LedgerError(f"manual entry {entry.sequence} follows {len(self)}: one is missing or doubled")
        if entry.kind is EntryKind.REVERSED and not 0 < entry.about <= len(self):
            raise LedgerError(f"manual entry {entry.sequence} reverses {entry.about}, which does not come before it")
        if entry.epoch not in epochs:
            raise LedgerError(f"manual entry {entry.sequence} belongs to epoch {entry.epoch}, which is not known")
        self._entries.append(entry)
        self._reset = entry if entry.is_reset else self._reset

    def reset_in(self, epoch: int) -> Entry | None:
        """The last reset that was stated, if it was in this epoch."""
        return self._reset if self._reset is not None and self._reset.epoch == epoch else None
