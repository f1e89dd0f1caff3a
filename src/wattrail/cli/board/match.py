"""``wattrail board match``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from wattrail.board import (
    BoardMatch,
    MatchConfidence,
    ObservedWiring,
    disagreements,
    known_boards,
    match_boards,
    match_record,
    parse_configuration,
    wiring_of_configuration,
    wiring_of_device,
    wiring_of_template,
    wirings_of_dump,
)
from wattrail.cli.exits import Exit, UsageError
from wattrail.cli.image.files import load
from wattrail.cli.option_types import Json
from wattrail.credentials import Secrets
from wattrail.files import decode_json, read_bytes
from wattrail.image import MAX_FILE_BYTES
from wattrail.image.inspection import inspect_image
from wattrail.sanitize import printable
from wattrail.urls import split

if TYPE_CHECKING:
    from wattrail.device import OpenBekenClient

_SHOWN = 5
"""Boards that contradict something: as many are shown; those that agree wholly are all named."""


def match(
    sources: Annotated[
        list[str],
        Parameter(help="A configuration, a template or a dump as a file, or openbeken://HOST; several may be given."),
    ],
    *,
    json: Json = False,
) -> int:
    """Find the board that a configuration or a device belongs to.

    Each source is matched by itself, and where two contradict each other, that is said first. A dump may hold two: the
    stock firmware's, and OpenBeken's. Exit code 1 if nothing fits.
    """
    observed = [wiring for source in sources for wiring in _observe(source)]
    found = [match_boards(one, known_boards()) for one in observed]
    conflicts = disagreements(observed)
    if json:
        print(dumps(match_record(observed, found)))
    else:
        print("\n".join(_lines(observed, found, conflicts)))
    return Exit.DONE if any(found) else Exit.FAILED


def _lines(
    observed: Sequence[ObservedWiring], found: Sequence[tuple[BoardMatch, ...]], conflicts: Sequence[str]
) -> Iterator[str]:
    if conflicts:
        yield "the sources contradict each other:"
        yield from (f"  {text}" for text in conflicts)
    for wiring, matches in zip(observed, found, strict=True):
        yield from _summary(wiring)
        if wiring.is_without_meter:
            yield "  no metering chip is configured; every known board has one"
        elif not matches:
            yield "  no known board fits; 'wattrail board search' looks by name"
        elif wiring.is_any_microcontroller and not _is_sure(matches):
            yield "  a thermostat says the same: nothing here says whether it measures. Boards with a microcontroller:"
        same = [one for one in matches if one.confidence is MatchConfidence.SAME_WIRING]
        if same:
            yield f"  {len(same)} boards have exactly this wiring:"
            yield from (f"    {one.board.name}: {one.board.title}" for one in same)
        others = [one for one in matches if one not in same]
        for one in others[: 0 if same else _SHOWN]:
            yield from _one(one)


def _is_sure(matches: Sequence[BoardMatch]) -> bool:
    """Whether something tells the boards apart."""
    return any(one.confidence is not MatchConfidence.POSSIBLE for one in matches)


def _summary(wiring: ObservedWiring) -> Iterator[str]:
    meter = wiring.metering_chip.upper() or "no metering chip named"
    if wiring.is_any_microcontroller:
        meter = "a microcontroller"
    bus = f" by {wiring.bus}" if wiring.bus else ""
    pins = "1 pin" if len(wiring.pins) == 1 else f"{len(wiring.pins)} pins"
    yield f"{wiring.where}: {wiring.module or wiring.chip or 'module not named'}, {meter}{bus}, {pins}"


def _one(found: BoardMatch) -> Iterator[str]:
    yield f"  {found.board.name}: {found.confidence}, {found.agreement:.0%} agrees; {found.board.title}"
    if found.evidence:
        yield f"    for it: {'; '.join(found.evidence)}"
    yield from (f"    but: {text}" for text in found.contradictions)


# ---- what a person has of an unknown board


_SCHEME: Final = "openbeken"
_TIMEOUT_S: Final = 5.0
"""A read of two small answers, as a meter is read: only flash and files need more."""


def _observe(given: str) -> tuple[ObservedWiring, ...]:
    """What one source says: ``openbeken://HOST``, or a file. A dump may hold two configurations.

    Raises UrlError, PortError and LinkError for a device, FileError, ImageError and ConfigError for a file.
    """
    return (_of_device(given),) if "://" in given else _of_file(Path(given))


def _of_device(given: str) -> ObservedWiring:
    from wattrail.device import open_client

    url = split(given)
    if url.scheme != _SCHEME:
        raise UsageError(
            f"{url}: only a device that runs OpenBeken says how its pins are used",
            hint="write openbeken://192.168.1.20, or name a file",
        )
    client = open_client(given, secrets=Secrets(), timeout_s=_TIMEOUT_S)
    pins, info = asyncio.run(_asked(client))
    return wiring_of_device(pins, info, str(url).partition("?")[0])


async def _asked(client: OpenBekenClient) -> tuple[Mapping[str, object], Mapping[str, object]]:
    return await client.api_object("/api/pins"), await client.api_object("/api/info")


def _of_file(path: Path) -> tuple[ObservedWiring, ...]:
    data, name = read_bytes(path, limit=MAX_FILE_BYTES), printable(path.name)
    # No text has a NUL, and every dump has; a zip archive may hold one.
    if b"\0" in data or data.startswith(b"PK"):
        return _observed_in_dump(path)
    text = data.decode("utf-8-sig", errors="replace")
    try:
        document = decode_json(text)
    except ValueError:
        document = None
    if isinstance(document, Mapping) and isinstance(document.get("pins"), Mapping):
        return (wiring_of_template(document, name),)
    if isinstance(document, Mapping) and isinstance(document.get("rolenames"), list):
        return (wiring_of_device(document, {}, name),)
    return (wiring_of_configuration(parse_configuration(text, name), name),)


def _observed_in_dump(path: Path) -> tuple[ObservedWiring, ...]:
    """Every configuration in a dump. Raises UsageError for one without, FileError, ImageError."""
    found, name = inspect_image(load(path)), printable(path.name)
    observed = wirings_of_dump(found, name)
    if not observed:
        answer = "its settings name no pins" if found.storage else found.storage_answer
        raise UsageError(
            f"{name}: no configuration of a board is in it ({answer})",
            hint=found.storage_hint or f"'wattrail image inspect {name}' says what is",
        )
    return observed
