"""The record of an inspection as text for a person."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from wattrail.image.flash_picture import picture_lines
from wattrail.image.secret_keys import HIDDEN
from wattrail.sanitize import printable

__all__ = ["text_lines"]

Record = Mapping[str, Any]

_BOARD: Final = "user_param_key"
_MAX_VALUE: Final = 300
"""Characters of one value of the settings; JSON has all of it."""


def text_lines(path: Path, record: Record, likely_board: str | None = None) -> Iterator[str]:
    """The report, a line each: what it is, the map, programs, the board, constants, settings, files, problems."""
    chip = f"; {record['chip']}, {record['chip_confidence']}" if record["chip"] else ""
    sure = "" if record["confidence"] == "none" else f", {record['confidence']}"
    yield f"{printable(str(path))}: {record['kind']}{sure}{chip}; {record['bytes']} bytes"
    yield ""
    yield from picture_lines(record["map"])
    for section in (_programs, _board, _constants, _storage, _openbeken, _files):
        lines = list(section(record))
        if lines:
            yield ""
            yield from lines
        if section is _board and likely_board:
            yield from ("", likely_board) if not lines else (likely_board,)
    if record["problems"]:
        yield ""
    for problem in record["problems"]:
        where = "" if problem["offset"] is None else f"at {problem['offset']:#x}: "
        yield f"problem: {where}{printable(problem['what'])}"
    if not record["secrets"]:
        yield ""
        yield "hidden values are shown with --secrets"


def _programs(record: Record) -> Iterator[str]:
    for program in record["programs"]:
        if program["program"] == "bootloader":
            yield f"bootloader: {_shown(program['known_as'] or program['version'] or 'no version')}"
            continue
        names = [program["product"] or program["firmware"] or "unknown firmware", program["version"]]
        text = " ".join(_shown(name) for name in names if name)
        details = [program["sdk"], f"built {program['built']}" if program["built"] else None]
        yield f"app: {text}" + "".join(f", {_shown(detail)}" for detail in details if detail)
    radio = record["radio"]
    if radio:
        yield f"radio calibration: {len(radio['elements'])} elements; MAC address {radio['mac'] or 'not in it'}"


def _board(record: Record) -> Iterator[str]:
    board = record["configuration"]
    if board is None:
        return
    source = "the settings" if board["source"] == "storage" else "the code: a default, which may be another board's"
    yield f"board, as the stock firmware knows it from {source}"
    if board["module"]:
        yield f"  module  {_shown(board['module'])}" + (f" ({board['chip']})" if board["chip"] else "")
    meter = board["meter"]
    if board["mcu_baud"] and not board["pins"]:
        yield f"  meter   behind a microcontroller, if there is one; the line to it has {board['mcu_baud']} baud"
    elif meter:
        shunt = f", shunt {meter['shunt_milliohms']:g} mOhm" if meter["shunt_milliohms"] else ""
        bus = f" by {meter['bus']}" if meter["bus"] else ""
        yield f"  meter   {meter['chip'] or 'unknown chip'}{bus}{shunt}: {meter['reason']}"
    else:
        yield "  meter   nothing in the settings says that this board measures"
    for use in board["pins"]:
        number = f" {use['number']}" if use["number"] > 1 or _is_counted(use, board["pins"]) else ""
        level = {True: ", active high", False: ", active low", None: ""}[use["active_high"]]
        yield f"  P{use['pin']:<6} {use['role']}{number}{level}  ({_shown(use['source'])})"


def _is_counted(use: Record, pins: Sequence[Record]) -> bool:
    return len([other for other in pins if other["role"] == use["role"]]) > 1


def _constants(record: Record) -> Iterator[str]:
    found = record["factory_constants"]
    if found:
        yield (
            f"factory calibration at {found['start']:#x}, as counts of a {found['chip']}: "
            f"{found['counts_per_volt']:g} per V, {found['counts_per_amp']:g} per A, {found['counts_per_watt']:g} per W"
            f", {found['counts_per_kwh']} per kWh"
        )
        words = ",".join(str(word) for word in found["words"])
        yield f"  take them by: wattrail meter calibrate METER --factory {words}"


def _storage(record: Record) -> Iterator[str]:
    storage = record["storage"]
    if not storage["read"]:
        yield storage["answer"]
        if storage["hint"]:
            yield f"  {storage['hint']}"
        return
    states = ", ".join(f"{count} {state}" for state, count in storage["sectors"].items() if count)
    yield f"Tuya settings ({storage['variant']}) at {storage['key_at']:#x}: {storage['answer']} ({states})"
    yield from _values(storage["values"])
    yield from _pairing(storage["pairing"])
    for licence in record["licences"]:
        whole = "" if licence["whole"] else ", damaged"
        yield f"Tuya licence at {licence['start']:#x}{whole}"
        yield from _values(licence["values"])


def _pairing(pairing: Record) -> Iterator[str]:
    count = pairing["local_key_candidates"]
    if count:
        version = pairing["local_version"]
        yield (
            f"local key: {count} {'candidate' if count == 1 else 'candidates'}"
            + (f", version {version} of the local protocol" if version else "")
        )
        yield "  read the meter as it is: wattrail meter key tuya://HOST THIS-FILE"


def _values(values: Record) -> Iterator[str]:
    for name, value in values.items():
        text = "the board, above" if name == _BOARD else _value_text(value["value"])
        problem = f"  [{printable(value['problem'])}]" if value["problem"] else ""
        yield f"  {printable(name, limit=40):<18} {printable(text, limit=_MAX_VALUE)}{problem}"


def _value_text(value: Any) -> str:  # noqa: ANN401 any value of JSON
    """A value on one line: fields that say something, then the names of those that are hidden."""
    if isinstance(value, list) and value and all(isinstance(item, dict) and "id" in item for item in value):
        return f"{len(value)} data points: " + ", ".join(_data_point(item) for item in value)
    if not isinstance(value, dict):
        return value if isinstance(value, str) else json.dumps(value)
    hidden = [name for name, inner in value.items() if isinstance(inner, str) and inner.startswith(HIDDEN)]
    shown = [
        f"{name} {inner if isinstance(inner, str) else json.dumps(inner)}"
        for name, inner in value.items()
        if inner not in (None, "") and name not in hidden
    ]
    return "; ".join(filter(None, (", ".join(shown), f"hidden: {', '.join(hidden)}" if hidden else "")))


def _data_point(item: Record) -> str:
    properties = item.get("property")
    kind = properties.get("type", "") if isinstance(properties, dict) else item.get("type", "")
    return f"{item['id']} {kind}".strip()


def _openbeken(record: Record) -> Iterator[str]:
    found = record["openbeken"]
    if found is None:
        return
    settings = found["settings"]
    yield f"OpenBeken settings at {found['start']:#x}, version {settings['version']}"
    for pin, use in settings["pins"].items():
        if use["role"] not in ("None", "0", " "):
            yield f"  P{pin:<6} {_shown(use['role'])}, channel {use['channel']}"
    if found["drivers_started"]:
        yield f"  drivers {', '.join(found['drivers_started'])}"
    for name in ("name", "wifi_ssid", "mqtt_host", "startup_command"):
        if settings.get(name):
            yield f"  {name:<18} {printable(str(settings[name]), limit=_MAX_VALUE)}"


def _files(record: Record) -> Iterator[str]:
    for system in record["file_systems"]:
        yield f"LittleFS {system['version']} at {system['start']:#x}, {system['bytes']} bytes"
        for file in system["files"]:
            size = "folder" if file["folder"] else f"{file['bytes']} bytes"
            yield f"  {printable(file['path'], limit=120)}  {size}"


def _shown(text: object) -> str:
    return printable(str(text), limit=120)
