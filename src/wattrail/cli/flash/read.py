"""``wattrail flash read``."""

from __future__ import annotations

import hashlib
import json as json_text
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli.exits import UsageError
from wattrail.cli.flash.flash_range import RangeOptions
from wattrail.cli.flash.session import BoardOptions, PortText, board
from wattrail.cli.flash.view import SIMULATED
from wattrail.cli.image.files import WriteOptions
from wattrail.cli.image.files import write as write_file
from wattrail.cli.target import Json
from wattrail.flasher import Flasher


def read(
    port: PortText,
    out: Annotated[Path, Parameter(help="The file to write; it must not exist yet.")],
    *,
    where: RangeOptions | None = None,
    overwrite: Annotated[bool, Parameter(help="Replace OUT, for a part of the flash.")] = False,
    json: Json = False,
    options: BoardOptions | None = None,
) -> None:
    """Read flash, or a part of it, into a file.

    Every block is checked against the chip's own CRC. Run the same command again to resume an interrupted read of the
    whole flash.
    """
    where = where or RangeOptions()
    where.check()
    _check_file(out, whole=where.is_all, overwrite=overwrite)
    partial = f"What was read is kept in {out}.part; run the same command again to resume." if where.is_all else ""
    with board(port, options, if_interrupted=partial, json=json) as flasher:
        start, length = where.span(flasher.target)
        digest = _read(flasher, out, None if where.is_all else (start, length), overwrite=overwrite)
        result = {
            "file": str(out), "start": start, "bytes": length, "sha256": digest, "simulated": flasher.simulated,
            "chip": flasher.target.chip.value if flasher.target.chip else None, "board": flasher.target.board,
            "baud": flasher.baud,
        }  # fmt: skip
    print(json_text.dumps(result) if json else _text(result))


def _check_file(out: Path, *, whole: bool, overwrite: bool) -> None:
    if not out.exists() or (overwrite and not whole):
        return
    hint = "a dump of the whole flash replaces nothing" if whole else "or say --overwrite"
    raise UsageError(f"{out} exists already", hint=f"name another file{':' if whole else ','} {hint}")


def _read(flasher: Flasher, out: Path, span: tuple[int, int] | None, *, overwrite: bool) -> str:
    """Read and keep; the digest of what is in the file."""
    if span is None:
        return flasher.backup(out).sha256
    data = flasher.read(*span)
    write_file(out, data, WriteOptions(overwrite=overwrite), sources=())
    return hashlib.sha256(data).hexdigest()


def _text(result: dict[str, object]) -> str:
    mark = f"{SIMULATED}\n" if result["simulated"] else ""
    what = f"{result['file']}: {result['bytes']} bytes from {result['start']:#x} on, every block with the chip's CRC"
    return f"{mark}{what}\nsha256 {result['sha256']}"
