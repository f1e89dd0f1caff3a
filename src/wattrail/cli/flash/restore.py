"""``wattrail flash restore``."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.flash.backups import kept_by_name
from wattrail.cli.flash.session import BoardOptions, PortText, WritingOptions, board, finish, name_override, url_of
from wattrail.cli.flash.view import print_preview
from wattrail.cli.image.files import ForeignFile, load
from wattrail.cli.option_types import Json
from wattrail.errors import TargetError, WriteRefused
from wattrail.flasher import AS_IT_WAS, Flasher, Risk, check_dump_file
from wattrail.image import Image
from wattrail.transport import reach

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
        if given is None:
            allow |= AS_IT_WAS
        if writing.dry_run:
            print_preview(flasher.preview_restore(wanted, name=path.name, allow=allow), flasher, json=json)
            return
        finish(flasher.restore(wanted, name=path.name, allow=allow, backup=writing.backup), flasher, writing, json=json)


def _kept(dump: Path, port: str, options: BoardOptions | None) -> Path | None:
    """The kept backup of that name; None where a file is meant, which comes first."""
    if dump.exists() or dump.name != str(dump):
        return None
    simulated = reach(url_of(port)) == "twin"
    return kept_by_name(dump.name, options.boards if options else None, simulated=simulated)


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
