"""``wattrail flash restore``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import say
from wattrail.cli.flash.image_file import load_dump
from wattrail.cli.flash.opening import BoardOptions, PortText
from wattrail.cli.flash.session import board
from wattrail.cli.flash.writing import WritingOptions, finish, foretell
from wattrail.cli.image.files import load
from wattrail.cli.target import Json
from wattrail.errors import TargetError
from wattrail.flasher import AS_IT_WAS, Flasher


def restore(
    port: PortText,
    dump: Annotated[Path | None, Parameter(help="A dump of the whole flash; else the newest backup.")] = None,
    *,
    writing: WritingOptions | None = None,
    json: Json = False,
    options: BoardOptions | None = None,
) -> None:
    """Put the whole flash back as a dump has it.

    Without a dump: the newest backup of this very board, or the one from before a write that did not end. A dump of
    another board is refused, for its radio calibration and MAC address belong there.
    """
    writing = writing or WritingOptions()
    allow = writing.check()
    given = load_dump(dump, allow) if dump is not None else None
    with board(port, options, writes=True, json=json) as flasher:
        path = dump or newest(flasher)
        wanted = given or load(path)
        if given is None:
            allow |= AS_IT_WAS
        if writing.dry_run:
            foretell(flasher.preview_restore(wanted, name=path.name, allow=allow), flasher, json=json)
            return
        finish(flasher.restore(wanted, name=path.name, allow=allow, backup=writing.backup), flasher, writing, json=json)


def newest(flasher: Flasher) -> Path:
    """The backup to put back. Raises TargetError if none is kept."""
    kept = flasher.kept_backups()
    if not kept:
        raise TargetError(
            f"no backup of the board {flasher.target.board} is kept",
            hint="name a dump of it: wattrail flash restore PORT DUMP",
        )
    say.note(f"putting back {kept[0]}" + (f", the newest of {len(kept)} backups" if len(kept) > 1 else ""))
    return kept[0]
