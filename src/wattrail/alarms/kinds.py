"""What an alarm can watch, as one table: the quantity, its side of the limit, and what a rule need not say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = ["KINDS", "AlarmKind", "KindOfAlarm", "MeterSnapshot", "Side"]

_QUARTER_H: Final = 0.25


class AlarmKind(StrEnum):
    """The kinds of alarms, as wattrail.toml calls them."""

    OVER_VOLTAGE = "over-voltage"
    UNDER_VOLTAGE = "under-voltage"
    OVER_CURRENT = "over-current"
    OVER_POWER = "over-power"
    DEMAND = "demand"
    DAY_BUDGET = "day-budget"
    EXPORT = "export"
    LOAD_STOPPED = "load-stopped"
    METER_SILENT = "meter-silent"
    REGISTER_HELD = "register-held"


class Side(StrEnum):
    """Which values raise an alarm."""

    ABOVE = "above"
    BELOW = "below"
    TRUE = "true"  # there is no limit: it is so, or it is not


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSnapshot:
    """What is known of one meter at a moment; None is unknown.

    ``monotonic`` is the monotonic clock at ``at``, seconds. ``is_silent``: its last reading is not fresh, or there was
    none; ``silent_s`` is the age of the last one. ``watts`` is positive for import. ``today_import_mwh`` is the import
    of the local day; ``import_mwh`` the register. ``quarter_mwh`` is the import of the running quarter hour, which ends
    in ``quarter_left_s``. ``held`` says why its registers are not passed on, and is empty where they are.
    """

    meter: str
    at: datetime
    monotonic: float
    simulated: bool = False
    is_silent: bool = False
    silent_s: float | None = None
    volts: float | None = None
    amps: float | None = None
    watts: float | None = None
    today_import_mwh: int | None = None
    import_mwh: int | None = None
    quarter_mwh: int | None = None
    quarter_left_s: float = 0.0
    held: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KindOfAlarm:
    """One row of the table.

    ``value`` gives what is compared, None where it is unknown. ``limit`` is the usual limit, None where a rule must say
    its own. ``clear_share`` is the usual hysteresis, as a share of the limit. ``for_s`` is how long it must last.
    ``sentence`` is what is said of it; ``cleared`` what is said when a state without a limit has ended. ``is_certain``
    says that waiting cannot change the outcome, so that ``for_s`` is not waited for.
    """

    what: str
    unit: str
    side: Side
    value: Callable[[MeterSnapshot], float | None]
    limit: float | None = None
    clear_share: float = 0.0
    for_s: float = 0.0
    decimals: int = 1
    sentence: str = ""
    cleared: str = ""
    is_certain: Callable[[MeterSnapshot, float], bool] = lambda _snapshot, _limit: False


def projected_watts(snapshot: MeterSnapshot) -> float | None:
    """The mean power that the running quarter hour ends with if the present power lasts."""
    if snapshot.quarter_mwh is None or snapshot.watts is None:
        return None
    rest_wh = max(0.0, snapshot.watts) * snapshot.quarter_left_s / 3600
    return (snapshot.quarter_mwh / 1000 + rest_wh) / _QUARTER_H


def _is_exceeded(snapshot: MeterSnapshot, limit_watts: float) -> bool:
    return snapshot.quarter_mwh is not None and snapshot.quarter_mwh / 1000 > limit_watts * _QUARTER_H


def _day_kwh(snapshot: MeterSnapshot) -> float | None:
    return None if snapshot.today_import_mwh is None else snapshot.today_import_mwh / 1e6


def _exported_watts(snapshot: MeterSnapshot) -> float | None:
    return None if snapshot.watts is None else max(0.0, -snapshot.watts)


KINDS: Final[Mapping[AlarmKind, KindOfAlarm]] = MappingProxyType(
    {
        AlarmKind.OVER_VOLTAGE: KindOfAlarm(
            what="voltage", unit="V", side=Side.ABOVE, value=lambda one: one.volts,
            limit=253.0, clear_share=0.01, for_s=10,  # 230 V + 10 %, EN 50160
        ),
        AlarmKind.UNDER_VOLTAGE: KindOfAlarm(
            what="voltage", unit="V", side=Side.BELOW, value=lambda one: one.volts,
            limit=207.0, clear_share=0.01, for_s=10,  # 230 V - 10 %, EN 50160
        ),
        AlarmKind.OVER_CURRENT: KindOfAlarm(
            what="current", unit="A", side=Side.ABOVE, value=lambda one: one.amps,
            clear_share=0.05, for_s=10, decimals=2,
        ),
        AlarmKind.OVER_POWER: KindOfAlarm(
            what="power", unit="W", side=Side.ABOVE, value=lambda one: one.watts,
            clear_share=0.05, for_s=60, decimals=0,
        ),
        AlarmKind.DEMAND: KindOfAlarm(
            what="projected quarter-hour demand", unit="W", side=Side.ABOVE, value=projected_watts,
            clear_share=0.05, for_s=60, decimals=0, is_certain=_is_exceeded,
        ),
        AlarmKind.DAY_BUDGET: KindOfAlarm(
            what="import of the day", unit="kWh", side=Side.ABOVE, value=_day_kwh, decimals=2,
        ),
        AlarmKind.EXPORT: KindOfAlarm(
            what="export", unit="W", side=Side.ABOVE, value=_exported_watts,
            limit=20.0, clear_share=0.5, for_s=60, decimals=0,
        ),
        AlarmKind.LOAD_STOPPED: KindOfAlarm(
            what="power", unit="W", side=Side.BELOW, value=lambda one: one.watts,
            clear_share=0.1, for_s=4 * 3600, decimals=0,
        ),
        AlarmKind.METER_SILENT: KindOfAlarm(
            what="silence", unit="s", side=Side.TRUE, value=lambda one: one.silent_s,
            for_s=60, decimals=0, sentence="no reading", cleared="it is read again",
        ),
        AlarmKind.REGISTER_HELD: KindOfAlarm(
            what="register", unit="", side=Side.TRUE, value=lambda _one: None,
            sentence="its registers are not passed on", cleared="its registers are passed on again",
        ),
    }
)  # fmt: skip
"""Every kind. A share of the limit is 1 % for voltage, whose limits lie close together, and 5 % for loads."""
