"""The ``[[alarm]]`` tables of ``wattrail.toml``: one rule each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import time
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from wattrail.alarms import KINDS, TEST_RULE, AlarmKind, AlarmRule, QuietHours, Severity, Side
from wattrail.toml_schema import field_error
from wattrail.toml_schema.section import METER, Section, one_of
from wattrail.urls import METER_NAME

__all__ = ["AlarmSection", "check_alarms"]

_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_MAX_FOR_S: Final = 7 * 86400


def _kind(text: str) -> str:
    if text not in set(AlarmKind):
        raise ValueError(f"unknown kind {text!r}; known: {', '.join(AlarmKind)}")
    return text


def _name(text: str) -> str:
    if not METER_NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not an alarm name: use letters, digits, dot, dash and underscore, at most 64")
    if text == TEST_RULE:
        raise ValueError(f"{text!r} is the name of the alarm that wattrail alarm test sends: choose another name")
    return text


def _quiet(text: str) -> str:
    if _hours(text) is None:
        raise ValueError(f"must be two different local times such as 22:00-07:00, got {text!r}")
    return text


def _hours(text: str) -> QuietHours | None:
    if not (found := _HOURS.fullmatch(text)):
        return None
    begin, end = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    return None if begin == end else QuietHours(begin, end)


class AlarmSection(Section):
    """One ``[[alarm]]``, for one meter, several, or all."""

    kind: Annotated[str, AfterValidator(_kind), one_of(AlarmKind)]
    """What is watched."""
    name: Annotated[str, AfterValidator(_name)] | None = None
    """Name of the alarm; that of its kind if left out."""
    meter: Annotated[str, METER] | None = None
    """Meter that is watched; all if left out."""
    meters: Annotated[list[Annotated[str, METER]], Field(min_length=1)] | None = None
    """Several meters that are watched."""
    limit: Annotated[float, Field(gt=0, le=1e9)] | None = None
    """Limit, in the unit of what is watched."""
    clear: Annotated[float, Field(ge=0, le=1e9)] | None = None
    """How far below the limit the alarm is cleared."""
    for_s: Annotated[float, Field(ge=0, le=_MAX_FOR_S)] | None = None
    """Seconds for which it must last."""
    severity: Literal["info", "warning", "critical"] = "warning"
    """How serious it is."""
    quiet: Annotated[str, AfterValidator(_quiet)] | None = None
    """Quiet hours in local time, such as 22:00-07:00."""
    message: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Words of your own that the message begins with."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        kind = KINDS[AlarmKind(self.kind)]
        if kind.side is Side.TRUE:
            for field in ("limit", "clear"):
                if getattr(self, field) is not None:
                    raise field_error((field,), f"{self.kind} has no {field}", hint="for_s says how long it must last")
        elif self.limit is None and kind.limit is None:
            raise field_error(("limit",), f"{self.kind} needs a limit", hint=f"write limit = a number of {kind.unit}")
        elif kind.side is Side.ABOVE and self.clear is not None and self.clear > self.rule().threshold:
            limit = f"{self.rule().threshold:g} {kind.unit}"
            raise field_error(
                ("clear",), f"clear must be at most the limit, {limit}, got {self.clear:g}",
                hint="clear is how far below the limit the value must be before the alarm is cleared",
            )  # fmt: skip
        if self.meter is not None and self.meters is not None:
            raise field_error(("meters",), "meter and meters both name meters; keep one of them")
        if self.quiet is not None and self.severity == "critical":
            raise field_error(
                ("quiet",), "quiet hours do not hold back a critical alarm", hint="leave out quiet, or lower severity"
            )
        return self

    def named(self) -> tuple[str, ...]:
        """The meters that it names; none for all."""
        return (self.meter,) if self.meter is not None else tuple(self.meters or ())

    def rule(self) -> AlarmRule:
        """The rule; without a name it is called after its kind."""
        return AlarmRule(
            name=self.name or self.kind, kind=AlarmKind(self.kind), meters=self.named(), limit=self.limit,
            clear=self.clear, for_s=self.for_s, severity=Severity(self.severity),
            quiet=_hours(self.quiet) if self.quiet else None, message=self.message or "",
        )  # fmt: skip


def check_alarms(alarms: Sequence[AlarmSection], meters: Sequence[str]) -> None:
    """Alarms of the whole file: each has a name of its own, and names meters that are there. Raises ValidationError."""
    names = [alarm.name or alarm.kind for alarm in alarms]
    for index, alarm in enumerate(alarms):
        if names[index] in names[:index]:
            raise field_error(
                ("alarm", index, "name"), f"a second alarm is named {names[index]!r}",
                hint='give it a name of its own, such as name = "cellar-power"; its events are stored under it',
            )  # fmt: skip
        for meter in alarm.named():
            if meter not in meters:
                field = "meter" if alarm.meter is not None else "meters"
                raise field_error(
                    ("alarm", index, field), f"there is no meter {meter!r}; known: {', '.join(meters) or 'none'}"
                )
