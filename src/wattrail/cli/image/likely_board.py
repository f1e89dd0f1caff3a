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
_ANY = "board: not known; a microcontroller does the work, and nothing here says whether it measures"


def likely_board(path: Path, found: Inspection) -> str | None:
    """The line, with how sure it is and the command that says why; None for a dump that says nothing of its board."""
    try:
        boards = known_boards()
    except MissingExtra:
        return None
    wirings = wirings_of_dump(found, "")
    matches = [match for wiring in wirings for match in match_boards(wiring, boards)]
    if not matches:
        return None
    named = [match for match in matches if match.confidence is not MatchConfidence.POSSIBLE]
    is_any = all(wiring.is_any_microcontroller for wiring in wirings)
    if is_any and not named:
        said = _ANY
    else:
        said = _said(sorted(named if is_any else matches, key=lambda match: -match.agreement))
    return f"{said}; for the evidence: wattrail board match {printable(shlex.quote(str(path)))}"


def _said(matches: list[BoardMatch]) -> str:
    best = matches[0]
    equal = [match for match in matches if match.agreement == best.agreement]
    if len(equal) == 1:
        return f"board: {best.board.name}, {best.confidence}, {best.agreement:.0%} agrees"
    names = list(dict.fromkeys(match.board.name for match in equal))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    share = "" if best.confidence is MatchConfidence.SAME_WIRING else f", {best.agreement:.0%} agrees"
    return f"board: {best.confidence}{share}: {', '.join(names[:_SHOWN])}{more}"
