"""A board that does not start: what is wrong with its flash, and what to write so that it starts again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattrail.bk7231 import MAX_FLASH_BYTES
from wattrail.errors import TargetError
from wattrail.files import read_bytes
from wattrail.flasher.flash_target import FlashTarget
from wattrail.flasher.flasher import Flasher
from wattrail.flasher.safety_checks import AS_IT_WAS, Risk
from wattrail.flasher.write_image import Comparison, Report
from wattrail.image import Image, ImageKind, recognise

__all__ = ["FlashProblem", "Recovery", "choose_recovery", "find_problems"]

_CODE: Final = ("bootloader", "app")
_WHOLE: Final = "flash"


# ---- what is wrong


@dataclass(frozen=True, slots=True)
class FlashProblem:
    """One thing that is wrong, and the partition in which it is; ``flash`` where no partition can be named."""

    part: str
    text: str

    @property
    def is_fatal(self) -> bool:
        """Whether the board cannot start with it, as far as can be seen."""
        return self.part in (*_CODE, _WHOLE)


def find_problems(image: Image, target: FlashTarget) -> list[FlashProblem]:
    """Everything that is wrong with the whole flash of a board, each once."""
    return list(dict.fromkeys(_problems(image, target)))


def _problems(image: Image, target: FlashTarget) -> Iterator[FlashProblem]:
    for name in _CODE:
        # Without code in both of them nothing starts, whatever the rest holds.
        part = target.layout[name]
        if not image.data[part.start : part.end].strip(b"\xff"):
            yield FlashProblem(name, "it is blank")
    if image.kind is ImageKind.UNKNOWN:
        yield FlashProblem(_WHOLE, f"nothing in it is recognised: {image.reasons[0]}")
    for problem in image.problems:
        found = target.layout.at(problem.offset) if problem.offset is not None else None
        yield FlashProblem(found.name if found else "other", str(problem))
    # Not fatal: without an RF block the firmware starts, with c8:47:8c:00:00:00 for its MAC address.
    if target.rf_blank:
        yield FlashProblem("rf", "it is blank: radio calibration and MAC address are lost, and no image has them")


# ---- what to write


@dataclass(frozen=True, slots=True)
class Recovery:
    """Something to be written, and why. ``whole``: put back as a dump; ``own``: the journal took it from this board."""

    path: Path
    image: Image
    text: str
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


def choose_recovery(
    flasher: Flasher, problems: Sequence[FlashProblem], given: tuple[Path, Image] | None
) -> Recovery | None:
    """What to write; None if nothing keeps the board from starting. Raises TargetError where there is nothing to write.

    An image that was given comes first, then the backup from before an interrupted write, then the newest one with
    which the board should start.
    """
    cut = flasher.unfinished
    if given is not None:
        path, image = given
        return Recovery(path, image, f"resuming with {path.name}" if cut else f"writing what {path.name} needs")
    # What was there before the cut write comes first: since then the board is neither old nor new.
    if cut is not None and cut.backup is not None:
        text = f"putting back {cut.backup}, taken before the write that did not end"
        return Recovery(cut.backup, _kept_image(cut.backup), text, whole=True, own=True)
    # After a cut write the flash is not trusted, even where nothing looks wrong.
    if cut is None and not any(problem.is_fatal for problem in problems):
        return None
    for kept in reversed(flasher.backups()):
        # A write takes its backup first, also of a flash that does not start: the newest is not always a good one.
        if kept.is_whole and _starts(image := _kept_image(kept.path), flasher.target):
            text = f"putting back {kept.path}, the newest backup that should start"
            return Recovery(kept.path, image, text, whole=True)
    raise TargetError(
        f"no bootable backup is kept of the board {flasher.target.board}, and no image was given",
        hint="name the firmware or a dump: wattrail flash recover PORT IMAGE",
    )


def _kept_image(path: Path) -> Image:
    # As bytes of flash, not as a file that somebody hands over: what held a gzip file is a flash that does not start,
    # and no reason to refuse the older backups.
    return recognise(read_bytes(path, limit=MAX_FLASH_BYTES))


def _starts(image: Image, target: FlashTarget) -> bool:
    """Whether a board with this flash should start."""
    return not any(problem.is_fatal for problem in find_problems(image, target))
