"""What the page says of a file that was dropped on it: the inspection, the likely boards, files for their firmware.

Bytes in, plain values out; nothing is stored, and no secret is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from wattrail.board import (
    BoardMatch,
    ExportTarget,
    calibration_in_dump,
    export_board,
    known_boards,
    load_front_panel,
    match_boards,
    match_record,
    wirings_of_dump,
)
from wattrail.board.match import MatchConfidence
from wattrail.calibration import Calibration
from wattrail.errors import ConfigError, ImageError
from wattrail.image import Image, as_record, look_into_zip, picture_svg, recognise, recognise_foreign
from wattrail.image.inspection import Inspection, inspect_image

__all__ = ["inspected"]

_MAX_EXPORTED: Final = 5
"""Boards with exports; those that share a wiring have the same."""

_MAX_MATCHES: Final = 8
"""Boards of one source; each further one agrees less."""


def inspected(data: bytes) -> dict[str, Any]:
    """The answer. Raises ImageError for what is not an image of this family, MissingExtra without numpy."""
    found = inspect_image(_image(data))
    record = as_record(found)
    observed = wirings_of_dump(found, "dump")
    matches = [match_boards(wiring, known_boards())[:_MAX_MATCHES] for wiring in observed]
    scale = calibration_in_dump(found)
    return {
        "inspection": record,
        "picture": picture_svg(record["map"], found.image.kind.value),
        "boards": match_record(observed, matches),
        "calibration_source": _calibration_source(found, scale),
        "exports": [export for match in _best(matches) for export in _exports(match, scale)],
    }


def _image(data: bytes) -> Image:
    """A file, recognised; an archive with one image in it is that image."""
    foreign = recognise_foreign(data)
    if foreign is None:
        return recognise(data)
    if not foreign.is_zip:
        raise ImageError(f"this is {foreign.what}, not a firmware image", hint=foreign.hint())
    images = look_into_zip(data).images
    if len(images) != 1:
        raise ImageError(
            f"the zip archive has {len(images)} firmware images in it, expected 1", hint="unpack it, and take one"
        )
    return recognise(images[0].data)


def _calibration_source(found: Inspection, scale: Calibration | None) -> str | None:
    if scale is None:
        return None
    return "factory" if found.constants is not None else "openbeken"


def _best(matches: Sequence[Sequence[BoardMatch]]) -> list[BoardMatch]:
    """One for each board, the best first; where some agree wholly, no others."""
    by_name: dict[str, BoardMatch] = {}
    for match in sorted((match for some in matches for match in some), key=lambda match: -match.agreement):
        by_name.setdefault(match.board.name, match)
    found = list(by_name.values())
    sure = [match for match in found if match.confidence is not MatchConfidence.POSSIBLE]
    return (sure or found)[:_MAX_EXPORTED]


def _exports(match: BoardMatch, scale: Calibration | None) -> Iterator[dict[str, Any]]:
    """The files of each firmware that the board can have."""
    board = match.board
    carried = scale if board.meter.is_signed else None
    for target in ExportTarget:
        try:
            files = export_board(board, target, load_front_panel(), carried)
        except ConfigError:
            continue  # a firmware that this chip cannot have
        yield {"board": board.name, "target": target.value, "files": files, "with_calibration": carried is not None}
