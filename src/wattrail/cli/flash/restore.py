"""``wattrail flash restore``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.flash.backups import kept_by_name
from wattrail.cli.flash.image_file import load_dump
from wattrail.cli.flash.opening import BoardOptions, PortText, url_of
from wattrail.cli.flash.session import board
from wattrail.cli.flash.writing import WritingOptions, finish, foretell
from wattrail.cli.image.files import load
from wattrail.cli.target import Json
from wattrail.errors import TargetError
from wattrail.flasher import AS_IT_WAS, Flasher
from wattrail.transport import reach


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
    given = load_dump(dump, allow) if dump is not None and kept is None else None
    with board(port, options, writes=True, json=json) as flasher:
        path = kept or dump or original(flasher)
        wanted = given or load(path)
        if given is None:
            allow |= AS_IT_WAS
        if writing.dry_run:
            foretell(flasher.preview_restore(wanted, name=path.name, allow=allow), flasher, json=json)
            return
        finish(flasher.restore(wanted, name=path.name, allow=allow, backup=writing.backup), flasher, writing, json=json)


def _kept(dump: Path, port: str, options: BoardOptions | None) -> Path | None:
    """The kept backup of that name; None where a file is meant, which is looked for first."""
    if dump.exists() or dump.name != str(dump):
        return None
    simulated = reach(url_of(port)) == "twin"
    return kept_by_name(dump.name, options.boards if options else None, simulated=simulated)


def original(flasher: Flasher) -> Path:
    """The backup to put back. Raises TargetError where none is the original, or where several may be."""
    kept, originals = flasher.backups(), {one.sha256 or str(one.path): one for one in flasher.originals()}
    if len(originals) == 1:
        (one,) = originals.values()
        others = len(kept) - 1
        more = f", the original; {others} more are kept: wattrail flash backups" if others > 0 else ""
        output.note(f"putting back {one.path}{more}")
        return one.path
    if originals:
        raise TargetError(
            f"the RF block of {flasher.target.board} was written to more than one board, and nothing tells which of"
            f" them this one is: {', '.join(str(one.path) for one in originals.values())}",
            hint="name the one: wattrail flash restore PORT DUMP",
        )
    if kept:
        raise TargetError(
            f"no kept backup of the board {flasher.target.board} is its original, only {len(kept)} later ones",
            hint="list them with 'wattrail flash backups', and name one: wattrail flash restore PORT NAME",
        )
    if not flasher.target.has_identity:
        raise TargetError(
            f"the board {flasher.target.board} has no RF block with a MAC address, so none of the kept backups can be"
            " told to be its own",
            hint="list them with 'wattrail flash backups', and name one: wattrail flash restore PORT NAME",
        )
    raise TargetError(
        f"no backup of the board {flasher.target.board} is kept",
        hint="name a dump of it: wattrail flash restore PORT DUMP",
    )
