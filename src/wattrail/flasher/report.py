"""What a session did, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from wattrail.flasher.survey import Span

__all__ = ["Comparison", "Report"]


@dataclass(frozen=True, slots=True)
class Report:
    """A write that was verified; there is no report of any other.

    ``touched`` sectors were erased or programmed, ``untouched`` ones held what they should before; ``programs`` and
    ``erases`` count commands, so repeated ones count twice. ``repeated`` are questions asked again, ``losses`` links
    made anew. ``kept`` says in words what of the image was left out.
    """

    image: str
    sha256: str
    board: str
    chip: str | None
    simulated: bool
    seconds: float
    baud: int
    touched: int
    untouched: int
    programs: int
    erases: int
    erased_bytes: int
    repeated: int
    losses: int
    resumed: bool
    backup: Path | None
    kept: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {**asdict(self), "backup": str(self.backup) if self.backup else None, "verified": True}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Flash against an image. ``differing`` are addresses of sectors, ``compared`` the ranges that were looked at."""

    compared: tuple[Span, ...]
    differing: tuple[int, ...]
    kept: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether every sector holds what it should."""
        return not self.differing
