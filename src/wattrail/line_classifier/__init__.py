"""Classifies what arrives on a serial line: bytes in, a report out. Pure; used by the flasher and the meter."""

from wattrail.line_classifier.classify import (
    HEARD_LIMIT,
    LISTEN_RATES,
    SHOWN_LIMIT,
    LineReport,
    ListenRate,
    TrafficKind,
    classify,
    clearest,
)

__all__ = [
    "HEARD_LIMIT",
    "LISTEN_RATES",
    "SHOWN_LIMIT",
    "LineReport",
    "ListenRate",
    "TrafficKind",
    "classify",
    "clearest",
]
