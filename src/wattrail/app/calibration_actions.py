"""Calibrating a meter that the gateway reads: readings come from the gateway itself, so that no port is opened twice.

What was measured waits here under a number until somebody keeps it: what is kept is what was shown. The meter is then
read on with it, at once.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from json import dumps
from typing import Any, Final

from wattrail.app.coming_readings import STEADY_HINT, ComingReadings, chip_of
from wattrail.chips.scaling import Scaling
from wattrail.clock import Clock, SystemClock
from wattrail.errors import StoreError, WattrailError
from wattrail.gateway import Feed
from wattrail.meter.calibration import FEWEST_READINGS
from wattrail.metrology.calibrate import CalibrationError, CalibrationPoint, Load, LoadCounts, Reference, unsteadiness
from wattrail.metrology.calibration_checks import diagnose
from wattrail.metrology.fitting import fit
from wattrail.metrology.proposal import Proposal, constants, evidence
from wattrail.store import KeptCalibration, Store
from wattrail.units import Reading
from wattrail.web.gateway_calls import Action
from wattrail.web.problems import ProblemDetails, RequestRefused

__all__ = ["CalibrationActions", "Recalibrate"]

# A proposal waits for a person; a page that measures for ever must not fill memory with them.
_MAX_WAITING: Final = 20
_COUNTS: Final = ("v_rms", "i_rms", "watt")

Recalibrate = Callable[[Iterable[str]], tuple[str, ...]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    meter: str
    proposal: Proposal


class CalibrationActions:
    """Measures, keeps what was measured, and puts an earlier calibration back.

    ``recalibrate`` scales meters by what is kept; see ``Gateway``.
    """

    def __init__(self, store: Store, feed: Feed, recalibrate: Recalibrate, *, clock: Clock | None = None) -> None:
        self._store, self._recalibrate, self._clock = store, recalibrate, clock or SystemClock()
        self._numbers = itertools.count(1)
        self._waiting: OrderedDict[int, _Waiting] = OrderedDict()
        self._kept: dict[int, KeptCalibration] = {}
        self._lock = threading.Lock()
        self._readings = ComingReadings(feed, self._clock)

    def actions(self) -> Mapping[str, Action]:
        """Actions by their names."""
        return {
            "calibration.measure": self._measure, "calibration.keep": self._keep, "calibration.restore": self._restore,
        }  # fmt: skip

    def _measure(self, arguments: Mapping[str, Any]) -> dict[str, object]:
        """Read a steady load, and propose constants for what a reference showed."""
        name = arguments["meter"]
        try:
            volts, amps, watts = (arguments[one] for one in ("volts", "amps", "watts"))
            reference = Reference.typed(volts, amps, watts, Load(arguments["load"]))
            proposal = self._proposal(name, reference)
        except CalibrationError as error:
            raise RequestRefused(ProblemDetails("invalid", str(error), error.hint)) from error
        with self._lock:
            number = next(self._numbers)
            self._waiting[number] = _Waiting(name, proposal)
            while len(self._waiting) > _MAX_WAITING:
                self._waiting.popitem(last=False)
        return {
            "number": number, "simulated": proposal.simulated, "before": constants(proposal.before),
            "after": constants(proposal.after), "acceptable": not proposal.stopped, "evidence": evidence(proposal),
        }  # fmt: skip

    def _proposal(self, name: str, reference: Reference) -> Proposal:
        _, first = self._readings.live(name)
        before = first.calibration
        if before is None:
            raise CalibrationError(
                f"{name} gives volts, amperes and watts by itself: its own firmware has the calibration",
                hint="calibrate it on the device: what it shows is what is booked",
            )
        scaling = _scaling(name, first)
        point = CalibrationPoint(self._samples(name), reference, scaling)
        found = fit([point])
        kept = self._newest(name)
        turns = kept.turns if kept else 1
        return Proposal(
            meter=name, origin="measured", reference="typed by a person at the page", simulated=first.simulated,
            before=before, after=found.completed(before), scaling=scaling, turns=turns, points=(point,), fit=found,
            findings=diagnose([point], found, before=before, turns=turns),
        )  # fmt: skip

    def _samples(self, name: str) -> tuple[LoadCounts, ...]:
        """The counts of the readings that come from now on. Raises CalibrationError for a load that moves."""
        taken = self._readings.take(name, FEWEST_READINGS)
        samples = [LoadCounts(*(one.sample.counts[key] for key in _COUNTS)) for one in taken]
        if moved := unsteadiness(samples):
            raise CalibrationError(f"the load is not steady: {moved}", hint=STEADY_HINT)
        return tuple(samples)

    def _keep(self, arguments: Mapping[str, Any]) -> dict[str, object]:
        """Keep what was measured under a number; a second time it is what was kept."""
        number = arguments["number"]
        # Locked to the end: a second request for the same number waits, and gets what the first one kept.
        with self._lock:
            if (kept := self._kept.get(number)) is None:
                waiting = self._waiting.get(number)
                if waiting is None or waiting.meter != arguments["meter"]:
                    raise RequestRefused(
                        ProblemDetails("not-found", f"no measurement {number} waits", "measure once more")
                    )
                self._refuse_findings(waiting.proposal, frozenset(arguments["allow"]))
                kept = self._kept[number] = self._written(waiting.proposal, arguments)
        return {"number": kept.number, "scale": self._taken_up(kept)}

    def _refuse_findings(self, proposal: Proposal, allowed: frozenset[str]) -> None:
        refused = [one for one in proposal.findings if one.stops and one.cause.value not in allowed]
        if refused:
            raise RequestRefused(
                ProblemDetails("invalid", refused[0].text, "correct it and measure again, or say that it is so")
            )

    def _written(self, proposal: Proposal, arguments: Mapping[str, Any]) -> KeptCalibration:
        return self._store.keep_calibration(
            proposal.meter, proposal.after, simulated=proposal.simulated, origin=proposal.origin, turns=proposal.turns,
            at=self._clock.now(), by=arguments["who"], note=arguments["note"], evidence=dumps(evidence(proposal)),
        )  # fmt: skip

    def _restore(self, arguments: Mapping[str, Any]) -> dict[str, object]:
        """Keep an earlier calibration once more, as the newest."""
        name, number = arguments["meter"], arguments["number"]
        found = next((one for one in self._store.calibrations(name) if one.number == number), None)
        if found is None:
            raise RequestRefused(ProblemDetails("not-found", f"no calibration {number} of {name} is kept"))
        words = f"calibration {number}"
        kept = self._store.keep_calibration(
            name, found.calibration, simulated=found.simulated, origin="restored", turns=found.turns,
            at=self._clock.now(), by=arguments["who"], note=words, evidence=dumps({"restored": words}),
        )  # fmt: skip
        return {"number": kept.number, "scale": self._taken_up(kept)}

    def _taken_up(self, kept: KeptCalibration) -> str | None:
        """Read the meter on with what is kept, and wait until it shows that; gives its scale then. Raises nothing."""
        # Asked before the reload: afterwards nothing says whether the scale shown is the new one.
        before = self._readings.shown(kept.meter)
        try:
            if self._recalibrate([kept.meter]) and before is not None:
                self._readings.wait_for_other_scale(before)
        except StoreError as error:  # it is kept, and the next reload takes it up
            logger.warning("meter %s: calibration %d is not taken up yet: %s", kept.meter, kept.number, error)
        shown = self._readings.shown(kept.meter)
        return shown.scale if shown else None

    def _newest(self, name: str) -> KeptCalibration | None:
        kept = self._store.calibrations(name)
        return kept[-1] if kept else None


def _scaling(name: str, reading: Reading) -> Scaling:
    """That of the chip behind a reading."""
    chip = chip_of(reading)
    if chip is None or not set(_COUNTS) <= reading.sample.counts.keys():
        raise WattrailError(f"{name} is not read as a metering chip, so it has no constants to calibrate")
    return chip.scaling
