"""Classifies what arrives on a serial line: bytes in, a report out. Pure; used by the flasher and the meter."""

from wattrail.line_classifier.classify import HEARD_LIMIT, SHOWN_LIMIT, classify
from wattrail.line_classifier.traffic import LISTEN_RATES, LineReport, ListenRate, TrafficKind, clearest

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
