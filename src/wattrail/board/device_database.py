"""Search over boards: ours, and those of a copy of OpenBeken's device database (``devices.json``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wattrail.board.model import BoardDescription
from wattrail.errors import ConfigError
from wattrail.files import decode_json
from wattrail.sanitize import printable

__all__ = ["DeviceEntry", "devices_of_database", "search_boards"]

_MAX_DEVICES = 20_000
"""Entries that are read; the database had 863 in April 2026."""


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """One hit: a board of ours by ``name``, or an entry of the database with an empty name."""

    name: str
    title: str
    vendor: str
    model: str
    chip: str
    module: str
    meter: str
    origin: str
    words: str
    page: str = ""


def search_boards(
    text: str, boards: Sequence[BoardDescription], database: Sequence[DeviceEntry] = ()
) -> tuple[DeviceEntry, ...]:
    """Every entry that has all the words in it, in whatever order and case; ours first."""
    wanted = text.lower().split()
    entries = (*(_entry(board) for board in boards), *database)
    return tuple(entry for entry in entries if all(word in entry.words for word in wanted))


def _entry(board: BoardDescription) -> DeviceEntry:
    return DeviceEntry(
        name=board.name, title=board.title, vendor=board.vendor, model=", ".join(board.models), chip=board.chip,
        module=board.module, meter=board.meter.chip or board.meter.bus, origin="wattrail", words=board.words.lower(),
        page=next((source.where for source in board.sources if "://" in source.where), ""),
    )  # fmt: skip


def devices_of_database(text: str, name: str) -> tuple[DeviceEntry, ...]:
    """The entries of a ``devices.json``. Raises ConfigError for a file that is none."""
    try:
        document = decode_json(text)
    except ValueError as error:
        raise ConfigError(f"{printable(name)}: {error}") from error
    devices = document.get("devices") if isinstance(document, Mapping) else None
    if not isinstance(devices, list):
        raise ConfigError(
            f"{printable(name)} is not a device database: it has no list of devices",
            hint="it is devices.json of OpenBeken's web application (github.com/OpenBekenIOT/webapp)",
        )
    return tuple(_devices(devices[:_MAX_DEVICES]))


def _devices(devices: Sequence[object]) -> Iterator[DeviceEntry]:
    for device in devices:
        if isinstance(device, Mapping):
            texts = {str(key): printable(str(value), limit=200) for key, value in device.items() if value is not None}
            # All of it and not one field: the chip stands in the name, in the keywords or in the start command.
            everything = " ".join(str(value) for value in device.values() if value is not None).lower()
            yield DeviceEntry(
                name="", title=texts.get("name", ""), vendor=texts.get("vendor", ""), model=texts.get("model", ""),
                chip=texts.get("chip", ""), module=texts.get("board", ""), meter=_meter(everything),
                origin="OpenBeken", words=printable(everything, limit=4000), page=texts.get("wiki", ""),
            )  # fmt: skip


def _meter(everything: str) -> str:
    """The metering chip, by what the entry names anywhere."""
    chips = ("bl0942", "bl0937", "cse7766", "bl0939", "bl0940", "hlw8112", "rn8209", "tuyamcu")
    return next((chip for chip in chips if chip in everything), "")
