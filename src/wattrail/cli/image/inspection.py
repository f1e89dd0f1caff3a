"""``wattrail image inspect``."""

from __future__ import annotations

import re
import shlex
from json import dumps
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from wattrail.board import BoardMatch, MatchConfidence, known_boards, match_boards, wirings_of_dump
from wattrail.cli import output
from wattrail.cli.exits import UsageError
from wattrail.cli.image.files import Source, WriteOptions, load, write
from wattrail.cli.image.inspection_text import text_lines
from wattrail.cli.option_types import Json
from wattrail.errors import MissingExtra
from wattrail.image.flash_picture import picture_svg
from wattrail.image.inspection import Inspection, inspect_image
from wattrail.image.inspection_record import Record, as_record
from wattrail.sanitize import printable

__all__ = ["inspect"]


Picture = Annotated[Path | None, Parameter(help="Draw the map of the flash into this SVG file.")]
Folder = Annotated[Path | None, Parameter(help="Take partitions, settings and files apart into this folder.")]
Secrets = Annotated[bool, Parameter(help="Show and extract Wi-Fi names, passwords, keys, MAC address as well.")]


def inspect(
    file: Source,
    *,
    svg: Picture = None,
    extract: Folder = None,
    secrets: Secrets = False,
    json: Json = False,
) -> None:
    """Read a stock dump: settings, pins, constants, files.

    What lies where is found by content. Names and passwords of networks, keys, the MAC address and whatever else is not
    known to be harmless stay hidden in everything that is printed or written, unless --secrets is given.
    """
    found = inspect_image(load(file))
    record = as_record(found, shows_secrets=secrets)
    if json:
        print(dumps(record, allow_nan=False))
    else:
        print("\n".join(text_lines(file, record, _likely_board(file, found))))
    if svg is not None:
        picture = picture_svg(record["map"], f"{file.name}: {found.image.kind.value}")
        write(svg, picture.encode("utf-8"), WriteOptions(), sources=(file,))
    if extract is not None:
        _extract(found, record, extract, file, shows_secrets=secrets)


# ---- taken apart


def _extract(found: Inspection, record: Record, folder: Path, source: Path, *, shows_secrets: bool) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{folder} exists already and is not an empty folder", hint="name a folder that does not exist"
        )
    left_out: list[str] = []
    for region in found.regions:
        name = f"{region.start:06x}-{region.name}"
        if not region.used:
            continue
        if not (region.is_public or shows_secrets):
            left_out.append(name)
            continue
        stored = found.flash[region.start - found.base : region.end - found.base]
        _put(folder / "partitions" / f"{name}.bin", stored, source)
    _put(folder / "inspection.json", dumps(record, indent=1, allow_nan=False).encode() + b"\n", source)
    if found.storage is not None:
        settings = {"storage": record["storage"], "licences": record["licences"]}
        _put(folder / "storage.json", dumps(settings, indent=1, allow_nan=False).encode() + b"\n", source)
    left_out += _extract_files(found, folder, source, shows_secrets=shows_secrets)
    if left_out:
        output.note(f"not extracted, because it may hold secrets: {', '.join(left_out)}; --secrets extracts it too")


def _extract_files(found: Inspection, folder: Path, source: Path, *, shows_secrets: bool) -> list[str]:
    """Write the files of file systems; what was left out is returned by its path."""
    left_out: list[str] = []
    for system in found.file_systems:
        taken: set[Path] = set()
        for file in system.files:
            if file.is_folder or not file.data:
                continue
            if not shows_secrets:
                left_out.append(printable(file.path, limit=80))
                continue
            path = _safe_path(folder / "files" / f"{system.start:06x}", file.path)
            # Two names of a file system may become one here, where signs are replaced.
            while path in taken:
                path = path.with_name(f"{path.name}_")
            taken.add(path)
            _put(path, file.data, source)
    return left_out


_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")
_MAX_NAME: Final = 100


def _safe_path(folder: Path, path: str) -> Path:
    """A place inside the folder, whatever the path says: no step up, no sign that a system takes for something else."""
    parts = [_UNSAFE.sub("_", part)[:_MAX_NAME] for part in path.split("/") if part]
    return folder.joinpath(*(f"_{part}" if not part.strip(".") else part for part in parts))


def _put(path: Path, data: bytes, source: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path.parent} cannot be made: {error.strerror}") from error
    write(path, data, WriteOptions(), sources=(source,))


# ---- the board it is probably of


_SHOWN = 3
_ANY = "board: not known; a microcontroller does the work, and nothing here says whether it measures"


def _likely_board(path: Path, found: Inspection) -> str | None:
    """The line, with how sure it is and the command that says why; None for a dump that says nothing of its board."""
    try:
        boards = known_boards()
    except MissingExtra:
        return None
    wirings = wirings_of_dump(found, "")
    matches = [match for wiring in wirings for match in match_boards(wiring, boards)]
    if not matches:
        return None
    named = [match for match in matches if match.confidence is not MatchConfidence.POSSIBLE]
    is_any = all(wiring.is_any_microcontroller for wiring in wirings)
    if is_any and not named:
        said = _ANY
    else:
        said = _said(sorted(named if is_any else matches, key=lambda match: -match.agreement))
    return f"{said}; for the evidence: wattrail board match {printable(shlex.quote(str(path)))}"


def _said(matches: list[BoardMatch]) -> str:
    best = matches[0]
    equal = [match for match in matches if match.agreement == best.agreement]
    if len(equal) == 1:
        return f"board: {best.board.name}, {best.confidence}, {best.agreement:.0%} agrees"
    names = list(dict.fromkeys(match.board.name for match in equal))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    share = "" if best.confidence is MatchConfidence.SAME_WIRING else f", {best.agreement:.0%} agrees"
    return f"board: {best.confidence}{share}: {', '.join(names[:_SHOWN])}{more}"
