"""What a dump says of its board: the stock firmware's configuration, OpenBeken's, and the constants of its calibration.

After a change of firmware both configurations lie in the same flash, and may disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from wattrail.board.observation import ObservedWiring
from wattrail.board.openbeken_roles import wiring_of_template
from wattrail.board.stock_configuration import wiring_of_stock
from wattrail.calibration import Calibration
from wattrail.image.inspection import Inspection
from wattrail.image.openbeken_configuration import OpenBekenConfiguration
from wattrail.image.tuya_storage import TuyaStorage

__all__ = ["calibration_in_dump", "wirings_of_dump"]

_QUANTITIES: Final = 3
"""The first slots of OpenBeken's calibration: volts, amperes, watts."""


def wirings_of_dump(found: Inspection, name: str) -> tuple[ObservedWiring, ...]:
    """Every configuration in a dump that is called ``name``: none, the stock firmware's, OpenBeken's, or both."""
    chip = found.image.chip.value if found.image.chip else ""
    observed = []
    if found.configuration is not None:
        where = f"{name}, {found.configuration_source} of the stock firmware"
        wiring = wiring_of_stock(found.configuration, where, chip=chip)
        observed.append(replace(wiring, product=_product(found.storage), datapoints=_datapoints(found.storage)))
    if found.openbeken is not None:
        observed.append(wiring_of_template(_template(found.openbeken[1], chip), f"{name}, OpenBeken"))
    return tuple(observed)


def _product(storage: TuyaStorage | None) -> str:
    device = storage.get("gw_di") if storage else None
    key = device.get("pk") if isinstance(device, dict) else None
    return key if isinstance(key, str) else ""


def _datapoints(storage: TuyaStorage | None) -> frozenset[int]:
    """The cloud's list of a product's data points, which the firmware keeps under the name of the list."""
    found = frozenset[int]()
    for value in storage.values if storage else ():
        # Found by its shape: the firmware keeps the list under a name of its own for each product.
        entries = value.value if value.problem is None and isinstance(value.value, list) else []
        if entries and all(isinstance(one, dict) and {"id", "mode", "type"} <= one.keys() for one in entries):
            found |= {one["id"] for one in entries if isinstance(one, dict) and isinstance(one["id"], int)}
    return found


def _template(configuration: OpenBekenConfiguration, chip: str) -> Mapping[str, object]:
    pins = {str(pin): f"{use.role_name};{use.channel}" for pin, use in configuration.pins.items()}
    return {"chip": chip, "pins": pins, "command": configuration.text("startup_command")}


def calibration_in_dump(found: Inspection) -> Calibration | None:
    """The factory's calibration, else OpenBeken's own; None in a dump with neither."""
    if found.constants is not None:
        return found.constants.calibration
    volt, amp, watt = found.openbeken[1].calibration[:_QUANTITIES] if found.openbeken else (None, None, None)
    # OpenBeken counts a reversed coil by a negative constant of power alone; anything else was never calibrated.
    if volt and amp and watt and volt > 0 and amp > 0:
        return Calibration(volt, amp, abs(watt), inverted=watt < 0)
    return None
