"""``wattrail meter registers``."""

from __future__ import annotations

from wattrail.cli import energy_register_view, output, reading_view, register_view
from wattrail.cli.console import results
from wattrail.cli.option_types import Json
from wattrail.cli.source_reader import opened_network
from wattrail.cli.target import MeterOptions, Named, find, opened
from wattrail.errors import NoAnswer
from wattrail.meter import Meter
from wattrail.wire import Register


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
        found = register_view.lines(_as_they_are(device), device.calibration, device.chip)
        if json:
            print(register_view.as_json(found, device))
        else:
            print(reading_view.heading(device))
            results().print(register_view.as_table(found))


def _show_device(url: str, *, json: bool) -> None:
    with opened_network(url) as device:
        reading = device.read_whole()
        if json:
            print(energy_register_view.as_json(reading, device))
        else:
            print(reading_view.heading(device))
            results().print(energy_register_view.as_table(reading))
            print(energy_register_view.as_evidence(reading.evidence))
        if not reading.registers:
            output.note(f"no energy register was seen within {device.source.cadence.silence_s:g} s")


def _as_they_are(device: Meter) -> dict[Register, int]:
    try:
        return device.read_registers()
    except NoAnswer:
        device.connect()  # asks around, and raises with the cause of the silence
        return device.read_registers()
