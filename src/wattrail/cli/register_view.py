"""The chip's registers for people and for programs: counts, bit fields as text, quantities."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wattrail.calibration import Calibration
from wattrail.chips import MeteringChip
from wattrail.meter import Meter
from wattrail.wire import Register
from wattrail.wire.register import Access

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["RegisterLine", "as_json", "as_table", "lines"]


@dataclass(frozen=True, slots=True)
class RegisterLine:
    """One register as it was found."""

    register: Register
    count: int
    value: float | None = None
    unit: str = ""
    decimals: int = 0

    @property
    def changed(self) -> bool:
        """Whether a setting differs from what it is after a reset."""
        return self.register.access is Access.READ_WRITE and self.count != self.register.reset

    @property
    def hexadecimal(self) -> str:
        """The word on the bus, as wide as the register."""
        return f"0x{self.register.encode(self.count):0{(self.register.bits + 3) // 4}X}"


def lines(counts: Mapping[Register, int], calibration: Calibration, chip: MeteringChip) -> list[RegisterLine]:
    """Every register with its quantity, where it has one."""
    return [_line(register, count, calibration, chip) for register, count in counts.items()]


def as_table(found: list[RegisterLine]) -> Table:
    """A table for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("addr", "register", "hex", "count", "value"):
        table.add_column(name, justify="right" if name in {"hex", "count", "value"} else "left", no_wrap=True)
    table.add_column("meaning, bit fields", overflow="fold")
    for line in found:
        table.add_row(
            f"0x{line.register.address:02X}",
            line.register.name + (" *" if line.changed else ""),
            line.hexadecimal,
            str(line.count),
            "" if line.value is None else f"{line.value:.{line.decimals}f} {line.unit}",
            Text(_words(line)),
        )
    if any(line.changed for line in found):
        table.caption = "* differs from its value after a reset"
    return table


def as_json(found: list[RegisterLine], meter: Meter) -> str:
    """One JSON object; its fields are listed in docs/cli.md."""
    registers = [
        {
            "address": line.register.address,
            "name": line.register.name,
            "count": line.count,
            "hex": line.hexadecimal,
            "fields": {field.name: field.get(line.count) for field in line.register.fields},
            "words": dict(line.register.words(line.count)),
            "value": line.value,
            "unit": line.unit or None,
            "reset": line.register.reset,
            "changed": line.changed,
        }
        for line in found
    ]
    scale = meter.scale.as_dict(meter.calibration)
    return json.dumps(
        {
            "meter": meter.url,
            "simulated": meter.simulated,
            "chip": meter.chip.name,
            "scale": scale,
            "registers": registers,
        }
    )


def _line(register: Register, count: int, calibration: Calibration, chip: MeteringChip) -> RegisterLine:
    if register.name not in chip.scales:
        return RegisterLine(register, count)
    scale, unit, decimals = chip.scales[register.name]
    return RegisterLine(register, count, scale(count, calibration), unit, decimals)


def _words(line: RegisterLine) -> str:
    fields = " ".join(f"{name}={word}" for name, word in line.register.words(line.count).items())
    reset = f" (after a reset: 0x{line.register.reset:X})" if line.changed else ""
    return (fields or line.register.meaning) + reset
