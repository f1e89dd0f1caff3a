"""``wattrail meter read``."""

from __future__ import annotations

from wattrail.cli import output, reading_view
from wattrail.cli.clock import read_once
from wattrail.cli.option_types import Json
from wattrail.cli.target import MeterOptions, Named, find, opened_any
from wattrail.meter import Meter


def read(meter: Named = None, *, json: Json = False, options: MeterOptions | None = None) -> None:
    """Read a meter once.

    Shows voltage, current, power, power factor, line frequency and energy; a dash is what the meter does not say. Power
    is positive for import and negative for export. Says which constants give a chip's numbers their scale.
    """
    options = options or MeterOptions()
    with opened_any(find(meter, options, takes_network=True), options) as device:
        reading = read_once(device) if isinstance(device, Meter) else device.read_whole()
        if json:
            print(reading_view.as_json(reading, device))
        else:
            print(reading_view.heading(device))
            print(reading_view.as_table(reading, device))
        if not reading.registers:
            output.note("no energy: the meter says no total now; it may still be starting, or wait for its clock")
        if finding := reading_view.finding_words(device, reading):
            output.note(finding)
