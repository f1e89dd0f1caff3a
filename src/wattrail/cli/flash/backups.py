"""``wattrail flash backups`` and ``restore``: what is kept of a board, and putting it back."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, validators

from wattrail.cli import clock, output
from wattrail.cli.exits import UsageError
from wattrail.cli.flash.session import (
    BoardOptions,
    BoardsFolder,
    PortText,
    WritingOptions,
    board,
    boards_folder,
    finish,
    name_override,
    url_of,
)
from wattrail.cli.flash.view import print_preview, unfinished_object, unfinished_text
from wattrail.cli.image.files import ForeignFile, load
from wattrail.cli.option_types import Json
from wattrail.errors import TargetError, WriteRefused
from wattrail.flasher import AS_IT_WAS, BackupStore, BoardFolder, Flasher, KeptBackup, Risk, check_dump_file
from wattrail.image import Image
from wattrail.transport import reach

__all__ = ["backups", "restore"]


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
        print(dumps(_object(found, removed=prune and not dry_run)))
        return
    print("\n".join(line for one in found for line in _lines(one)) or "no backup is kept")
    if prune:
        _print_removed(found, dry_run=dry_run)


def _kept_by_name(name: str, boards: Path | None, *, simulated: bool) -> Path | None:
    """A kept backup by its name, or the first digits of its SHA-256. Raises UsageError where several fit."""
    store = BackupStore(boards_folder(boards, simulated=simulated), clock.CLOCK)
    every = [kept for folder in store.boards() for kept in folder.backups.all()]
    # Less than four digits of a hash would fit by chance.
    fitting = [kept for kept in every if kept.path.name == name] or [
        kept for kept in every if len(name) >= 4 and (kept.sha256.startswith(name) or kept.path.name.startswith(name))
    ]
    if len(fitting) > 1:
        listed = ", ".join(str(kept.path) for kept in fitting)
        raise UsageError(f"{name} fits {len(fitting)} backups: {listed}", hint="name one of these files")
    return fitting[0].path if fitting else None


def _boards(given: Path | None, keep: int | None) -> Iterator[_KeptOfBoard]:
    # A twin's backups are kept apart: they must not be taken for those of a board.
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


# ---- restore


_NAME_IT: Final = "list them with 'wattrail flash backups', and name one: wattrail flash restore PORT NAME"


def restore(
    port: PortText,
    dump: Annotated[
        Path | None,
        Parameter(help="A dump of the whole flash, or the name of a kept backup; else the board's original."),
    ] = None,
    *,
    writing: WritingOptions | None = None,
    json: Json = False,
    options: BoardOptions | None = None,
) -> None:
    """Put the whole flash back as a dump has it.

    Without a dump: the original of this very board, which is its flash from before it was first written. 'flash
    backups' lists the others. A dump of another board is refused, for its radio calibration and MAC address belong
    there.
    """
    writing = writing or WritingOptions()
    allow = writing.check()
    kept = _kept(dump, port, options) if dump is not None else None
    given = _load_dump(dump, allow) if dump is not None and kept is None else None
    with board(port, options, writes=True, json=json) as flasher:
        path = kept or dump or _original(flasher)
        wanted = given or load(path)
        # Nobody is asked about damage in a backup taken here: the board had it before.
        if given is None:
            allow |= AS_IT_WAS
        if writing.dry_run:
            print_preview(flasher.preview_restore(wanted, name=path.name, allow=allow), flasher, json=json)
            return
        finish(flasher.restore(wanted, name=path.name, allow=allow, backup=writing.backup), flasher, writing, json=json)


def _kept(dump: Path, port: str, options: BoardOptions | None) -> Path | None:
    """The kept backup of that name; None where a file is meant, which comes first."""
    # A name with a folder in it is always a file.
    if dump.exists() or dump.name != str(dump):
        return None
    simulated = reach(url_of(port)) == "twin"
    return _kept_by_name(dump.name, options.boards if options else None, simulated=simulated)


def _load_dump(path: Path, allow: Collection[Risk]) -> Image:
    """A dump that may be put back as far as the file shows. Raises FileError, ImageError, WriteRefused."""
    try:
        dump = load(path)
        check_dump_file(dump, allow)
    except ForeignFile as error:
        raise WriteRefused(str(error), risk="", hint=error.hint) from error
    except WriteRefused as error:
        name_override(error)
        raise
    return dump


def _original(flasher: Flasher) -> Path:
    """The backup to put back. Raises TargetError where none is the original, or where several may be."""
    # By content: the same flash kept twice is one original.
    kept, originals = flasher.backups(), {one.sha256 or str(one.path): one for one in flasher.originals()}
    if len(originals) == 1:
        (one,) = originals.values()
        others = len(kept) - 1
        more = f", the original; {others} more are kept: wattrail flash backups" if others > 0 else ""
        output.note(f"putting back {one.path}{more}")
        return one.path
    raise _no_original(flasher, [str(one.path) for one in originals.values()], len(kept))


def _no_original(flasher: Flasher, originals: list[str], kept: int) -> TargetError:
    """Why no backup is put back without being named."""
    name = flasher.target.board
    if originals:
        return TargetError(
            f"the RF block of {name} was written to more than one board, and it is not known which of them this one"
            f" is: {', '.join(originals)}",
            hint="name the one: wattrail flash restore PORT DUMP",
        )
    if kept:
        return TargetError(f"no kept backup of the board {name} is its original, only {kept} later ones", hint=_NAME_IT)
    if not flasher.target.has_identity:
        return TargetError(
            f"the board {name} has no RF block with a MAC address, so no kept backup can be identified as its own",
            hint=_NAME_IT,
        )
    return TargetError(
        f"no backup of the board {name} is kept", hint="name a dump of it: wattrail flash restore PORT DUMP"
    )
