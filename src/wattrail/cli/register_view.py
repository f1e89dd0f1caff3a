"""The chip's registers for people and for programs: counts, bit fields in words, quantities."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wattrail.chips.bl0942 import Calibration, scaling
from wattrail.chips.bl0942.constants import FAST_RMS_RATIO
from wattrail.meter import Meter
from wattrail.wire import Register
from wattrail.wire.register import Access

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Line", "as_json", "as_table", "lines"]

_Scale = Callable[[int, Calibration], float]


def _fast_amps(count: int, calibration: Calibration) -> float:
    return scaling.amps(count, calibration) / FAST_RMS_RATIO


_SCALES: Final[Mapping[str, tuple[_Scale, str, int]]] = {
    "I_RMS": (scaling.amps, "A", 3),
    "V_RMS": (scaling.volts, "V", 2),
    "WATT": (scaling.watts, "W", 2),
    "CF_CNT": (lambda count, calibration: count * calibration.wh_per_count, "Wh", 1),
    "FREQ": (lambda count, _: scaling.hertz(count), "Hz", 3),
    "WA_CREEP": (scaling.creep_watts, "W", 2),
    "I_FAST_RMS_TH": (lambda count, calibration: _fast_amps(count << 8, calibration), "A", 1),
}
"""How a count becomes a quantity, its unit, its decimals."""


@dataclass(frozen=True, slots=True)
class Line:
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


def lines(counts: Mapping[Register, int], calibration: Calibration) -> list[Line]:
    """Every register with its quantity, where it has one."""
    return [_line(register, count, calibration) for register, count in counts.items()]


def as_table(found: list[Line]) -> Table:
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


def as_json(found: list[Line], meter: Meter) -> str:
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
    return json.dumps({"meter": meter.url, "simulated": meter.simulated, "scale": scale, "registers": registers})


def _line(register: Register, count: int, calibration: Calibration) -> Line:
    if register.name not in _SCALES or (register.name == "FREQ" and count == 0):
        return Line(register, count)
    scale, unit, decimals = _SCALES[register.name]
    return Line(register, count, scale(count, calibration), unit, decimals)


def _words(line: Line) -> str:
    fields = " ".join(f"{name}={word}" for name, word in line.register.words(line.count).items())
    reset = f" (after a reset: 0x{line.register.reset:X})" if line.changed else ""
    return (fields or line.register.meaning) + reset
