"""wattrail: reads energy meters, keeps their ledger, and flashes their firmware.

The public API. Importing it loads only the standard library; each name imports its module when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wattrail.errors import WattrailError
from wattrail.lazy_names import lazy_names

if TYPE_CHECKING:
    from wattrail.calibration import Calibration
    from wattrail.chips import MeteringChip
    from wattrail.clock import ManualClock, SystemClock
    from wattrail.flasher import Flasher, open_flasher
    from wattrail.front_end import FrontEnd
    from wattrail.image import Image, recognise
    from wattrail.ledger import Ledger
    from wattrail.meter import Meter, open_meter
    from wattrail.transport import open_port
    from wattrail.twin import open_twin
    from wattrail.units import Quantities, Reading
    from wattrail.wire import Register

__version__ = "0.1.0"

__all__ = [
    "Calibration",
    "Flasher",
    "FrontEnd",
    "Image",
    "Ledger",
    "ManualClock",
    "Meter",
    "MeteringChip",
    "Quantities",
    "Reading",
    "Register",
    "SystemClock",
    "WattrailError",
    "open_flasher",
    "open_meter",
    "open_port",
    "open_twin",
    "recognise",
]

_HOME = {
    "Calibration": "wattrail.calibration",
    "Flasher": "wattrail.flasher",
    "FrontEnd": "wattrail.front_end",
    "Image": "wattrail.image",
    "Ledger": "wattrail.ledger",
    "ManualClock": "wattrail.clock",
    "Meter": "wattrail.meter",
    "MeteringChip": "wattrail.chips",
    "Quantities": "wattrail.units",
    "Reading": "wattrail.units",
    "Register": "wattrail.wire",
    "SystemClock": "wattrail.clock",
    "open_flasher": "wattrail.flasher",
    "open_meter": "wattrail.meter",
    "open_port": "wattrail.transport",
    "open_twin": "wattrail.twin",
    "recognise": "wattrail.image",
}

__getattr__ = lazy_names(__name__, _HOME)
