"""What to write to a board that does not start: chosen by what is wrong, what is at hand, what the journal knows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattrail.cli.flash.ailments import Ailment, starts
from wattrail.cli.image.files import load
from wattrail.errors import TargetError
from wattrail.flasher import AS_IT_WAS, Comparison, Flasher, Report, Risk
from wattrail.image import Image

__all__ = ["Remedy", "choose"]


@dataclass(frozen=True, slots=True)
class Remedy:
    """Something to be written, and why. ``whole``: put back as a dump; ``own``: the journal took it from this board."""

    path: Path
    image: Image
    words: str
    whole: bool = False
    own: bool = False

    def apply(self, flasher: Flasher, allow: Collection[Risk], backup: Path | None) -> Report:
        """Write it. Raises as the flasher does."""
        if not self.whole:
            return flasher.write(self.image, name=self.path.name, allow=allow, backup=backup)
        return flasher.restore(self.image, name=self.path.name, allow=self._allowed(allow), backup=backup)

    def preview(self, flasher: Flasher, allow: Collection[Risk]) -> Comparison:
        """What it would change."""
        if not self.whole:
            return flasher.preview(self.image, allow=allow)
        return flasher.preview_restore(self.image, name=self.path.name, allow=self._allowed(allow))

    def _allowed(self, allow: Collection[Risk]) -> frozenset[Risk]:
        """A backup of this very board is put back as it was; the one from before a cut write with its RF block."""
        return frozenset({*allow, *AS_IT_WAS, *([Risk.RF] if self.own else [])})


def choose(flasher: Flasher, found: Sequence[Ailment], given: tuple[Path, Image] | None) -> Remedy | None:
    """The remedy; None if nothing keeps the board from starting. Raises TargetError where something does, without one.

    An image that was given comes first, then the backup from before a write that was cut, then the newest one with
    which the board should start.
    """
    cut = flasher.unfinished
    if given is not None:
        path, image = given
        words = f"going on with {path.name}" if cut else f"writing what {path.name} needs"
        return Remedy(path, image, words)
    if cut is not None and cut.backup is not None:
        words = f"putting back {cut.backup}, taken before the write that did not end"
        return Remedy(cut.backup, load(cut.backup), words, whole=True, own=True)
    if cut is None and not any(ailment.fatal for ailment in found):
        return None
    for kept in reversed(flasher.backups()):
        if kept.is_whole and starts(image := load(kept.path), flasher.target):
            return Remedy(
                kept.path, image, f"putting back {kept.path}, the newest backup that should start", whole=True
            )
    raise TargetError(
        f"no backup that starts is kept of the board {flasher.target.board}, and no image was given",
        hint="name the firmware or a dump: wattrail flash recover PORT IMAGE",
    )
