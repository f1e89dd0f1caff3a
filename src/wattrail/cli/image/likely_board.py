"""The board that a dump is probably of, in one line."""

from __future__ import annotations

import shlex
from pathlib import Path

from wattrail.board import BoardMatch, MatchConfidence, known_boards, match_boards, wirings_of_dump
from wattrail.errors import MissingExtra
from wattrail.image.inspection import Inspection
from wattrail.sanitize import printable

__all__ = ["likely_board"]

_SHOWN = 3


def likely_board(path: Path, found: Inspection) -> str | None:
    """The line, with how sure it is and the command that says why; None for a dump that says nothing of its board."""
    try:
        boards = known_boards()
    except MissingExtra:
        return None
    matches = [match for wiring in wirings_of_dump(found, "") for match in match_boards(wiring, boards)]
    if not matches:
        return None
    said = _said(sorted(matches, key=lambda match: -match.agreement))
    return f"{said}; for the evidence: wattrail board match {printable(shlex.quote(str(path)))}"


def _said(matches: list[BoardMatch]) -> str:
    best = matches[0]
    if best.confidence is not MatchConfidence.SAME_WIRING:
        return f"board: {best.board.name}, {best.confidence}, {best.agreement:.0%} agrees"
    names = list(dict.fromkeys(match.board.name for match in matches if match.confidence is best.confidence))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"board: {best.confidence}: {', '.join(names[:_SHOWN])}{more}"
