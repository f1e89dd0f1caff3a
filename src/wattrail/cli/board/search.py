"""``wattrail board search``."""

from __future__ import annotations

from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.board import DeviceEntry, devices_of_database, known_boards, search_boards
from wattrail.cli.exits import Exit
from wattrail.cli.option_types import Json
from wattrail.files import read_text

_SHOWN = 40


def search(
    words: Annotated[list[str], Parameter(help="Words that all must occur: a vendor, a model, a chip.")],
    *,
    devices: Annotated[Path | None, Parameter(help="Search this copy of OpenBeken's devices.json too.")] = None,
    json: Json = False,
) -> int:
    """Search boards by vendor, model or chip.

    Over the boards that wattrail knows, and over a copy of OpenBeken's device database. Exit code 1 if there is none.
    """
    database = devices_of_database(read_text(devices), devices.name) if devices else ()
    found = search_boards(" ".join(words), known_boards(), database)
    if json:
        print(dumps([_fields(entry) for entry in found]))
    else:
        for entry in found[:_SHOWN]:
            print(_line(entry))
        if len(found) > _SHOWN:
            print(f"and {len(found) - _SHOWN} more: add a word")
        if not found:
            print(
                "nothing found"
                + ("" if devices else "; --devices FILE searches a copy of OpenBeken's devices.json too")
            )
    return Exit.DONE if found else Exit.FAILED


def _fields(entry: DeviceEntry) -> dict[str, object]:
    return {name: value for name, value in asdict(entry).items() if name != "words"}


def _line(entry: DeviceEntry) -> str:
    what = entry.name or f"({entry.origin})"
    has_vendor = entry.vendor.lower() in entry.title.lower()
    title = entry.title if has_vendor else f"{entry.vendor} {entry.title}"
    return f"{what:<30} {entry.chip:<9} {entry.meter.upper():<8} {title}".rstrip()
