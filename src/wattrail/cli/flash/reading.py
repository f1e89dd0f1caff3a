"""``wattrail flash info``, ``read`` and ``verify``: what a board holds. They change nothing."""

from __future__ import annotations

import hashlib
from json import dumps
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli.exits import Exit, UsageError
from wattrail.cli.flash import view
from wattrail.cli.flash.session import BoardOptions, ImagePlace, PortText, RangeOptions, board
from wattrail.cli.flash.writing import load_image
from wattrail.cli.image.files import Source, WriteOptions
from wattrail.cli.image.files import write as write_file
from wattrail.cli.option_types import Json
from wattrail.flasher import Flasher, Risk


def info(port: PortText, *, json: Json = False, options: BoardOptions | None = None) -> None:
    """Say which chip and which flash answer.

    Reads, and changes nothing. Without a wire from RTS or DTR to CEN, reset the board while it is trying.
    """
    with board(port, options, json=json) as flasher:
        text = dumps(view.board_object(flasher)) if json else "\n".join(view.board_lines(flasher))
    print(text)


def verify(
    port: PortText,
    image: Source,
    *,
    place: ImagePlace | None = None,
    json: Json = False,
    options: BoardOptions | None = None,
) -> int:
    """Compare flash with an image, and change nothing.

    The chip computes CRCs, and single sectors are compared only where they differ. Exit code 6 if anything differs.
    """
    place = place or ImagePlace()
    place.check()
    wanted = load_image(image, place, frozenset(Risk))  # a comparison takes no risk
    with board(port, options, json=json) as flasher:
        found = flasher.verify(wanted, start=place.start, parts=place.part)
        as_object = view.comparison_object(found, flasher)
        as_lines = list(view.comparison_lines(found, flasher))
    print(dumps({"image": str(image), **as_object}) if json else "\n".join(as_lines))
    return Exit.DONE if found.same else Exit.VERIFY


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
    print(dumps(result) if json else _text(result))


def _check_file(out: Path, *, whole: bool, overwrite: bool) -> None:
    # An earlier dump may be the only copy of what a board held.
    if not out.exists() or (overwrite and not whole):
        return
    hint = "a dump of the whole flash replaces nothing" if whole else "or say --overwrite"
    raise UsageError(f"{out} exists already", hint=f"name another file{':' if whole else ','} {hint}")


def _read(flasher: Flasher, out: Path, span: tuple[int, int] | None, *, overwrite: bool) -> str:
    """Read and keep; the digest of what is in the file."""
    if span is None:
        # As a backup, so that a read that was cut is resumed, and the file is whole when it gets its name.
        return flasher.backup(out).sha256
    data = flasher.read(*span)
    write_file(out, data, WriteOptions(overwrite=overwrite), sources=())
    return hashlib.sha256(data).hexdigest()


def _text(result: dict[str, object]) -> str:
    mark = f"{view.SIMULATED}\n" if result["simulated"] else ""
    what = f"{result['file']}: {result['bytes']} bytes from {result['start']:#x} on, every block with the chip's CRC"
    return f"{mark}{what}\nsha256 {result['sha256']}"
