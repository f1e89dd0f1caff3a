"""What was observed and what it fits, as one record of plain values: the JSON of ``board match`` and of the page."""

from __future__ import annotations

from collections.abc import Sequence

from wattrail.board.match import BoardMatch
from wattrail.board.observation import ObservedWiring, disagreements

__all__ = ["match_record"]


def match_record(observed: Sequence[ObservedWiring], found: Sequence[tuple[BoardMatch, ...]]) -> dict[str, object]:
    """``disagreements`` between the sources, and each of the ``sources`` with its matches, the best first."""
    return {
        "disagreements": list(disagreements(observed)),
        "sources": [_source(wiring, matches) for wiring, matches in zip(observed, found, strict=True)],
    }


def _source(wiring: ObservedWiring, matches: Sequence[BoardMatch]) -> dict[str, object]:
    return {
        "source": wiring.where,
        "module": wiring.module or None,
        "chip": wiring.chip or None,
        "metering_chip": wiring.metering_chip or None,
        "bus": wiring.bus,
        "product": wiring.product or None,
        "datapoints": sorted(wiring.datapoints),
        "pins": [str(pin) for pin in wiring.pins],
        "matches": [
            {
                "board": one.board.name,
                "title": one.board.title,
                "confidence": one.confidence.name.lower(),
                "agreement": one.agreement,
                "evidence": list(one.evidence),
                "contradictions": list(one.contradictions),
            }
            for one in matches
        ],
    }
