"""What a session's statistics mean: a symptom, its causes in order of likelihood, and the next thing to do.

The first symptom that fits is taken. Its causes start with the weights of the table, each piece of evidence multiplies
them, and what is left is shared out so that all of them and the unknown make 1. The numbers order the causes; they are
not probabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Final

from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.diagnosis.rules import CAUSES, KnownCause
from wattrail.diagnosis.session_statistics import SessionStatistics, Stage
from wattrail.line_classifier import TrafficKind

__all__ = ["SYMPTOMS", "Diagnosis", "LikelyCause", "Symptom", "coach", "diagnose"]

_UNKNOWN: Final = 1.0
"""Weight of everything the table does not have."""

_MIN_LIKELIHOOD: Final = 0.02
"""Causes less likely than this are not listed."""

_TURN_S: Final = 10.0
"""How long one piece of advice is shown before the next has its turn."""

_MAX_EXPLAINED: Final = 6
"""Causes that are explained in full, and that have a turn; the others are only named."""

_MANY_DAMAGED: Final = 3
"""Repeated exchanges from which on it is the line that loses bytes."""

_LINKED: Final = "linked"
_LIKELY: Final = 0.35
_POSSIBLE: Final = 0.12


@dataclass(frozen=True, slots=True)
class LikelyCause:
    """One cause of a diagnosis. ``likelihood`` is its share of 1; ``because`` the evidence for it, or against."""

    name: str
    likelihood: float
    because: tuple[str, ...]
    remedy: str
    words: str

    @property
    def odds(self) -> str:
        """The likelihood in a word."""
        return "likely" if self.likelihood >= _LIKELY else "possible" if self.likelihood >= _POSSIBLE else "less likely"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is going on. ``symptom`` is a stable name, also of a part of docs/troubleshooting.md."""

    symptom: str
    words: str
    causes: tuple[LikelyCause, ...]
    simulated: bool = False

    @property
    def nothing_wrong(self) -> bool:
        """Whether the chip answers, and nothing was found."""
        return self.symptom == _LINKED

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "symptom": self.symptom,
            "words": self.words,
            "simulated": self.simulated,
            "causes": [
                {
                    "name": cause.name,
                    "likelihood": round(cause.likelihood, 3),
                    "words": cause.words,
                    "because": list(cause.because),
                    "mend": cause.remedy,
                }
                for cause in self.causes
            ],
        }

    def lines(self) -> list[str]:
        """For a terminal: the words, then each cause with its evidence and its remedy."""
        lines = ["SIMULATED: this happened on a digital twin, not on a chip"] if self.simulated else []
        lines.append(self.words)
        for number, cause in enumerate(self.causes[:_MAX_EXPLAINED], 1):
            lines.append(f"{number}. {cause.words} ({cause.odds})")
            lines += [f"   - {reason}" for reason in cause.because]
            lines.append(f"   -> {cause.remedy}")
        if rest := ", ".join(cause.name for cause in self.causes[_MAX_EXPLAINED:]):
            lines.append(f"less likely still: {rest}")
        lines.append(f"more: docs/troubleshooting.md#{self.symptom}")
        return lines


@dataclass(frozen=True, slots=True)
class Symptom:
    """A state of affairs that has causes. ``words`` describe it."""

    name: str
    holds: Callable[[SessionStatistics], bool]
    words: str


def diagnose(statistics: SessionStatistics) -> Diagnosis:
    """The symptom a statistics shows, and its causes, most likely first."""
    # The first that fits: a port that went away explains every loss, and a restart every damaged exchange after it.
    symptom = next(symptom for symptom in SYMPTOMS if symptom.holds(statistics))
    heard = f" Heard: {statistics.heard.words}." if statistics.heard and not statistics.links else ""
    return Diagnosis(symptom.name, symptom.words + heard, _causes(symptom, statistics), statistics.simulated)


def coach(statistics: SessionStatistics) -> str:
    """The one line to show while still trying: what is heard, and what to do now.

    As time passes every other turn goes to a less likely cause; the likeliest has the turns in between, and after a
    loss all of them.
    """
    symptom = next(symptom for symptom in SYMPTOMS if symptom.holds(statistics))
    causes = _causes(symptom, statistics)[:_MAX_EXPLAINED]
    if not causes:
        return symptom.words
    turn = 0 if statistics.losses else int(statistics.seconds / _TURN_S)
    cause = causes[(turn + 1) // 2 % len(causes) if turn % 2 else 0]
    resume = " Reset the module to continue." if statistics.losses else ""
    return f"{_state(symptom, statistics)}. {_NOW[cause.name]}.{resume}"


def _state(symptom: Symptom, statistics: SessionStatistics) -> str:
    if statistics.losses:
        stage = statistics.losses[-1].stage
        return "The chip answered, and was gone again" if stage is Stage.LINK else f"The link was lost: {stage.value}"
    if statistics.heard:
        return f"Received: {_HEARD[statistics.heard.kind]} at {statistics.heard.baud} baud"
    if symptom.name != "no-answer":
        return symptom.words.removesuffix(".")
    turn = int(statistics.seconds / _TURN_S)
    waited = f" after {turn * _TURN_S:.0f} s" if turn else " yet"
    return f"{'A click and no' if statistics.clicked else 'No'} answer{waited}"


def _causes(symptom: Symptom, statistics: SessionStatistics) -> tuple[LikelyCause, ...]:
    possible = [known for known in CAUSES if symptom.name in known.explains and not known.contradicted(statistics)]
    weighed = [_weigh(known, symptom, statistics) for known in possible]
    total = _UNKNOWN + sum(weight for weight, _, _ in weighed)
    causes = [
        LikelyCause(known.name, weight / total, because, known.remedy, known.words)
        for weight, because, known in weighed
    ]
    likely = [cause for cause in causes if cause.likelihood >= _MIN_LIKELIHOOD]
    return tuple(sorted(likely, key=lambda cause: -cause.likelihood))


def _weigh(
    known: KnownCause, symptom: Symptom, statistics: SessionStatistics
) -> tuple[float, tuple[str, ...], KnownCause]:
    found = [(factor, words) for factor, evidence in known.evidence if (words := evidence(statistics))]
    because = tuple(words if factor >= 1 else f"against it: {words}" for factor, words in found)
    return known.explains[symptom.name] * prod(factor for factor, _ in found), because, known


_HEARD: Final = {
    TrafficKind.LINK: "the chip's answer",
    TrafficKind.HALF_ANSWER: "damaged pieces of the chip's answer",
    TrafficKind.TUYA_MCU: "a TuyaMCU talking with the module",
    TrafficKind.BL0942: "a BL0942 talking with the module",
    TrafficKind.CSE7766: "a CSE7766 talking to the module",
    TrafficKind.TEXT: "a log",
    TrafficKind.ECHO: "our own bytes coming back",
    TrafficKind.BREAK: "a line that stays low, or somebody much slower,",
    TrafficKind.GARBAGE: "bytes that make no sense",
}
"""Traffic without its counts: the line changes when something new is heard, not with every byte."""

_NOW: Final = {known.name: known.now[0].upper() + known.now[1:] for known in CAUSES}


# ---- symptoms


def _restarts_on(*stages: Stage) -> Callable[[SessionStatistics], bool]:
    """Whether the chip restarted under load rather than anywhere, and last in one of these stages."""

    def holds(statistics: SessionStatistics) -> bool:
        loaded = statistics.restarts_under_load
        elsewhere = len(statistics.losses) - len(loaded)
        return len(loaded) > elsewhere and loaded[-1].stage in stages

    return holds


def _hears(*kinds: TrafficKind) -> Callable[[SessionStatistics], bool]:
    return lambda statistics: not statistics.links and statistics.heard is not None and statistics.heard.kind in kinds


def _rate_fails(statistics: SessionStatistics) -> bool:
    """Whether it is the change of rate that fails, and not now and then an exchange."""
    at_change = sum(loss.stage is Stage.BAUD for loss in statistics.losses)
    damaged = sum(count for stage, count in statistics.damaged.items() if stage is not Stage.BAUD)
    return (
        bool(statistics.failed_rates or at_change)
        and 2 * at_change >= len(statistics.losses)
        and damaged < _MANY_DAMAGED
    )


SYMPTOMS: Final = (
    Symptom(
        "cable-lost",
        lambda h: 0 < h.cable_lost >= len(h.restarts),
        "The port itself went away: the adapter is gone from the USB, or the bridge from the network.",
    ),
    Symptom(
        "reset-on-rate-change",
        _restarts_on(Stage.BAUD),
        "The chip answers, and is gone after the change of rate: it restarted, or does not hear the new rate.",
    ),
    Symptom(
        "reset-on-erase",
        _restarts_on(Stage.ERASE),
        "The chip answers, and restarts when it erases flash, which takes more current than anything before.",
    ),
    Symptom(
        "reset-on-write",
        _restarts_on(Stage.WRITE, Stage.UNPROTECT),
        "The chip answers, and restarts when it writes flash, which takes more current than reading.",
    ),
    Symptom(
        "lost-again",
        lambda h: len(h.restarts) > len(h.losses) - len(h.restarts),
        "The chip answers and is gone again, whatever it is doing.",
    ),
    Symptom(
        "protected", lambda h: h.unchanged > 0, "The chip says it has erased or written, and the flash is as it was."
    ),
    Symptom("rate-refused", _rate_fails, "The chip answers, but not at the new rate."),
    Symptom(
        "bytes-lost",
        lambda h: bool(h.losses or any(h.damaged.values())),
        "The chip is there all the time, but bytes are lost or bent on the way.",
    ),
    Symptom(
        "other-rate",
        lambda h: not h.links and h.elsewhere is not None,
        f"The chip answers at another rate than the {BAUD_AT_RESET} baud of a reset.",
    ),
    Symptom(_LINKED, lambda h: bool(h.links) or _hears(TrafficKind.LINK)(h), "The chip answers and nothing is wrong."),
    Symptom("half-answers", _hears(TrafficKind.HALF_ANSWER), "The chip answers, and what arrives of it is damaged."),
    Symptom(
        "second-talker",
        _hears(TrafficKind.TUYA_MCU, TrafficKind.BL0942, TrafficKind.CSE7766),
        "The module's UART is in use: it talks with another device on its board, and the boot ROM is not answering.",
    ),
    Symptom(
        "reboot-loop",
        lambda h: _hears(TrafficKind.TEXT)(h) and h.reboots,
        "The chip starts over and over again: its boot banner comes many times.",
    ),
    Symptom(
        "log-heard", _hears(TrafficKind.TEXT), "A log is heard and no answer: the chip runs, or this is its log UART."
    ),
    Symptom("own-echo", _hears(TrafficKind.ECHO), "Nothing is heard but our own bytes, which come straight back."),
    Symptom(
        "line-low",
        _hears(TrafficKind.BREAK),
        "The line stays low, where a chip that has power holds it high; or somebody talks much slower.",
    ),
    Symptom("garbage", _hears(TrafficKind.GARBAGE), "Bytes come that make no sense at any rate tried."),
    Symptom("no-answer", lambda h: True, "The chip does not answer, and nothing else is heard."),
)
"""In the order in which they are looked for; the last one always holds."""
