"""OpenBeken's roles of pins: what each of ours is called there, and back.

The roles themselves, and their other spellings, stand in ``wattrail.openbeken`` and ``wattrail.image``.

A role without ``_n`` is active high for relays and LEDs, and active low for buttons, which have a pull-up.
Source: openbeken/roles.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from wattrail.board.model import ActiveLevel, BoardMeterBus, BoardPin, BoardPinRole
from wattrail.board.observation import ObservedWiring
from wattrail.errors import ConfigError
from wattrail.image.openbeken_settings import role_number, whole_number
from wattrail.openbeken import ROLES
from wattrail.sanitize import printable

__all__ = ["ROLE_NAMES", "pin_of_role", "role_name", "wiring_of_device", "wiring_of_template"]

ROLE_NAMES: Final[Mapping[BoardPinRole, tuple[str, str]]] = MappingProxyType(
    {
        BoardPinRole.RELAY: ("Rel", "Rel_n"),
        BoardPinRole.RELAY_ON: ("BridgeFWD", "BridgeFWD"),
        BoardPinRole.RELAY_OFF: ("BridgeREV", "BridgeREV"),
        BoardPinRole.BUTTON: ("Btn_n", "Btn"),
        BoardPinRole.BUTTON_ALL: ("Btn_Tgl_All_n", "Btn_Tgl_All"),
        BoardPinRole.SWITCH_INPUT: ("TglChanOnTgl", "TglChanOnTgl"),
        BoardPinRole.LED: ("LED", "LED_n"),
        BoardPinRole.WIFI_LED: ("WifiLED", "WifiLED_n"),
        BoardPinRole.CF: ("BL0937CF", "BL0937CF"),
        BoardPinRole.CF1: ("BL0937CF1", "BL0937CF1"),
        BoardPinRole.SEL: ("BL0937SEL", "BL0937SEL_n"),
        BoardPinRole.OUTPUT_HIGH: ("AlwaysHigh", "AlwaysHigh"),
    }
)
"""Names for active high and active low. Roles that are missing here have none: the pins of UART and SPI are fixed."""

_OTHER_NAMES: Final = (
    ("Btn_ScriptOnly", BoardPinRole.BUTTON, ActiveLevel.LOW),
    ("Btn_ScriptOnly_n", BoardPinRole.BUTTON, ActiveLevel.HIGH),
    ("Btn_pd", BoardPinRole.BUTTON, ActiveLevel.LOW),
    ("Btn_pd_n", BoardPinRole.BUTTON, ActiveLevel.HIGH),
    ("TglChanOnTgl_pd", BoardPinRole.SWITCH_INPUT, ActiveLevel.UNKNOWN),
)
"""More roles that a device may have: what follows from the board is the same."""

_MAX_NUMBER: Final = 256
"""Of pins and channels, which the firmware keeps in a byte each."""

_BUTTONS: Final = frozenset({BoardPinRole.BUTTON, BoardPinRole.BUTTON_ALL})
_SAME_AT_BOTH: Final = frozenset({role for role, (high, low) in ROLE_NAMES.items() if high == low})
_BY_NAME: Final[Mapping[str, tuple[BoardPinRole, ActiveLevel]]] = MappingProxyType(
    {
        **{
            name: (role, ActiveLevel.UNKNOWN if role in _SAME_AT_BOTH else level)
            for role, names in ROLE_NAMES.items()
            for name, level in zip(names, (ActiveLevel.HIGH, ActiveLevel.LOW), strict=True)
        },
        **{name: (role, level) for name, role, level in _OTHER_NAMES},
    }
)
_CHIPS: Final = {"bl0942": "bl0942", "bl0942spi": "bl0942", "bl0937": "bl0937", "cse7766": "cse7766"}


def role_name(pin: BoardPin) -> str | None:
    """The role of a pin, None where OpenBeken has none. An unknown level is taken as low for buttons, else high."""
    names = ROLE_NAMES.get(pin.role)
    if names is None:
        return None
    level = pin.active
    if level is ActiveLevel.UNKNOWN:
        # As the firmware names them: Btn is active low with a pull-up, Rel active high. Source: openbeken/roles
        level = ActiveLevel.LOW if pin.role in _BUTTONS else ActiveLevel.HIGH
    return names[level is ActiveLevel.LOW]


def pin_of_role(pin: int, name: str, channel: int) -> BoardPin | None:
    """A pin from the role that OpenBeken gives it; None for a role that says nothing about a meter."""
    try:
        known = ROLES[role_number(name)]
    except ConfigError:
        return None
    found = _BY_NAME.get(known)
    return BoardPin(pin, *found, channel) if found else None


def wiring_of_device(pins: Mapping[str, object], info: Mapping[str, object], where: str) -> ObservedWiring:
    """What a device that runs OpenBeken says: the answers of ``/api/pins`` and ``/api/info``."""
    names, roles, channels = (_list(pins.get(key)) for key in ("rolenames", "roles", "channels"))
    found = []
    for number, role in enumerate(roles):
        name = names[role] if isinstance(role, int) and 0 <= role < len(names) else ""
        channel = channels[number] if number < len(channels) else 0
        pin = pin_of_role(number, str(name), channel if isinstance(channel, int) else 0)
        found += [pin] if pin else []
    chip = printable(str(info.get("chipset", "")), limit=20)
    return _observed(where, chip, "", tuple(found), str(info.get("startcmd", "")))


def wiring_of_template(template: Mapping[str, object], where: str) -> ObservedWiring:
    """What one entry of a ``devices.json`` says."""
    given = template.get("pins")
    found = []
    for number, text in given.items() if isinstance(given, Mapping) else ():
        role, _, channels = str(text).partition(";")
        gpio = whole_number(str(number), below=_MAX_NUMBER)
        if gpio is not None:
            channel = whole_number(channels.partition(";")[0], below=_MAX_NUMBER) or 0
            pin = pin_of_role(gpio, role, channel)
            found += [pin] if pin else []
    chip, board = str(template.get("chip") or ""), str(template.get("board") or "")
    return _observed(where, chip, board.upper(), tuple(found), str(template.get("command") or ""))


def _observed(where: str, chip: str, module: str, pins: tuple[BoardPin, ...], command: str) -> ObservedWiring:
    words = command.lower().replace(";", " ").split()
    started = (after for before, after in pairwise(words) if before == "startdriver")
    driver = next((name for name in started if name in {*_CHIPS, "tuyamcu"}), "")
    bus = {"bl0942spi": BoardMeterBus.SPI, "tuyamcu": BoardMeterBus.TUYAMCU, "": None}.get(driver, BoardMeterBus.UART)
    metering = _CHIPS.get(driver, "")
    # After the drivers: a pulse chip starts by the roles of its pins, without a command. Source: openbeken/commands
    if {pin.role for pin in pins} >= {BoardPinRole.CF, BoardPinRole.CF1}:
        metering, bus = "bl0937", BoardMeterBus.PULSES
    return ObservedWiring(where=where, module=module, chip=chip, metering_chip=metering, bus=bus, pins=pins)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
