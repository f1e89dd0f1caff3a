"""``wattrail board match``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from json import dumps
from typing import Annotated

from cyclopts import Parameter

from wattrail.board import (
    BoardMatch,
    MatchConfidence,
    ObservedWiring,
    disagreements,
    known_boards,
    match_boards,
    match_record,
)
from wattrail.cli.board.evidence import observe
from wattrail.cli.exits import Exit
from wattrail.cli.option_types import Json

_SHOWN = 5
"""Boards that contradict something: as many are shown; those that agree wholly are all named."""


def match(
    sources: Annotated[
        list[str],
        Parameter(help="A configuration, a template or a dump as a file, or openbeken://HOST; several may be given."),
    ],
    *,
    json: Json = False,
) -> int:
    """Find the board that a configuration or a device belongs to.

    Each source is matched by itself, and where two contradict each other, that is said first. A dump may hold two: the
    stock firmware's, and OpenBeken's. Exit code 1 if nothing fits.
    """
    observed = [wiring for source in sources for wiring in observe(source)]
    found = [match_boards(one, known_boards()) for one in observed]
    conflicts = disagreements(observed)
    if json:
        print(dumps(match_record(observed, found)))
    else:
        print("\n".join(_lines(observed, found, conflicts)))
    return Exit.DONE if any(found) else Exit.FAILED


def _lines(
    observed: Sequence[ObservedWiring], found: Sequence[tuple[BoardMatch, ...]], conflicts: Sequence[str]
) -> Iterator[str]:
    if conflicts:
        yield "the sources contradict each other:"
        yield from (f"  {text}" for text in conflicts)
    for wiring, matches in zip(observed, found, strict=True):
        yield from _summary(wiring)
        if wiring.is_without_meter:
            yield "  no metering chip is configured; every known board has one"
        elif not matches:
            yield "  no known board fits; 'wattrail board search' looks by name"
        elif wiring.is_any_microcontroller and not is_sure(matches):
            yield "  a thermostat says the same: nothing here says whether it measures. Boards with a microcontroller:"
        same = [one for one in matches if one.confidence is MatchConfidence.SAME_WIRING]
        if same:
            yield f"  {len(same)} boards have exactly this wiring:"
            yield from (f"    {one.board.name}: {one.board.title}" for one in same)
        others = [one for one in matches if one not in same]
        for one in others[: 0 if same else _SHOWN]:
            yield from _one(one)


def is_sure(matches: Sequence[BoardMatch]) -> bool:
    """Whether something tells the boards apart."""
    return any(one.confidence is not MatchConfidence.POSSIBLE for one in matches)


def _summary(wiring: ObservedWiring) -> Iterator[str]:
    meter = wiring.metering_chip.upper() or "no metering chip named"
    if wiring.is_any_microcontroller:
        meter = "a microcontroller"
    bus = f" by {wiring.bus}" if wiring.bus else ""
    pins = "1 pin" if len(wiring.pins) == 1 else f"{len(wiring.pins)} pins"
    yield f"{wiring.where}: {wiring.module or wiring.chip or 'module not named'}, {meter}{bus}, {pins}"


def _one(found: BoardMatch) -> Iterator[str]:
    yield f"  {found.board.name}: {found.confidence}, {found.agreement:.0%} agrees; {found.board.title}"
    if found.evidence:
        yield f"    for it: {'; '.join(found.evidence)}"
    yield from (f"    but: {text}" for text in found.contradictions)
