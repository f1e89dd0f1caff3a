"""What it took to get readings: every retry and every refusal, counted."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Statistics"]


@dataclass(slots=True)
class Statistics:
    """Counters of one meter since it was opened; all only go up."""

    readings: int = 0
    exchanges: int = 0
    retries: int = 0
    silent: int = 0
    truncated: int = 0
    damaged: int = 0
    junk_bytes: int = 0
    disagreements: int = 0
    implausible: int = 0
    restarts: int = 0

    @property
    def failures(self) -> int:
        """Exchanges that did not bring the answer they should."""
        return self.silent + self.truncated + self.damaged
