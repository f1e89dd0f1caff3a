"""``wattrail meter read``."""

from __future__ import annotations

from wattrail.cli import output, reading_view
from wattrail.cli.clock import read_once
from wattrail.cli.target import Json, MeterOptions, Named, find, opened


def read(meter: Named = None, *, json: Json = False, options: MeterOptions | None = None) -> None:
    """Read a meter once.

    Shows voltage, current, power, power factor, line frequency and the chip's energy counter. Power is positive for
    import and negative for export. Says which constants give the numbers their scale.
    """
    options = options or MeterOptions()
    with opened(find(meter, options), options) as device:
        device.connect()
        reading = read_once(device)
        if json:
            print(reading_view.as_json(reading, device))
        else:
            print(reading_view.heading(device))
            print(reading_view.as_table(reading, device))
        if finding := reading_view.finding_words(device, reading):
            output.note(finding)
