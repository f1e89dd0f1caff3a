"""An inspection as one record of plain values, with the owner's secrets hidden unless they are asked for.

Every output is made of this record: text, JSON, the picture, extracted files. Its fields are the schema in
docs/stock-dumps.md; within a schema number fields are added, none is removed or changes its meaning.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from wattrail.image.inspection import Inspection
from wattrail.image.model import Problem
from wattrail.image.recognise import plain_app
from wattrail.image.secret_keys import HIDDEN, OPENBEKEN_PUBLIC, SECRET_NAMES, hide, hide_field
from wattrail.image.tuya_pairing import find_pairing
from wattrail.image.tuya_storage import StorageSectorState
from wattrail.image.tuya_values import StoredValue

__all__ = ["SCHEMA", "Record", "as_record"]

SCHEMA: Final = 1

Record = dict[str, Any]

_DRIVER: Final = re.compile(r"startDriver\s+([A-Za-z0-9]{1,24})", re.IGNORECASE)
"""What of OpenBeken's startup command is shown: the rest may hold passwords."""


def as_record(found: Inspection, *, shows_secrets: bool = False) -> Record:
    """The record; JSON takes it as it is."""
    image = found.image
    return {
        "schema": SCHEMA,
        "secrets": shows_secrets,
        "bytes": len(image.data),
        "sha256": hashlib.sha256(image.data).hexdigest(),
        "kind": image.kind.value,
        "confidence": image.confidence.value,
        "chip": image.chip.value if image.chip else None,
        "chip_confidence": image.chip_confidence.value,
        "placed": found.is_placed,
        "start": found.base,
        "map": _map(found),
        "programs": _programs(found),
        "radio": _radio(found, shows_secrets=shows_secrets),
        "storage": _storage(found, shows_secrets=shows_secrets),
        "licences": _licences(found, shows_secrets=shows_secrets),
        "configuration": _configuration(found),
        "factory_constants": _constants(found),
        "openbeken": _openbeken(found, shows_secrets=shows_secrets),
        "file_systems": _file_systems(found),
        "problems": [_problem(problem) for problem in found.problems],
    }


def _map(found: Inspection) -> list[Record]:
    return [
        {
            "name": region.name,
            "start": region.start,
            "end": region.end,
            "used_bytes": region.used,
            "holds": region.holds,
            "evidence": region.evidence,
            "by_content": region.by_content,
            "public": region.is_public,
        }
        for region in found.regions
    ]


def _programs(found: Inspection) -> list[Record]:
    made: list[Record] = []
    loader = found.image.bootloader
    if loader is not None and loader.is_identified:
        entries = [{"name": e.name, "offset": e.offset, "bytes": e.length} for e in loader.entries]
        made.append({"program": "bootloader", "version": loader.version, "known_as": loader.known_as,
                     "partition_table": entries})  # fmt: skip
    container, program = found.image.rbl_of("app"), found.program
    if program is not None or container is not None:
        # The text of Tuya's build has no version of the product; the storage keeps the one that runs.
        device = found.storage.get("gw_di") if found.storage else None
        running = device.get("swv") if isinstance(device, dict) else None
        made.append(
            {
                "program": "app",
                "firmware": program.firmware if program else None,
                "product": program.product if program else None,
                "version": (program.version if program else None) or running,
                "sdk": program.sdk if program else None,
                "built": program.built if program else None,
                "container_version": container.header.version if container else None,
                "updated_over_the_air": container.was_updated if container else None,
            }
        )
    return made


def _radio(found: Inspection, *, shows_secrets: bool) -> Record | None:
    block = found.image.rf
    if block is None:
        return None
    mac = block.mac if shows_secrets or block.mac is None else f"{HIDDEN}: {SECRET_NAMES['mac']}"
    elements = [{"tag": f"{tag:#010x}", "bytes": length} for tag, length in block.elements]
    return {"start": found.image.rf_at, "bytes": block.length, "mac": mac, "elements": elements}


def _storage(found: Inspection, *, shows_secrets: bool) -> Record:
    storage = found.storage
    if storage is None:
        return {"read": False, "answer": found.storage_answer, "hint": found.storage_hint}
    states = Counter(sector.state for sector in storage.sectors)
    pairing = find_pairing(storage, plain_app(found.image))
    return {
        "read": True,
        "answer": _answer(len(storage.values), len(storage.sectors)),
        "hint": None,
        "key_at": storage.key_at,
        "end": storage.end,
        "variant": storage.variant,
        "sectors": {state.value: states[state] for state in StorageSectorState},
        "generation": max((sector.generation or 0 for sector in storage.sectors), default=0),
        "values": _values(storage.values, shows_secrets=shows_secrets),
        "pairing": {"local_key_candidates": len(pairing.candidates), "local_version": pairing.version or None},
    }


def _answer(values: int, sectors: int) -> str:
    said = "1 value" if values == 1 else f"{values} values"
    return f"{said} in 1 sector" if sectors == 1 else f"{said} in {sectors} sectors"


def _values(values: tuple[StoredValue, ...], *, shows_secrets: bool) -> Record:
    return {
        value.name: {
            "value": value.value if shows_secrets else hide(value.name, value.value),
            "bytes": len(value.data),
            "problem": value.problem,
        }
        for value in values
    }


def _licences(found: Inspection, *, shows_secrets: bool) -> list[Record]:
    return [
        {"start": licence.at, "whole": licence.is_whole, "values": _values(licence.values, shows_secrets=shows_secrets)}
        for licence in found.licences
    ]


def _configuration(found: Inspection) -> Record | None:
    board = found.configuration
    if board is None:
        return None
    meter = board.meter
    return {
        "source": found.configuration_source,
        "module": board.module,
        "chip": board.chip.value if board.chip else None,
        "pins": [
            {"pin": use.pin, "role": use.role.value, "number": use.number, "active_high": use.active_high,
             "source": use.source}
            for use in board.pins
        ],
        "meter": {"chip": meter.chip, "bus": meter.bus.value if meter.bus else None,
                  "shunt_milliohms": meter.shunt_milliohms, "reason": meter.reason} if meter else None,
        "mcu_baud": board.mcu_baud,
        "limits": {"under_voltage": board.under_voltage, "over_voltage": board.over_voltage,
                   "over_current_ma": board.over_current_ma},
        "other": {name: hide_field(name, value) for name, value in board.other.items()},
    }  # fmt: skip


def _constants(found: Inspection) -> Record | None:
    constants = found.constants
    if constants is None:
        return None
    scale = constants.calibration
    return {
        "start": constants.at,
        "words": list(constants.words),
        "chip": constants.chip,
        "counts_per_volt": scale.counts_per_volt,
        "counts_per_amp": scale.counts_per_amp,
        "counts_per_watt": scale.counts_per_watt,
        "counts_per_kwh": constants.counts_per_kwh,
    }


def _openbeken(found: Inspection, *, shows_secrets: bool) -> Record | None:
    if found.openbeken is None:
        return None
    at, settings = found.openbeken
    values: Mapping[str, object] = settings.as_json(shows_secrets=shows_secrets)
    drivers = sorted(set(_DRIVER.findall(settings.text("startup_command"))))
    shown = {
        # Empty is shown: that a password is not set need not be hidden.
        name: _finite(value) if shows_secrets or name in OPENBEKEN_PUBLIC or not value else HIDDEN
        for name, value in values.items()
    }
    return {"start": at, "drivers_started": drivers, "settings": shown}


def _finite(value: object) -> object:
    """JSON has no sign for what is not a number; erased flash read as one is that."""
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _file_systems(found: Inspection) -> list[Record]:
    return [
        {
            "start": system.start,
            "bytes": system.length,
            "version": system.version,
            "files": [
                {"path": file.path, "folder": file.is_folder, "bytes": file.size, "readable": file.data is not None}
                for file in system.files
            ],
        }
        for system in found.file_systems
    ]


def _problem(problem: Problem) -> Record:
    return {"what": problem.what, "offset": problem.offset}
