"""Statistics of a session so far: what was tried, heard, repeated and lost. All that a diagnosis needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

from wattrail.bootrom.commands import Responder
from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.line_classifier import LineReport, TrafficKind, clearest

__all__ = ["LOADS", "Loss", "ResetBy", "SessionStatistics", "Stage"]

ResetBy = Literal["rts", "dtr", "manual"]
"""What resets the chip: a modem line wired to CEN, or a person."""


class Stage(Enum):
    """What is being done when something goes wrong."""

    LINK = "link"
    BAUD = "rate change"
    IDENTIFY = "identification"
    READ = "read"
    CHECK = "check"
    UNPROTECT = "unprotecting"
    ERASE = "erase"
    WRITE = "write"


LOADS: Final = (Stage.BAUD, Stage.UNPROTECT, Stage.ERASE, Stage.WRITE)
"""Stages in which a chip on a weak supply is reported to restart; in the others it draws little more than at rest."""

_CLICK: Final = 3
_CLICK_EVERY_S: Final = 5.0
"""Bytes of garbage or zeros that a switched supply or reset causes on any line: a few, and some with each reset."""

_LOOP: Final = 3
_LOOP_S: Final = 1.5
"""So many starts, closer together than this on average, are not caused by resets: a person resets every few seconds."""

_MAX_DAMAGED_SHARE: Final = 0.05
"""Share of reads that may need a second try while reading still counts as going well."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A link that was lost.

    ``was_reset``: True if the chip answered again only in its reset state, or its firmware was heard; False if it
    answered again at the rate it had; None if it never answered again. ``traffic`` is what was heard right after.
    """

    stage: Stage
    baud: int
    was_reset: bool | None
    traffic: TrafficKind = TrafficKind.SILENCE

    @property
    def is_restart(self) -> bool:
        """Whether the chip restarted, as far as is known; garbage after a rate change says that it did change."""
        garbled = self.stage is Stage.BAUD and self.was_reset is None and self.traffic in _GARBLED
        return self.was_reset is not False and not garbled

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "stage": self.stage.value,
            "baud": self.baud,
            "was_reset": self.was_reset,
            "sound": self.traffic.value,
        }


_GARBLED: Final = (TrafficKind.GARBAGE, TrafficKind.HALF_ANSWER)


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """One session. ``seconds`` since it began or, without a link, since link checks began; ``links`` made so far.

    ``done`` and ``damaged`` count exchanges that went well, and repetitions, by stage. ``adapter`` is the name the USB
    gives, ``pulses`` how often the wired line was pulsed, ``cable_lost`` how often the port went away. ``unchanged``:
    erases and writes that the chip accepted and that changed nothing. ``responder``: who answered, if anybody did.
    ``network``: the port is a bridge on a network, and no adapter on the USB.
    """

    seconds: float = 0.0
    links: int = 0
    line_reports: tuple[LineReport, ...] = ()
    losses: tuple[Loss, ...] = ()
    done: Mapping[Stage, int] = field(default_factory=dict)
    damaged: Mapping[Stage, int] = field(default_factory=dict)
    failed_rates: tuple[int, ...] = ()
    reset: ResetBy = "manual"
    pulses: int = 0
    adapter: str | None = None
    cable_lost: int = 0
    simulated: bool = False
    unchanged: int = 0
    responder: Responder | None = None
    network: bool = False

    @property
    def heard(self) -> LineReport | None:
        """The clearest traffic heard; None for silence, and for the few bytes a reset causes."""
        max_clicks = _CLICK + self.seconds / _CLICK_EVERY_S + self.pulses
        quiet = (TrafficKind.BREAK, TrafficKind.GARBAGE)
        return clearest(
            report
            for report in self.line_reports
            if report.kind is not TrafficKind.SILENCE and (report.kind not in quiet or report.count > max_clicks)
        )

    @property
    def clicked(self) -> bool:
        """Whether the line moved, and nothing more."""
        return self.heard is None and any(report.count for report in self.line_reports)

    @property
    def elsewhere(self) -> LineReport | None:
        """An answer at another rate than that of a reset."""
        answers = (report for report in self.line_reports if report.kind is TrafficKind.LINK)
        return next((report for report in answers if report.baud != BAUD_AT_RESET), None)

    @property
    def banners(self) -> int:
        """Boot banners heard: starts of the chip."""
        return sum(report.banners for report in self.line_reports)

    @property
    def reboots(self) -> bool:
        """Whether the chip starts again more often than a person or a wired line resets it."""
        return self.banners >= _LOOP and self.banners > self.pulses and self.seconds < self.banners * _LOOP_S

    @property
    def restarts(self) -> tuple[Loss, ...]:
        """Losses that look like a restart of the chip."""
        return tuple(loss for loss in self.losses if loss.is_restart)

    @property
    def restarts_under_load(self) -> tuple[Loss, ...]:
        """Those of them in stages that load the supply."""
        return tuple(loss for loss in self.restarts if loss.stage in LOADS)

    @property
    def reads_went_well(self) -> bool:
        """Whether there were reads, and next to nothing was wrong with them."""
        damaged = self.damaged.get(Stage.READ, 0) + sum(loss.stage is Stage.READ for loss in self.losses)
        return 0 < self.done.get(Stage.READ, 0) >= damaged / _MAX_DAMAGED_SHARE
