"""``wattrail meter registers``."""

from __future__ import annotations

from wattrail.cli import reading_view, register_view
from wattrail.cli.console import results
from wattrail.cli.target import Json, MeterOptions, Named, find, opened
from wattrail.errors import NoAnswer
from wattrail.meter import Meter
from wattrail.wire import Register


def show_registers(meter: Named = None, *, json: Json = False, options: MeterOptions | None = None) -> None:
    """Show every register by bit field.

    The registers are shown as they are found: a chip that answers is only read, and none of its settings is changed.
    """
    options = options or MeterOptions()
    with opened(find(meter, options), options) as device:
        found = register_view.lines(_as_they_are(device), device.calibration, device.chip)
        if json:
            print(register_view.as_json(found, device))
        else:
            print(reading_view.heading(device))
            results().print(register_view.as_table(found))


def _as_they_are(device: Meter) -> dict[Register, int]:
    try:
        return device.read_registers()
    except NoAnswer:
        device.connect()  # asks around, and raises with the cause of the silence
        return device.read_registers()
