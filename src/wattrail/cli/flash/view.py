"""A board, an event, a report and a comparison: lines for people, objects for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json import dumps
from types import MappingProxyType
from typing import Final

from wattrail.bootrom.geometry import SECTOR
from wattrail.bootrom.requests import is_unprotected
from wattrail.cli import output
from wattrail.flasher import (
    BackedUp,
    Comparison,
    Flasher,
    FlashEvent,
    FlashTarget,
    Identified,
    Linked,
    Lost,
    Note,
    RateChanged,
    Report,
    Resumed,
)
from wattrail.flasher.journal import Unfinished

__all__ = [
    "SIMULATED",
    "board_lines",
    "board_object",
    "chip_text",
    "comparison_lines",
    "comparison_object",
    "event_text",
    "print_preview",
    "report_lines",
    "simulated_mark",
    "unfinished_object",
    "unfinished_text",
]

SIMULATED: Final = "SIMULATED: a digital twin is at the other end, not a board"

_MAX_SHOWN: Final = 8
_BEYOND: Final = "beyond"


def simulated_mark(flasher: Flasher) -> list[str]:
    """The line that marks everything about a twin; none about a board."""
    return [SIMULATED] if flasher.simulated else []


# ---- a board


def board_lines(flasher: Flasher) -> Iterator[str]:
    """Chip and why, flash, protection, RF block, name, rate, what is kept."""
    target = flasher.target
    yield from simulated_mark(flasher)
    yield f"chip        {target.chip.value if target.chip else 'not recognised'}"
    yield from (f"  {reason}" for reason in target.identity.reasons)
    yield f"flash       {_flash_text(target)}"
    yield f"protection  {_protection_text(target)}"
    yield f"RF block    {_rf_text(target)}"
    yield f"board       {target.board}"
    yield f"rate        {flasher.baud} baud"
    if (unfinished := flasher.unfinished) is not None:
        yield f"unfinished  {unfinished_text(unfinished)}"
    backups = flasher.kept_backups()
    yield from (f"{'backups' if path == backups[0] else '':<12}{path}" for path in backups)


def _flash_text(target: FlashTarget) -> str:
    known = "" if target.size_is_measured else ", assumed: nothing reports it"
    if target.flash_id is None:
        return f"{target.size // 1024} KiB{known}; a bootloader does not report its id"
    part = target.part.name if target.part else "in no list"
    return f"id {target.flash_id:06x}, {part}, {target.size // 1024} KiB{known}"


def _protection_text(target: FlashTarget) -> str:
    if target.part is None or target.sr is None:
        return "not known"
    state = "off" if is_unprotected(target.part, target.sr) else "on; it is taken off for a write and put back"
    return f"{state} (status {target.sr:#06x})"


def _rf_text(target: FlashTarget) -> str:
    place = f"at {target.layout['rf'].start:#x}"
    return f"blank {place}: radio calibration and MAC address are lost" if target.rf_blank else f"present {place}"


def board_object(flasher: Flasher) -> dict[str, object]:
    """The same; its fields are listed in docs/cli.md."""
    target, unfinished = flasher.target, flasher.unfinished
    known = target.part is not None and target.sr is not None
    return {
        "simulated": flasher.simulated,
        "chip": target.chip.value if target.chip else None,
        "reasons": list(target.identity.reasons),
        "responder": target.responder.value,
        "boot_version": target.boot_version,
        "flash_id": f"{target.flash_id:06x}" if target.flash_id else None,
        "flash_part": target.part.name if target.part else None,
        "flash_bytes": target.size,
        "flash_bytes_known": target.size_is_measured,
        "status": target.sr,
        "protected": not is_unprotected(target.part, target.sr) if known else None,  # type: ignore[arg-type]
        "rf_block": not target.rf_blank,
        "board": target.board,
        "baud": flasher.baud,
        "unfinished": unfinished_object(unfinished),
        "backups": [str(path) for path in flasher.kept_backups()],
    }


def unfinished_text(unfinished: Unfinished) -> str:
    """A write that did not end."""
    return f"a write of {unfinished.image!r}, begun {unfinished.since}, did not end: flash may be half-written"


def unfinished_object(unfinished: Unfinished | None) -> dict[str, object] | None:
    """The same."""
    if unfinished is None:
        return None
    return {
        "image": unfinished.image,
        "since": unfinished.since,
        "sha256": unfinished.sha256,
        "backup": str(unfinished.backup) if unfinished.backup else None,
    }


# ---- an event, and a write


def chip_text(target: FlashTarget) -> str:
    """Chip and flash, short."""
    chip = target.chip.value if target.chip else "a chip that is not recognised"
    part = target.part.name if target.part and target.part.name != "unnamed" else "flash"
    return f"{chip}, {part} of {target.size // 1024} KiB"


def event_text(event: FlashEvent) -> str:
    """One line about an event that is neither advice nor progress."""
    match event:
        case Linked(baud, seconds):
            return f"linked at {baud} baud after {seconds:.1f} s"
        case Identified(target):
            return f"{chip_text(target)}; board {target.board}"
        case RateChanged(baud, why):
            return f"{baud} baud: {why}"
        # The loss itself, with its cause, is for the diagnosis.
        case Lost(_, text):
            return f"link lost: {text}"
        case BackedUp(path):
            return f"the flash as it is now is kept in {path}"
        case Resumed(since, image, backup):
            kept = f"; the previous content is kept in {backup}" if backup else ""
            return f"a write of {image!r}, begun {since}, did not end: this one resumes it{kept}"
        case Note(text):
            return text
        case _:  # pragma: no cover - the others are shown elsewhere
            return ""


def report_lines(report: Report) -> Iterator[str]:
    """What was done, after it was verified."""
    if report.simulated:
        yield SIMULATED
    resumed = ", resumed after an interruption" if report.resumed else ""
    yield f"{report.image}: done and verified{resumed}"
    yield f"board       {report.board}"
    yield f"sectors     {report.touched} changed, {report.untouched} were right already"
    yield f"commands    {report.programs} programmed, {report.erases} erased ({report.erased_bytes // 1024} KiB)"
    yield f"line        {report.baud} baud, {report.repeated} repeated, {report.losses} links lost"
    yield f"time        {report.seconds:.1f} s"
    none = "none: that was allowed" if report.touched else "none: nothing was changed"
    yield f"backup      {report.backup or none}"
    yield from (f"left out    {text}" for text in report.kept)


# ---- a comparison


def comparison_lines(found: Comparison, flasher: Flasher) -> Iterator[str]:
    """Each partition that was compared, with the sectors that differ."""
    yield from simulated_mark(flasher)
    for name, start, looked, bad in _by_partition(found, flasher.target):
        verdict = f"{len(bad)} of {looked} sectors differ" if bad else "same"
        yield f"{name:<12}{start:#08x}  {verdict}"
        runs = list(_runs(bad))
        yield from (f"  {first:#08x} to {last + SECTOR - 1:#08x}" for first, last in runs[:_MAX_SHOWN])
        if len(runs) > _MAX_SHOWN:
            yield f"  and {len(runs) - _MAX_SHOWN} more ranges"
    yield from (f"left out    {text}" for text in found.kept)


def _runs(sectors: list[int]) -> Iterator[tuple[int, int]]:
    """First and last sector of each run of neighbours."""
    first = last = -1
    for at in sectors:
        if first >= 0 and at != last + SECTOR:
            yield first, last
            first = at
        first, last = (at if first < 0 else first), at
    if first >= 0:
        yield first, last


def comparison_object(found: Comparison, flasher: Flasher) -> dict[str, object]:
    """The same; its fields are listed in docs/cli.md."""
    return {
        "simulated": flasher.simulated,
        "board": flasher.target.board,
        "same": found.same,
        "partitions": [
            {"name": name, "start": start, "sectors": looked, "differing": bad}
            for name, start, looked, bad in _by_partition(found, flasher.target)
        ],
        "kept": list(found.kept),
    }


def _by_partition(found: Comparison, target: FlashTarget) -> Iterator[tuple[str, int, int, list[int]]]:
    """Name, start, sectors compared, sectors that differ. What is behind the last partition comes last."""
    looked = [at for start, length in found.compared for at in range(start, start + length, SECTOR)]
    ends = [(part.name, part.start, part.end) for part in target.layout.partitions]
    for name, start, end in (*ends, (_BEYOND, ends[-1][2], target.size)):
        inside = [at for at in looked if start <= at < end]
        if inside:
            yield name, start, len(inside), [at for at in found.differing if start <= at < end]


def print_preview(
    found: Comparison, flasher: Flasher, *, json: bool, extra: Mapping[str, object] = MappingProxyType({})
) -> None:
    """Print what would be changed. ``extra`` are more fields for JSON."""
    if json:
        print(dumps({"dry_run": True, **extra, **comparison_object(found, flasher)}))
        return
    print("\n".join(comparison_lines(found, flasher)))
    output.note(f"dry run: {len(found.differing)} sectors would be changed, after a backup; nothing was")
