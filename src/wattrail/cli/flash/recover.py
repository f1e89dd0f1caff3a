"""``wattrail flash recover``: what is wrong with the flash of a board that does not start, and what to write to it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.flash import view
from wattrail.cli.flash.session import BoardOptions, ImagePlace, PortText, WritingOptions, board, finish
from wattrail.cli.flash.writing import load_image
from wattrail.cli.image.files import load
from wattrail.cli.option_types import Json
from wattrail.errors import TargetError
from wattrail.flasher import AS_IT_WAS, Comparison, Flasher, FlashTarget, Report, Risk
from wattrail.image import Image, ImageKind


def recover(
    port: PortText,
    image: Annotated[Path | None, Parameter(help="Firmware or dump to write; else the last good backup.")] = None,
    *,
    writing: WritingOptions | None = None,
    json: Json = False,
    options: BoardOptions | None = None,
) -> None:
    """Find out why a board does not start, and repair it.

    Reads the whole flash and says what is wrong in each partition. An interrupted write is finished with IMAGE, or
    undone without it; else IMAGE is written, or the newest backup with which the board should start.
    """
    writing = writing or WritingOptions()
    allow = writing.check()
    # What the file alone shows is refused before the port is opened.
    given = (image, load_image(image, ImagePlace(), allow)) if image is not None else None
    with board(port, options, writes=True, json=json) as flasher:
        problems = _find_problems(flasher.read_image(), flasher.target)
        if not json:
            print("\n".join(_lines(flasher, problems)), flush=True)
        recovery = _choose(flasher, problems, given)
        extra = _object(flasher, problems)
        if recovery is None:
            _leave(flasher, problems, extra, json=json)
            return
        output.note(recovery.text)
        if writing.dry_run:
            view.print_preview(recovery.preview(flasher, allow), flasher, json=json, extra=extra)
            return
        finish(recovery.apply(flasher, allow, writing.backup), flasher, writing, json=json, extra=extra)


# ---- what is wrong

_CODE: Final = ("bootloader", "app")
_WHOLE: Final = "flash"


@dataclass(frozen=True, slots=True)
class _FlashProblem:
    """One thing that is wrong, and the partition in which it is; ``flash`` where no partition can be named."""

    part: str
    text: str

    @property
    def is_fatal(self) -> bool:
        """Whether the board cannot start with it, as far as can be seen."""
        return self.part in (*_CODE, _WHOLE)


def _find_problems(image: Image, target: FlashTarget) -> list[_FlashProblem]:
    """Everything that is wrong with the whole flash of a board."""
    return list(dict.fromkeys(_problems(image, target)))


def _problems(image: Image, target: FlashTarget) -> Iterator[_FlashProblem]:
    for name in _CODE:
        # Without code in both of them nothing starts, whatever the rest holds.
        part = target.layout[name]
        if not image.data[part.start : part.end].strip(b"\xff"):
            yield _FlashProblem(name, "it is blank")
    if image.kind is ImageKind.UNKNOWN:
        yield _FlashProblem(_WHOLE, f"nothing in it is recognised: {image.reasons[0]}")
    for problem in image.problems:
        found = target.layout.at(problem.offset) if problem.offset is not None else None
        yield _FlashProblem(found.name if found else "other", str(problem))
    if target.rf_blank:
        yield _FlashProblem("rf", "it is blank: radio calibration and MAC address are lost, and no image has them")


# ---- what to write


@dataclass(frozen=True, slots=True)
class _Recovery:
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


def _choose(flasher: Flasher, problems: Sequence[_FlashProblem], given: tuple[Path, Image] | None) -> _Recovery | None:
    """What to write; None if nothing keeps the board from starting. Raises TargetError where there is nothing to write.

    An image that was given comes first, then the backup from before an interrupted write, then the newest one with
    which the board should start.
    """
    cut = flasher.unfinished
    if given is not None:
        path, image = given
        return _Recovery(path, image, f"resuming with {path.name}" if cut else f"writing what {path.name} needs")
    # What was there before the cut write comes first: since then the board is neither old nor new.
    if cut is not None and cut.backup is not None:
        text = f"putting back {cut.backup}, taken before the write that did not end"
        return _Recovery(cut.backup, load(cut.backup), text, whole=True, own=True)
    # After a cut write the flash is not trusted, even where nothing looks wrong.
    if cut is None and not any(problem.is_fatal for problem in problems):
        return None
    # From the newest: it is nearest to what the board last ran.
    for kept in reversed(flasher.backups()):
        if kept.is_whole and _starts(image := load(kept.path), flasher.target):
            text = f"putting back {kept.path}, the newest backup that should start"
            return _Recovery(kept.path, image, text, whole=True)
    raise TargetError(
        f"no bootable backup is kept of the board {flasher.target.board}, and no image was given",
        hint="name the firmware or a dump: wattrail flash recover PORT IMAGE",
    )


def _starts(image: Image, target: FlashTarget) -> bool:
    """Whether a board with this flash should start."""
    return not any(problem.is_fatal for problem in _find_problems(image, target))


# ---- what is printed


def _lines(flasher: Flasher, problems: list[_FlashProblem]) -> list[str]:
    cut = flasher.unfinished
    lines = [view.unfinished_text(cut)] if cut else []
    lines += [f"{problem.part:<12}{problem.text}" for problem in problems]
    return view.simulated_mark(flasher) + (lines or ["nothing is wrong in flash, as far as can be seen"])


def _object(flasher: Flasher, problems: list[_FlashProblem]) -> dict[str, object]:
    return {
        "unfinished": view.unfinished_object(flasher.unfinished),
        "found": [{"partition": one.part, "what": one.text, "fatal": one.is_fatal} for one in problems],
    }


def _leave(flasher: Flasher, problems: list[_FlashProblem], found: dict[str, object], *, json: bool) -> None:
    """Nothing keeps the board from starting. Raises TargetError if its radio calibration is lost."""
    if json:
        print(dumps({"simulated": flasher.simulated, **found}))
    if any(problem.part == "rf" for problem in problems):
        raise TargetError(
            "the radio's calibration is lost, and nothing here has it",
            hint="a dump of this very board has: wattrail flash restore PORT DUMP --allow rf",
        )
    output.note("nothing keeps this board from starting: nothing was written; name an IMAGE to write one anyway")
