"""Whether a device restarted between two readings, and how, by what it says about itself."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from wattrail.energy_register import BootEvidence

__all__ = ["Boot", "boot_between"]

_UPTIME_SLACK_S: Final = 5.0
_CLOCK_DRIFT: Final = 0.001
"""How far uptime and our own clock may be apart although both are right: what a broker and a busy device add to the age
that is known (``uptime_age_s``), whole seconds, and what a cheap crystal drifts."""


class Boot(Enum):
    """What happened to a device between two readings, as far as its evidence goes."""

    NONE = auto()  # nothing says that it restarted
    SIGN = auto()  # a setting stands at its reset value: one sign, no proof
    SOFT = auto()  # it restarted under power
    POWER = auto()  # it lost power
    UNKNOWN = auto()  # it restarted, and does not say why
    RESET = auto()  # its total was set by command
    CHANGED = auto()  # another firmware or configuration: counts never cross it

    @property
    def is_restart(self) -> bool:
        """Whether a restart is proven."""
        return self is Boot.SOFT or self is Boot.POWER or self is Boot.UNKNOWN


def boot_between(before: BootEvidence | None, now: BootEvidence | None, elapsed_s: float | None) -> Boot:
    """What the evidence of two readings says; ``elapsed_s`` is None where no clock spans them."""
    if now is None:
        return Boot.NONE
    # Before all else: an update is a restart too, and another version may count in other steps.
    # Most keep the total; the energy of one reading is what it costs to be sure (ADR 30).
    if before is not None and before.revision != now.revision:
        return Boot.CHANGED
    # A total that is set moves its date (TotalStartTime of Tasmota, the clear date of OpenBeken), restarted or not.
    if before is not None and before.start_stamp and now.start_stamp and before.start_stamp != now.start_stamp:
        return Boot.RESET
    if _counted_up(before, now) or _uptime_fell(before, now, elapsed_s):
        if now.is_power_on is None:
            return Boot.UNKNOWN
        return Boot.POWER if now.is_power_on else Boot.SOFT
    return Boot.SIGN if now.is_reset else Boot.NONE


def _counted_up(before: BootEvidence | None, now: BootEvidence) -> bool:
    if before is None or before.boot_count is None or now.boot_count is None:
        return False
    return before.boot_count != now.boot_count


def _uptime_fell(before: BootEvidence | None, now: BootEvidence, elapsed_s: float | None) -> bool:
    if now.uptime_s is None:
        return False
    known = before.uptime_s if before is not None else None
    if elapsed_s is None:
        return known is not None and now.uptime_s < known
    # The earlier uptime may be older than its reading as well, which only adds to the time between the two.
    between_s = max(elapsed_s - now.uptime_age_s, 0.0)
    slack_s = _UPTIME_SLACK_S + _CLOCK_DRIFT * elapsed_s
    is_behind = between_s - (now.uptime_s - (known or 0.0)) > slack_s
    is_younger = now.uptime_s <= elapsed_s + (before.uptime_age_s if before is not None else 0.0) + slack_s
    return is_behind and is_younger  # who has run for longer than the time between did not start in it
