"""``wattrail flash backups``."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from wattrail.cli import clock, output
from wattrail.cli.exits import UsageError
from wattrail.cli.flash.session import BoardsFolder, boards_folder
from wattrail.cli.flash.view import unfinished_object, unfinished_text
from wattrail.cli.option_types import Json
from wattrail.flasher import BackupStore, BoardFolder, KeptBackup

__all__ = ["backups", "kept_by_name"]


@dataclass(frozen=True, slots=True)
class _KeptOfBoard:
    """What is kept of one board. ``prunable`` are those to be removed, or that were."""

    folder: BoardFolder
    simulated: bool
    kept: tuple[KeptBackup, ...]
    prunable: tuple[KeptBackup, ...] = ()


def backups(
    board: Annotated[str | None, Parameter(help="Only boards whose name begins like this.")] = None,
    *,
    prune: Annotated[bool, Parameter(help="Remove those that nothing depends on; never a board's first.")] = False,
    keep: Annotated[
        int, Parameter(help="How many of the newest stay besides the first (1).", validator=validators.Number(gte=0))
    ] = 1,
    dry_run: Annotated[bool, Parameter(help="With --prune: print what would be removed, and remove nothing.")] = False,
    boards: BoardsFolder = None,
    json: Json = False,
) -> None:
    """List the kept backups of all boards, or prune them.

    The original is the flash as it was before this program first wrote to the board: it is what 'flash restore' puts
    back, and is never removed. Nothing is removed of a board on which a write did not end.
    """
    if dry_run and not prune:
        raise UsageError("--dry-run goes with --prune: a list changes nothing")
    found = [one for one in _boards(boards, keep if prune else None) if one.folder.path.name.startswith(board or "")]
    if prune and not dry_run:
        for one in found:
            _remove(one)
    if json:
        print(json_text.dumps(_object(found, removed=prune and not dry_run)))
        return
    print("\n".join(line for one in found for line in _lines(one)) or "no backup is kept")
    if prune:
        _print_removed(found, dry_run=dry_run)


def kept_by_name(name: str, boards: Path | None, *, simulated: bool) -> Path | None:
    """A kept backup by its name, or the first digits of its SHA-256. Raises UsageError where several fit."""
    store = BackupStore(boards_folder(boards, simulated=simulated), clock.CLOCK)
    every = [kept for folder in store.boards() for kept in folder.backups.all()]
    fitting = [kept for kept in every if kept.path.name == name] or [
        kept for kept in every if len(name) >= 4 and (kept.sha256.startswith(name) or kept.path.name.startswith(name))
    ]
    if len(fitting) > 1:
        listed = ", ".join(str(kept.path) for kept in fitting)
        raise UsageError(f"{name} fits {len(fitting)} backups: {listed}", hint="name one of these files")
    return fitting[0].path if fitting else None


def _boards(given: Path | None, keep: int | None) -> Iterator[_KeptOfBoard]:
    for simulated in (False, True):
        for folder in BackupStore(boards_folder(given, simulated=simulated), clock.CLOCK).boards():
            kept = tuple(one.looked_into() for one in folder.backups.all())
            gone = () if keep is None else tuple(folder.backups.prunable(keep))
            yield _KeptOfBoard(folder, simulated, kept, gone)


def _remove(one: _KeptOfBoard) -> None:
    """Remove what is prunable, while no other process works on that board. Raises FileError."""
    if not one.prunable:
        return
    one.folder.lock.acquire()
    try:
        for kept in one.prunable:
            kept.path.unlink(missing_ok=True)
    finally:
        one.folder.lock.release()


def _lines(one: _KeptOfBoard) -> Iterator[str]:
    yield f"{one.folder.path.name}{'  (SIMULATED: a twin)' if one.simulated else ''}"
    if (unfinished := one.folder.journal.unfinished()) is not None:
        yield f"  {unfinished_text(unfinished)}"
    for kept in one.kept:
        mark = "  to be removed" if kept.path in {gone.path for gone in one.prunable} else ""
        yield f"  {kept.at:<20}  {kept.origin:<12}  {kept.firmware:<10}  {kept.bytes // 1024:>5} KiB  {kept.path}{mark}"


def _print_removed(found: list[_KeptOfBoard], *, dry_run: bool) -> None:
    gone = [kept for one in found for kept in one.prunable]
    size = sum(kept.bytes for kept in gone) // 1024
    what = "would be removed; nothing was" if dry_run else "were removed"
    output.note(f"{len(gone)} files with {size} KiB {what}")


def _object(found: list[_KeptOfBoard], *, removed: bool) -> dict[str, object]:
    """For JSON; its fields are listed in docs/cli.md."""
    return {
        "boards": [
            {
                "board": one.folder.path.name,
                "simulated": one.simulated,
                "unfinished": unfinished_object(one.folder.journal.unfinished()),
                "backups": [_backup(kept, one, removed=removed) for kept in one.kept],
            }
            for one in found
        ]
    }


def _backup(kept: KeptBackup, one: _KeptOfBoard, *, removed: bool) -> dict[str, object]:
    prunable = kept.path in {gone.path for gone in one.prunable}
    return {
        "file": str(kept.path),
        "at": kept.at,
        "bytes": kept.bytes,
        "origin": kept.origin,
        "firmware": kept.firmware,
        "sha256": kept.sha256,
        "prunable": prunable,
        "removed": prunable and removed,
    }
