"""Inspect every dump below some folders, beside bk7231tools, and print a Markdown table without a secret in it.

    python tools/inspect_dumps.py ~/dumps
    PYTHONPATH=... python tools/inspect_dumps.py ~/dumps      with UPK2ESPHome there, its pins as well

For each file: kind and chip, the app with its SDK, how many settings we read and how many of them bk7231tools reads to
the same bytes, what the stock firmware knows of the board. The dumps are their owners': nothing of a setting is printed
but its count and the pins.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bk7231tools.analysis.kvstorage import KVStorage

from wattrail.image.inspection import Inspection, inspect_flash

MAX_BYTES = 32 << 20


def main() -> int:
    """Print a row for each file, then the sums."""
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    counts: Counter[str] = Counter()
    print("| file | kind, chip | app | settings | bk7231tools | board |\n|---|---|---|---|---|---|")
    for path in sorted(path for folder in sys.argv[1:] for path in Path(folder).rglob("*") if path.is_file()):
        if not 0 < path.stat().st_size <= MAX_BYTES:
            continue
        data = path.read_bytes()
        found = inspect_flash(data)
        print(f"| {path.name} | {' | '.join(_row(found, data, counts))} |")
    print()
    for name, count in sorted(counts.items()):
        print(f"{name}: {count}")
    return 0


def _row(found: Inspection, data: bytes, counts: Counter[str]) -> Iterator[str]:
    image, program = found.image, found.program
    counts["files"] += 1
    yield f"{image.kind.value}, {image.chip.value if image.chip else 'no chip'}"
    yield (
        ", ".join(filter(None, (program.product or program.firmware, program.version, program.sdk))) if program else "—"
    )
    counts["apps that say what they are"] += program is not None
    ours = {value.name: value.data for value in found.storage.values} if found.storage else {}
    counts["storages"] += found.storage is not None
    counts["settings"] += len(ours)
    counts["settings whose sum does not hold"] += (
        sum(v.problem is not None for v in found.storage.values) if found.storage else 0
    )
    yield str(len(ours)) if ours else "—"
    yield _peer(data, ours, counts)
    yield _board(found, counts)


def _peer(data: bytes, ours: Mapping[str, bytes], counts: Counter[str]) -> str:
    """How bk7231tools fares with the same file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs = KVStorage.decrypt_and_unpack(data, find=True).read_all_values()
        except Exception as error:  # noqa: BLE001 it raises anything
            if ours:
                counts["storages that bk7231tools does not read"] += 1
            return f"{type(error).__name__}" if ours else "—"
    same = sum(ours.get(name) == value for name, value in theirs.items())
    counts["settings that bk7231tools reads to the same bytes"] += same
    counts["settings that it reads to other bytes"] += sum(n in ours and ours[n] != v for n, v in theirs.items())
    counts["settings that only we read"] += len(ours.keys() - theirs.keys())
    counts["settings that only it reads"] += len(theirs.keys() - ours.keys())
    return f"{same} the same" if same == len(ours) == len(theirs) else f"{same} the same of {len(theirs)}"


def _board(found: Inspection, counts: Counter[str]) -> str:
    board = found.configuration
    if board is None:
        return "—"
    counts[f"boards from the {found.configuration_source}"] += 1
    if board.mcu_baud and not board.pins:
        counts["boards with a microcontroller"] += 1
        return f"microcontroller, {board.mcu_baud} baud"
    counts["pins"] += len(board.pins)
    counts["boards with a metering chip"] += board.meter is not None
    meter = f"{board.meter.chip or 'unknown chip'}; " if board.meter else ""
    source = "" if found.configuration_source == "storage" else " (default in the code)"
    uses = ", ".join(
        f"P{use.pin} {use.role.value}" + (f" {use.number}" if use.number > 1 else "") for use in board.pins
    )
    return f"{board.module or ''} {meter}{uses}{source}{_esphome(found, counts)}".strip()


def _esphome(found: Inspection, counts: Counter[str]) -> str:
    """Pins that UPK2ESPHome puts into its configuration and we do not have; nothing where it is not installed."""
    try:
        from upk2esphome.generator import upk2esphome
        from upk2esphome.opts import Opts
    except ImportError:
        return ""
    parameters: Any = found.storage.get("user_param_key") if found.storage else None
    if not isinstance(parameters, dict) or found.configuration is None:
        return ""
    made = upk2esphome(dict(parameters), Opts())
    theirs = {int(pin) for pin in re.findall(r"\bP(\d+)\b", str({k: v for k, v in made.data.items() if k[0] != "_"}))}
    ours = {use.pin for use in found.configuration.pins}
    counts["boards that UPK2ESPHome takes"] += bool(theirs)
    counts["boards of which it names a pin that we have not"] += bool(theirs - ours)
    return f"; UPK2ESPHome also P{sorted(theirs - ours)}" if theirs - ours else ""


if __name__ == "__main__":
    sys.exit(main())
