"""``wattrail board list``, ``show`` and ``search``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.board import BoardDescription, DeviceEntry, devices_of_database, known_boards, load_board, search_boards
from wattrail.cli.exits import Exit
from wattrail.cli.option_types import Json
from wattrail.files import read_text

__all__ = ["BoardName", "list_boards", "search", "show"]


BoardName = Annotated[str, Parameter(help="Name of a board, as 'board list' has it, or a .toml file of your own.")]


def list_boards(*, json: Json = False) -> None:
    """List the boards that are known."""
    boards = known_boards()
    if json:
        print(dumps([_summary(board) for board in boards]))
        return
    for board in boards:
        meter = board.meter.chip.upper() or "?"
        print(f"{board.name:<30} {board.chip:<9} {meter:<8} {board.meter.bus:<8} {board.title}")


def _summary(board: BoardDescription) -> dict[str, object]:
    return {
        "name": board.name,
        "title": board.title,
        "vendor": board.vendor,
        "models": board.models,
        "kind": board.kind,
        "chip": board.chip,
        "module": board.module,
        "meter": {"chip": board.meter.chip or None, "bus": board.meter.bus},
    }


def show(board: BoardName, *, json: Json = False) -> None:
    """Show a board's pins, chip and data points, with their sources."""
    found = load_board(board)
    print(dumps(_board_fields(found)) if json else "\n".join(_board_lines(found)))


def _board_fields(board: BoardDescription) -> dict[str, object]:
    """Everything about one, for programs."""
    meter = board.meter
    return {
        **_summary(board),
        "firmware": board.firmware,
        "products": [{"key": one.key, "where": one.where, "note": one.note} for one in board.products],
        "note": board.note,
        "meter": {
            "chip": meter.chip or None,
            "bus": meter.bus,
            "baud": meter.baud,
            "front_end": meter.front_end,
            "shunt_milliohms": meter.shunt_milliohms,
        },
        "pins": [
            {"pin": pin.pin, "role": pin.role, "active": pin.active, "channel": pin.channel} for pin in board.pins
        ],
        "datapoints": [
            {"id": point.id, "quantity": point.quantity, "unit": point.unit, "decimals": point.decimals}
            for point in board.datapoints
        ],
        "sources": [{"facts": source.facts, "where": source.where, "note": source.note} for source in board.sources],
    }


def _board_lines(board: BoardDescription) -> Iterator[str]:
    """Everything about one, for people."""
    meter = board.meter
    yield f"{board.title} ({board.kind})"
    yield f"module      {board.module or 'not known'}, {board.chip}"
    chip = meter.chip.upper() or "behind a microcontroller, not known"
    yield f"meter       {chip} by {meter.bus}" + (f", {meter.baud} baud" if meter.baud else "")
    if meter.front_end:
        yield f"front end   {meter.front_end}"
    if meter.shunt_milliohms:
        yield f"shunt       {meter.shunt_milliohms:g} milliohms"
    if board.firmware:
        yield f"firmware    {', '.join(board.firmware)}"
    if board.note:
        yield f"note        {board.note}"
    yield from ("pins", *(f"  {pin}" for pin in board.pins)) if board.pins else ("pins        not known",)
    if board.datapoints:
        yield "stock data points"
        yield from (f"  {p.id:<4} {p.quantity}, {10**-p.decimals:g} {p.unit}" for p in board.datapoints)
    if board.products:
        yield "products seen on it"
        yield from (f"  {one.key}: {one.where}" + (f" ({one.note})" if one.note else "") for one in board.products)
    yield "sources"
    for source in board.sources:
        yield f"  {', '.join(source.facts)}: {source.where}" + (f" ({source.note})" if source.note else "")


# ---- search


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
