"""``wattrail meter registers``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wattrail.calibration import Calibration
from wattrail.chips import MeteringChip
from wattrail.cli import output, reading_view
from wattrail.cli.option_types import Json
from wattrail.cli.output import results
from wattrail.cli.readings import opened_network, read_whole
from wattrail.cli.target import MeterOptions, Named, find, opened
from wattrail.energy_register import BootEvidence, EnergyRegister, Persistence
from wattrail.errors import NoAnswer
from wattrail.meter import Meter
from wattrail.units import Reading
from wattrail.wire import Register
from wattrail.wire.register import Access

if TYPE_CHECKING:
    from rich.table import Table

    from wattrail.sources.source_reader import SourceReader

__all__ = ["register_lines", "register_table", "show_registers"]


def show_registers(meter: Named = None, *, json: Json = False, options: MeterOptions | None = None) -> None:
    """Show every register by bit field.

    The registers are shown as they are found: a chip that answers is only read, and none of its settings is changed. Of
    a device on a network: each energy register with its step, what it adds up and how it falls, and the evidence of
    restarts.
    """
    options = options or MeterOptions()
    target = find(meter, options, takes_network=True)
    if target.is_network:
        _show_device(target.url, json=json)
        return
    with opened(target, options) as device:
        found = register_lines(_as_they_are(device), device.calibration, device.chip)
        if json:
            print(_chip_json(found, device))
        else:
            print(reading_view.heading(device))
            results().print(register_table(found))


def _show_device(url: str, *, json: bool) -> None:
    with opened_network(url) as device:
        reading = read_whole(device)
        if json:
            print(_device_json(reading, device))
        else:
            print(reading_view.heading(device))
            results().print(_device_table(reading))
            print(_evidence_text(reading.evidence))
        if not reading.registers:
            output.note(f"no energy register was seen within {device.source.cadence.silence_s:g} s")


def _as_they_are(device: Meter) -> dict[Register, int]:
    try:
        # Not connected first: that sets registers up, and these are to be shown as they are found.
        return device.read_registers()
    except NoAnswer:
        device.connect()  # asks around, and raises with the cause of the silence
        return device.read_registers()


# ---- registers of a chip


@dataclass(frozen=True, slots=True)
class _RegisterLine:
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


def register_lines(counts: Mapping[Register, int], calibration: Calibration, chip: MeteringChip) -> list[_RegisterLine]:
    """Every register with its quantity, where it has one."""
    return [_line(register, count, calibration, chip) for register, count in counts.items()]


def register_table(found: list[_RegisterLine]) -> Table:
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


def _chip_json(found: list[_RegisterLine], meter: Meter) -> str:
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


def _line(register: Register, count: int, calibration: Calibration, chip: MeteringChip) -> _RegisterLine:
    if register.name not in chip.scales:
        return _RegisterLine(register, count)
    scale, unit, decimals = chip.scales[register.name]
    return _RegisterLine(register, count, scale(count, calibration), unit, decimals)


def _words(line: _RegisterLine) -> str:
    fields = " ".join(f"{name}={word}" for name, word in line.register.words(line.count).items())
    reset = f" (after a reset: 0x{line.register.reset:X})" if line.changed else ""
    return (fields or line.register.meaning) + reset


# ---- energy registers of a network meter


_PERSISTENCE: Final[Mapping[Persistence, str]] = MappingProxyType(
    {
        Persistence.KEPT: "kept: never falls",
        Persistence.SAVED: "saved: a power cut takes it back to its last save",
        Persistence.VOLATILE: "volatile: begins at 0 with each boot",
        Persistence.PERIODIC: "periodic: begins at 0 at a known time, or on command",
        Persistence.UNKNOWN: "unknown: every fall is confirmed by a second reading",
    }
)


def _device_table(reading: Reading) -> Table:
    """A line a register."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("register", "count", "value", "one count", "adds up", "class"):
        table.add_column(name, justify="right" if name in {"count", "value"} else "left", no_wrap=name != "class")
    for count in reading.registers:
        register = count.register
        table.add_row(
            register.name,
            str(count.count),
            f"{reading_view.energy_words(count)} Wh",
            _step(register),
            reading_view.DIRECTIONS[register.direction],
            f"{register.persistence}, {_PERSISTENCE[register.persistence]}{_limits(register)}{_origin(register)}",
        )
    return table


def _evidence_text(evidence: BootEvidence) -> str:
    """What the device says of its restarts, a line each; what it does not say is a dash."""
    power_on = {None: "", True: "the power came on", False: "not by power"}[evidence.is_power_on]
    rows = {
        "Uptime": f"{evidence.uptime_s:.0f} s" if evidence.uptime_s is not None else "",
        "Boots": "" if evidence.boot_count is None else str(evidence.boot_count),
        "Last boot": ", ".join(filter(None, [evidence.reset_reason, power_on])),
        "Counting since": evidence.start_stamp,
        "Firmware": evidence.revision,
    }
    lines = [f"  {label:<15} {value or '–'}" for label, value in rows.items()]
    return "\n".join(["Evidence of restarts", *lines])


def _device_json(reading: Reading, meter: SourceReader) -> str:
    """One JSON object: the one of a reading, with the class of each register spelled out."""
    fields = json.loads(reading_view.as_json(reading, meter))
    for shown, count in zip(fields["registers"], reading.registers, strict=True):
        shown["class_words"] = _PERSISTENCE[count.register.persistence]
    return json.dumps(fields)


def _step(register: EnergyRegister) -> str:
    step = register.step_mwh
    # A third of a count has no end as a decimal.
    exact = f"{float(step):g}" if step.denominator in (1, 10, 100, 1000) else str(step)
    return f"{exact} mWh"


def _limits(register: EnergyRegister) -> str:
    modulus = f"; begins again after {register.modulus} counts" if register.modulus else ""
    slack = f"; may fall by {register.slack} counts without a reason" if register.slack else ""
    return modulus + slack


def _origin(register: EnergyRegister) -> str:
    return "; estimated: power added up since it was opened" if register.is_estimated else ""
