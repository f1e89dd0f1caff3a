"""Events of a session, and the one sink they go up through: it counts, logs, and passes on what a listener may hear.

Every layer of the flasher is given the sink, and nothing of the layers above it. ``SessionState`` is that sink: what it
knows, it knows from events alone, and nobody else changes it. From its counts come the diagnosis and the report.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Final, Literal

from wattrail.bootrom import Responder
from wattrail.clock import Clock
from wattrail.diagnosis import Diagnosis, Loss, SessionStatistics, Stage, coach, diagnose
from wattrail.errors import LinkFailed
from wattrail.flasher.flash_target import FlashTarget
from wattrail.line_classifier import classify

__all__ = [
    "BackedUp",
    "Coaching",
    "EventSink",
    "Exchanged",
    "Fact",
    "FlashEvent",
    "Heard",
    "Identified",
    "LinkCheckSent",
    "Linked",
    "Listener",
    "Lost",
    "Note",
    "Progress",
    "ProgressCounter",
    "RateChanged",
    "RateFailed",
    "Repeated",
    "Responds",
    "Resumed",
    "SessionEvent",
    "SessionState",
]

logger = logging.getLogger(__name__)

RunKind = Literal["reading", "comparing", "writing", "checking"]


# ---- what a listener hears; all are values, and a listener must not take long


@dataclass(frozen=True, slots=True)
class Coaching:
    """While the link is being made: what is heard so far, and what to do now, in one line."""

    words: str


@dataclass(frozen=True, slots=True)
class Linked:
    """The chip answers. ``baud``: at which rate; ``seconds``: after how long."""

    baud: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Identified:
    """It is known which chip and which flash answer."""

    target: FlashTarget


@dataclass(frozen=True, slots=True)
class RateChanged:
    """The session continues at this rate; ``why`` is the reason."""

    baud: int
    why: str


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` bytes of flash."""

    what: RunKind
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Repeated:
    """A request was damaged or not answered, and is repeated. ``is_fault``: it may have changed flash on the way."""

    stage: Stage
    why: str
    is_fault: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """The link is lost, and is being made again; ``words`` is the diagnosis so far, which the sink adds."""

    loss: Loss
    words: str = ""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """The whole flash is in a file, every block of it checked against the chip's own CRC."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """An earlier session on this board did not end; ``backup`` is the one it took, from before its first erase."""

    since: str
    image: str
    backup: Path | None


@dataclass(frozen=True, slots=True)
class Note:
    """Anything else worth a line."""

    words: str


FlashEvent = Coaching | Linked | Identified | RateChanged | Progress | Repeated | Lost | BackedUp | Resumed | Note
Listener = Callable[[FlashEvent], None]


# ---- what is only counted


@dataclass(frozen=True, slots=True)
class Heard:
    """Bytes that came while no reply was being read."""

    data: bytes
    baud: int


@dataclass(frozen=True, slots=True)
class LinkCheckSent:
    """One link check without an established link; ``request`` is what an echo would bring back."""

    request: bytes


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A request was answered as it should be."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class RateFailed:
    """This rate does not work, or damages too much."""

    baud: int


@dataclass(frozen=True, slots=True)
class Responds:
    """It is known who answers."""

    responder: Responder


class Fact(Enum):
    """What happened, where nothing need be said besides."""

    LINK_SOUGHT = "a link is sought: what was heard before says nothing about it"
    STILL_SILENT = "a round of link checks went unanswered"
    LINE_RESET = "the reset line was pulsed"
    RELINKED = "the chip answers without a new search: it restarted, or its cable was away"
    CABLE_LOST = "the port went away"
    UNCHANGED = "an erase or a write was accepted and changed nothing"
    BLOCK_PROVEN = "a block holds what it should: a loss after this is a new one"


SessionEvent = FlashEvent | Heard | LinkCheckSent | Exchanged | RateFailed | Responds | Fact
EventSink = Callable[[SessionEvent], None]

_HEARD_BYTES: Final = 2048
"""Bytes remembered for each rate listened at: enough for a few log lines or frames."""

MAX_LOSSES: Final = 3
"""Links lost in a row, without a proven block between them, after which the session gives up."""


class SessionState:
    """The sink of one session. ``listener`` gets every ``FlashEvent``; ``about`` holds what is known from the start."""

    def __init__(self, clock: Clock, listener: Listener | None, about: SessionStatistics) -> None:
        self._clock = clock
        self._listener = listener
        self._about = about
        self._began = clock.monotonic()
        self._heard: dict[int, bytearray] = {}
        self._sent = b""
        self._coached = ""
        self._facts: Counter[Fact] = Counter()
        self._losses: list[Loss] = []
        self._losses_in_a_row = 0
        self._failed_rates: list[int] = []
        self._done: Counter[Stage] = Counter()
        self._damaged: Counter[Stage] = Counter()
        self._responder: Responder | None = None
        self.links = 0
        """Links made so far, restarts that needed no search included."""
        self.fault_generation = 0
        """Goes up with whatever may have changed flash unasked: what was checked before it must be checked again.

        One flipped bit makes a Read4K an Erase4K, and a damaged address an erase elsewhere. No single flip turns a
        request for a CRC into a command that writes; and data that differs from its CRC did no harm on the way.
        """

    def record(self, event: SessionEvent) -> None:
        """The sink: count an event, log it, and pass it on if it is one for the listener."""
        match event:
            case Heard(data, baud):
                heard = self._heard.setdefault(baud, bytearray())
                heard += data
                del heard[:-_HEARD_BYTES]
            case LinkCheckSent(request):
                self._sent = request
            case Exchanged(stage):
                self._done[stage] += 1
            case RateFailed(baud):
                self._failed_rates.append(baud)
            case Responds(responder):
                self._responder = responder
            case Fact():
                self._count(event)
            case _:
                self._report(event)

    def _count(self, fact: Fact) -> None:
        self._facts[fact] += 1
        match fact:
            case Fact.LINK_SOUGHT:
                self._heard.clear()
            case Fact.STILL_SILENT:
                self._coach()
            case Fact.RELINKED:
                self.links += 1
            case Fact.CABLE_LOST:
                self.fault_generation += 1
            case Fact.BLOCK_PROVEN:
                self._losses_in_a_row = 0

    def _report(self, event: FlashEvent) -> None:
        """Count and log what the listener hears too, and what a person who reads the log wants to know."""
        match event:
            case Linked(baud, seconds):
                self.links += 1
                logger.info("linked at %d baud after %.3f s", baud, seconds)
            case RateChanged(baud, why):
                logger.info("rate %d baud: %s", baud, why)
            case Repeated(stage, why, is_fault):
                self.fault_generation += is_fault
                self._damaged[stage] += 1
                logger.info("asking again, %s: %s", stage.value, why)
            case Lost(loss):
                self.fault_generation += 1
                self._losses.append(loss)
                self._losses_in_a_row += 1
                event = replace(event, words=self.diagnosis().words)
                logger.info("link lost, %s at %d baud: %s", loss.stage.value, loss.baud, event.words)
        if self._listener is not None:
            self._listener(event)

    def _coach(self) -> None:
        """Say what to do now, if that has changed."""
        words = coach(self.statistics())
        if words != self._coached:
            self._coached = words
            self._report(Coaching(words))

    # ---- what follows from the events

    @property
    def give_up(self) -> bool:
        """Whether the link was lost again and again without any progress."""
        return self._losses_in_a_row >= MAX_LOSSES

    def statistics(self) -> SessionStatistics:
        """All of it, as a value."""
        reports = (classify(bytes(data), baud, sent=self._sent) for baud, data in self._heard.items() if data)
        return replace(
            self._about,
            seconds=self._clock.monotonic() - self._began,
            links=self.links,
            line_reports=tuple(reports),
            losses=tuple(self._losses),
            done=dict(self._done),
            damaged=dict(self._damaged),
            failed_rates=tuple(self._failed_rates),
            pulses=self._facts[Fact.LINE_RESET],
            cable_lost=self._facts[Fact.CABLE_LOST],
            unchanged=self._facts[Fact.UNCHANGED],
            responder=self._responder,
        )

    def diagnosis(self) -> Diagnosis:
        """What it amounts to."""
        return diagnose(self.statistics())

    def link_failed(self, what: str) -> LinkFailed:
        """The error that says why there is no link, or none any more."""
        found = self.diagnosis()
        hint = found.causes[0].remedy if found.causes else None
        return LinkFailed(f"{what}: {found.words}", diagnosis=found.as_dict(), hint=hint)


class ProgressCounter:
    """How far one run over ``total`` bytes of flash has come; what is done a second time is not reported again."""

    def __init__(self, sink: EventSink, what: RunKind, total: int, *, start: int = 0) -> None:
        self._sink = sink
        self._what = what
        self._total = total
        self._offset = -start
        self._reached = 0

    def count_from(self, address: int, done: int) -> None:
        """From here on ``done`` bytes are done at this address."""
        self._offset = done - address

    def reached(self, address: int) -> None:
        """Everything below this address is done."""
        done = address + self._offset
        if done > self._reached:
            self._reached = done
            self._sink(Progress(self._what, done, self._total))
