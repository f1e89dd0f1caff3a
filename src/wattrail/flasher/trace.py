"""The memory of one session: what was tried, heard and lost. From it come the diagnosis and the report's counts."""

from __future__ import annotations

import logging
from collections import Counter, deque
from typing import Final, Literal

from wattrail.bootrom import Responder
from wattrail.clock import Clock
from wattrail.flasher.diagnosis import Diagnosis, coach, diagnose
from wattrail.flasher.events import (
    Coaching,
    FlashEvent,
    Linked,
    Listener,
    Lost,
    Note,
    Progress,
    RateChanged,
    Repeated,
    What,
)
from wattrail.flasher.history import History, Loss, Stage
from wattrail.line_classifier import classify

__all__ = ["ResetBy", "Trace"]

ResetBy = Literal["rts", "dtr", "person"]

logger = logging.getLogger(__name__)

_EAR: Final = 2048
"""Bytes remembered for each rate listened at: enough for a few log lines or frames."""

LOSSES_IN_A_ROW: Final = 3
"""Links lost without a single block got right between them, after which going on is no use."""

_RECENT: Final = 50
TOO_MANY: Final = 3
"""Damaged exchanges among the recent ones, from which on the rate is too high for the line."""


class Trace:
    """Facts of a session, in the order in which they became known."""

    def __init__(self, clock: Clock, listener: Listener | None, *, reset: ResetBy, simulated: bool) -> None:
        self._clock = clock
        self._listener = listener
        self._began = clock.monotonic()
        self._heard: dict[int, bytearray] = {}
        self._recent: deque[bool] = deque(maxlen=_RECENT)
        self._coached = ""
        self._row = 0
        self._run: tuple[What, int] = ("reading", 0)
        self._reached = 0
        self._reset: ResetBy = reset
        self._simulated = simulated
        self.adapter: str | None = None
        self.knocks = 0
        self.pulses = 0
        self.links = 0
        self.cable_lost = 0
        self.unchanged = 0
        self.responder: Responder | None = None
        self.network = False
        self.losses: list[Loss] = []
        self.failed_rates: list[int] = []
        self.done: Counter[Stage] = Counter()
        self.damaged: Counter[Stage] = Counter()
        self.anomalies = 0
        """What may have changed flash where nobody asked for it: what was checked before one is in doubt.

        One flipped bit makes Read4K an Erase4K, and a damaged address an erase elsewhere. A CRC's request is nothing
        that one flip turns into a command that writes; and data that differs from its CRC did no harm on the way.
        """
        self.sent = b""

    # ---- facts come in

    def hear(self, data: bytes, baud: int) -> None:
        """Bytes that came while no answer was being read."""
        ear = self._heard.setdefault(baud, bytearray())
        ear += data
        del ear[:-_EAR]

    def forget_sounds(self) -> None:
        """A new attempt: what was heard before says nothing about it."""
        self._heard.clear()

    def good(self, stage: Stage) -> None:
        """An exchange went well."""
        self.done[stage] += 1
        self._recent.append(True)

    def spoiled(self, stage: Stage, why: str) -> None:
        """An exchange did not."""
        self.anomalies += stage is not Stage.CHECK
        self.mismatched(stage, why)

    def mismatched(self, stage: Stage, why: str) -> None:
        """An exchange looked well, and its data was not what a CRC says."""
        self.damaged[stage] += 1
        self._recent.append(False)
        self.tell(Repeated(stage, why))

    def lost(self, loss: Loss) -> None:
        """The link is gone."""
        self.anomalies += 1
        self.losses.append(loss)
        self._row += 1
        self.tell(Lost(loss, self.diagnosis().words))

    def progress(self) -> None:
        """Something was got right for good: a loss after this is a new one."""
        self._row = 0

    def new_rate(self) -> None:
        """Damage at the old rate says nothing about the new one."""
        self._recent.clear()

    # ---- what follows from them

    @property
    def seconds(self) -> float:
        """Since the session began."""
        return self._clock.monotonic() - self._began

    @property
    def hopeless(self) -> bool:
        """Whether the link was lost again and again without any progress."""
        return self._row >= LOSSES_IN_A_ROW

    @property
    def strained(self) -> bool:
        """Whether the line carries its present rate badly."""
        return self._recent.count(False) >= TOO_MANY

    def history(self) -> History:
        """All of it, as a value."""
        hearings = tuple(classify(bytes(data), baud, sent=self.sent) for baud, data in self._heard.items() if data)
        return History(
            knocks=self.knocks,
            seconds=self.seconds,
            links=self.links,
            hearings=hearings,
            losses=tuple(self.losses),
            done=dict(self.done),
            damaged=dict(self.damaged),
            failed_rates=tuple(self.failed_rates),
            reset=self._reset,
            pulses=self.pulses,
            adapter=self.adapter,
            cable_lost=self.cable_lost,
            simulated=self._simulated,
            unchanged=self.unchanged,
            responder=self.responder,
            network=self.network,
        )

    def diagnosis(self) -> Diagnosis:
        """What it amounts to."""
        return diagnose(self.history())

    # ---- telling

    def begin(self, what: What, total: int) -> None:
        """A run over so many bytes of flash begins."""
        self._run, self._reached = (what, total), 0

    def reached(self, done: int) -> None:
        """So many of them are done; what is done a second time is not told again."""
        what, total = self._run
        if done > self._reached:
            self._reached = done
            self.tell(Progress(what, done, total))

    def tell(self, event: FlashEvent) -> None:
        """Pass an event on, and log those that a person who wonders what happens wants to know."""
        match event:
            case Linked(baud, seconds):
                logger.info("linked at %d baud after %.3f s", baud, seconds)
            case RateChanged(baud, why):
                logger.info("rate %d baud: %s", baud, why)
            case Repeated(stage, why):
                logger.info("asking again, %s: %s", stage.value, why)
            case Lost(loss, words):
                logger.info("link lost, %s at %d baud: %s", loss.stage.value, loss.baud, words)
        if self._listener is not None:
            self._listener(event)

    def note(self, words: str) -> None:
        """Pass a line on."""
        self.tell(Note(words))

    def coach(self) -> None:
        """Say what to do now, if that has changed."""
        history = self.history()
        words = coach(history)
        if words != self._coached:
            self._coached = words
            self.tell(Coaching(words, history))
