"""Who sets the load in an accuracy test, and knows what really flows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wattrail.cli import output
from wattrail.cli.exits import UsageError
from wattrail.errors import NoAnswer
from wattrail.metrology.iec62053 import LoadPoint

if TYPE_CHECKING:
    from wattrail.meter import Meter
    from wattrail.twin.twin import Twin

__all__ = ["ManualLoads", "MeterReference", "TwinLoads", "asked", "twin_of"]

_SAMPLES: Final = "type the active power in watts that the reference shows, s to skip, q to end"


class TwinLoads:
    """A twin's mains, set by hand, and its own truth."""

    name = "the twin's own truth"
    uncertainty: float | None = 0.0

    def __init__(self, twin: Twin) -> None:
        self._twin = twin

    def set_load(self, point: LoadPoint, _what: str) -> bool:
        """See ``LoadSource``."""
        phase = point.phase
        self._twin.set(volts=point.volts, amps=point.amps, pf=phase.power_factor, leading=phase.leads)
        return True

    def watts(self) -> float:
        """See ``LoadSource``."""
        return self._twin.truth.watts

    def watt_hours(self) -> float | None:
        """See ``LoadSource``."""
        return self._twin.truth.net_wh


@dataclass
class ManualLoads:
    """A person who sets the load and reads a reference."""

    uncertainty: float | None
    prompt: Callable[[str], str] = input
    name: str = "typed in by a person"
    _watts: float = 0.0

    def set_load(self, point: LoadPoint, what: str) -> bool:
        """See ``LoadSource``."""
        output.note(_wish(point, what))
        while True:
            typed = self.prompt("Enter when it is so" if not point.amps else _SAMPLES).strip().lower()
            if typed == "q":
                raise EOFError
            if typed == "s":
                return False
            if not point.amps:
                return True
            try:
                self._watts = float(typed.removesuffix("w").replace(",", "."))
            except ValueError:
                output.note(f"{typed!r} is not a number of watts")
                continue
            if self._watts:
                return True
            output.note("0 W gives no error in per cent; s skips this load")

    def watts(self) -> float:
        """See ``LoadSource``: held steady by the person."""
        return self._watts

    def watt_hours(self) -> float | None:
        """See ``LoadSource``: power times time."""
        return None


class MeterReference:
    """A person who sets the load, and another meter that reads it."""

    def __init__(self, reference: Meter, uncertainty: float | None, prompt: Callable[[str], str] = input) -> None:
        self._reference, self._prompt = reference, prompt
        self.uncertainty = uncertainty
        self.name = f"{reference.url}{', SIMULATED' if reference.simulated else ''}"

    def set_load(self, point: LoadPoint, what: str) -> bool:
        """See ``LoadSource``."""
        output.note(_wish(point, what))
        typed = self._prompt("Enter when it is so, s to skip, q to end").strip().lower()
        if typed == "q":
            raise EOFError
        if typed == "s":
            return False
        if point.amps and not self._reference.read().watts:
            output.note("the reference sees no power: left out")
            return False
        return True

    def watts(self) -> float:
        """See ``LoadSource``."""
        if (watts := self._reference.read().watts) is None:
            raise NoAnswer(f"{self._reference.url}: the reference gives no power")
        return watts

    def watt_hours(self) -> float | None:
        """See ``LoadSource``: power times time; another counter would bring its own grain."""
        return None


def twin_of(meter: Meter) -> Twin | None:
    """The twin behind a meter, if one was made for this very run."""
    from wattrail.transport import unlogged
    from wattrail.twin.twin import Twin

    found = getattr(unlogged(meter.client.carrier), "twin", None)
    return found if isinstance(found, Twin) else None


def asked(question: str) -> str:
    """Ask on stderr, so that results stay apart. Raises UsageError without a terminal, EOFError at the end."""
    if not sys.stdin.isatty():
        raise UsageError(
            "somebody has to set the loads, and nobody sits at this terminal",
            hint="run it in a terminal, or test a twin: wattrail meter accuracy twin",
        )
    print(f"{question}: ", end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def _wish(point: LoadPoint, what: str) -> str:
    if not point.amps:
        return f"{what}: {point.volts:g} V, and the wire open: no current at all"
    return f"{what}: {point.volts:g} V, {point.amps:g} A, power factor {point.phase} (about {point.watts:.1f} W)"
