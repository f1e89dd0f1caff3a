"""How far, how fast, how long yet: one run over some bytes of flash. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from wattrail.flasher import Progress

__all__ = ["Course"]

_KIB = 1024
_LONG_S = 90


@dataclass(frozen=True, slots=True)
class Course:
    """``began`` and ``now`` are seconds of one clock. Bytes are bytes of flash, also those that need no wire."""

    progress: Progress
    began: float
    now: float

    @property
    def percent(self) -> int:
        """Whole per cent done."""
        return 100 * self.progress.done // max(1, self.progress.total)

    @property
    def bytes_per_s(self) -> float | None:
        """None until some time has passed."""
        elapsed = self.now - self.began
        return self.progress.done / elapsed if elapsed > 0 and self.progress.done else None

    @property
    def seconds_left(self) -> float | None:
        """At the rate so far; None while that is not known."""
        rate = self.bytes_per_s
        return (self.progress.total - self.progress.done) / rate if rate else None

    def words(self) -> str:
        """One line of text."""
        done, total = self.progress.done // _KIB, self.progress.total // _KIB
        parts = [f"{self.progress.what:<9} {self.percent:3} %  {done:5} of {total} KiB"]
        if (rate := self.bytes_per_s) is not None:
            parts.append(f"{rate / 1000:.0f} kB/s")
        if left := self.seconds_left:
            parts.append(_duration(left) + " left")
        return "  ".join(parts)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _LONG_S else f"{seconds / 60:.0f} min"
