"""What a device behind a broker has said of its boots, message by message."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wattrail.energy_register import BootEvidence
from wattrail.units import NO_EVIDENCE

__all__ = ["PublishedEvidence"]


class PublishedEvidence:
    """Collects evidence for the totals that come later.

    An uptime holds for one total, the next: a later one would be compared with an uptime that stood still, which looks
    like a restart. How old it is by then goes with it.
    """

    def __init__(self) -> None:
        self._said = NO_EVIDENCE
        self._uptime_at = 0.0

    def say(self, **fields: Any) -> None:  # noqa: ANN401 - the fields of BootEvidence, which checks them
        """Take what a message says, by the names of ``BootEvidence``; all but the uptime."""
        self._said = replace(self._said, **fields)

    def say_uptime(self, uptime_s: float | None, at: float) -> None:
        """Take an uptime that came at a moment of the monotonic clock, in seconds; a retained one is of no use."""
        self._said, self._uptime_at = replace(self._said, uptime_s=uptime_s), at

    def forget_uptime(self) -> None:
        """A new connection, perhaps after a boot: an uptime from before is history."""
        self._said = replace(self._said, uptime_s=None)

    def beside(self, at: float, *, has_total: bool) -> BootEvidence:
        """The evidence of what came at a moment of the monotonic clock. A total uses the uptime up, else it is kept."""
        said = self._said
        if not has_total or said.uptime_s is None:
            return replace(said, uptime_s=None)
        self.forget_uptime()
        # The total may come seconds after the uptime: unsaid, the difference looks like a restart on a slow network.
        return replace(said, uptime_age_s=max(at - self._uptime_at, 0.0))
