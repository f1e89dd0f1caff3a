"""Which known boards an observation fits: what speaks for each, and what against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wattrail.board.model import ActiveLevel, BoardDescription, BoardMeterBus, BoardPin, BoardPinRole
from wattrail.board.observation import ObservedWiring

__all__ = ["BoardMatch", "MatchConfidence", "match_boards"]

# What a board cannot be without weighs most: the product's own key, then the metering chip and its bus. A level is
# often unknown or a guess, and weighs least.
_WEIGHTS: Final = {
    "product": 4.0,
    "data points": 2.0,
    "pin": 2.0,
    "level": 0.5,
    "module": 1.0,
    "chip": 1.0,
    "metering chip": 3.0,
    "bus": 3.0,
}
_MIN_AGREEMENT: Final = 0.5
_SAME_CHIP: Final = frozenset({"hlw8032", "cse7766"})
"""Two names of one frame; the stock configuration says the first, OpenBeken's driver the second."""

_COMPARED: Final = frozenset(
    {
        BoardPinRole.RELAY, BoardPinRole.RELAY_ON, BoardPinRole.RELAY_OFF, BoardPinRole.BUTTON,
        BoardPinRole.BUTTON_ALL, BoardPinRole.LED, BoardPinRole.WIFI_LED, BoardPinRole.CF, BoardPinRole.CF1,
        BoardPinRole.SEL,
    }
)  # fmt: skip
"""Roles that every kind of source names. Pins of a UART are left out by most."""

_INTERCHANGED: Final = frozenset({BoardPinRole.LED, BoardPinRole.WIFI_LED})
"""Whether an LED shows the relay or the Wi-Fi is a choice of the firmware, not of the board."""


class MatchConfidence(StrEnum):
    """How far a match is to be believed."""

    LIKELY = "likely"
    """Everything observed agrees, with this board alone."""
    SAME_WIRING = "one of several with the same wiring"
    """Everything observed agrees, with others too: the export is right, the name may not be."""
    POSSIBLE = "possible"
    """Something contradicts it, or too little was observed."""


@dataclass(frozen=True, slots=True)
class BoardMatch:
    """A board, the share of the observed facts that agree with it (0 to 1), and these facts."""

    board: BoardDescription
    agreement: float
    confidence: MatchConfidence
    evidence: tuple[str, ...]
    contradictions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _ComparedFact:
    weight: float
    agrees: bool
    text: str


def match_boards(observed: ObservedWiring, boards: Sequence[BoardDescription]) -> tuple[BoardMatch, ...]:
    """The boards that at least half of the observed facts agree with, the best first.

    Every known board measures, so that none is like one without a meter, however many pins agree.
    """
    if observed.is_empty or observed.is_without_meter:
        return ()
    compared = [(board, tuple(_compared(observed, board))) for board in boards]
    scored = [(board, facts, _agreement(facts)) for board, facts in compared if facts]
    full = [board for board, _, agreement in scored if agreement == 1.0]
    found = [
        BoardMatch(
            board,
            round(agreement, 3),
            _confidence(board, agreement, full, observed),
            tuple(fact.text for fact in facts if fact.agrees),
            tuple(fact.text for fact in facts if not fact.agrees),
        )
        for board, facts, agreement in scored
        if agreement >= _MIN_AGREEMENT
    ]
    return tuple(
        sorted(found, key=lambda match: (-match.agreement, not _is_named(match.board, observed), match.board.name))
    )


def _agreement(facts: Sequence[_ComparedFact]) -> float:
    return sum(fact.weight for fact in facts if fact.agrees) / sum(fact.weight for fact in facts)


def _is_named(board: BoardDescription, observed: ObservedWiring) -> bool:
    """Whether the key of the product is one that was seen on this board."""
    return observed.product in {product.key for product in board.products}


def _confidence(
    board: BoardDescription, agreement: float, full: Sequence[BoardDescription], observed: ObservedWiring
) -> MatchConfidence:
    is_named = _is_named(board, observed)
    # Without pins, or the key of a product, any board with this chip would agree with everything.
    if agreement < 1.0 or not (observed.pins or is_named):
        return MatchConfidence.POSSIBLE
    same = [other for other in full if not is_named or _is_named(other, observed)]
    return MatchConfidence.LIKELY if len(same) == 1 else MatchConfidence.SAME_WIRING


def _compared(observed: ObservedWiring, board: BoardDescription) -> Iterator[_ComparedFact]:
    for name, seen, known in (("module", observed.module, board.module), ("chip", observed.chip, board.chip)):
        if seen and known:
            yield _fact(name, seen == known, seen, known)
    if observed.metering_chip and board.meter.chip:
        one, other = observed.metering_chip, board.meter.chip
        yield _fact("metering chip", one == other or {one, other} <= _SAME_CHIP, one, other)
    if observed.bus:
        yield _fact("bus", observed.bus is board.meter.bus, observed.bus, board.meter.bus)
    if _is_named(board, observed):  # another key says nothing: one board is sold as many products
        yield _fact("product", True, f"key {observed.product}", "")
    if observed.datapoints and board.datapoints:
        yield _compared_datapoints(observed.datapoints, {point.id for point in board.datapoints})
    # A microcontroller hides its pins: that none were seen says nothing against a board.
    if observed.pins or BoardMeterBus.TUYAMCU not in {observed.bus, board.meter.bus}:
        yield from _compared_pins(_by_number(observed.pins), _by_number(board.pins))


def _compared_datapoints(observed: frozenset[int], known: set[int]) -> _ComparedFact:
    """The list of a product is whole, that of a board names what measures: all of the latter have to be in it."""
    missing = ", ".join(map(str, sorted(known - observed)))
    there = ", ".join(map(str, sorted(known)))
    text = f"no data point {missing}; this board has {there}" if missing else f"data points {there}"
    return _ComparedFact(_WEIGHTS["data points"], not missing, text)


def _by_number(pins: Sequence[BoardPin]) -> dict[int, BoardPin]:
    return {pin.pin: pin for pin in pins if pin.role in _COMPARED}


def _compared_pins(observed: dict[int, BoardPin], known: dict[int, BoardPin]) -> Iterator[_ComparedFact]:
    for number in sorted({*observed, *known}):
        seen, expected = observed.get(number), known.get(number)
        if seen is None or expected is None:
            yield _fact("pin", False, _shown(seen, number), _shown(expected, number))
            continue
        same = seen.role is expected.role or {seen.role, expected.role} == _INTERCHANGED
        yield _fact("pin", same, str(seen), str(expected))
        levels = {seen.active, expected.active}
        # An unknown level agrees with every other: nobody wrote it down. Source: openbeken/devices
        if same and ActiveLevel.UNKNOWN not in levels and len(levels) > 1:
            yield _fact("level", False, f"P{number} active {seen.active}", f"active {expected.active}")


def _shown(pin: BoardPin | None, number: int) -> str:
    return str(pin) if pin else f"P{number} unused"


def _fact(name: str, agrees: bool, seen: str, known: str) -> _ComparedFact:
    subject = "" if name in {"pin", "level"} else f"{name} "
    text = f"{subject}{seen}" if agrees else f"{subject}{seen}; this board has {known}"
    return _ComparedFact(_WEIGHTS[name], agrees, text)
