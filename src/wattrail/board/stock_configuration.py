"""What the stock firmware's own configuration says of the wiring.

Tuya keeps one flat set of keys, ``rl1_pin``, ``bt1_lv``, ``ele_pin``, in flash; it reaches us as JSON, or as text that
looks like JSON and is not (bare words, a comma too many). ``parse_configuration`` reads both into one mapping. What
the keys mean stands in ``wattrail.image.stock_configuration``; here its result becomes an observation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from wattrail.board.model import ActiveLevel, BoardMeterBus, BoardPin, BoardPinRole, chip_of_module
from wattrail.board.observation import ObservedWiring
from wattrail.errors import ConfigError
from wattrail.files import decode_json
from wattrail.image.stock_configuration import (
    MeterBus,
    PinRole,
    StockConfiguration,
    stock_configuration,
)
from wattrail.image.tuya_values import Value
from wattrail.sanitize import printable

__all__ = ["parse_configuration", "wiring_of_configuration", "wiring_of_stock"]

_ROLES: Final[Mapping[PinRole, BoardPinRole]] = MappingProxyType(
    {
        PinRole.RELAY: BoardPinRole.RELAY,
        PinRole.RELAY_SET: BoardPinRole.RELAY_ON,
        PinRole.RELAY_RESET: BoardPinRole.RELAY_OFF,
        PinRole.BUTTON: BoardPinRole.BUTTON,
        PinRole.BUTTON_ALL: BoardPinRole.BUTTON_ALL,
        PinRole.SWITCH: BoardPinRole.SWITCH_INPUT,
        PinRole.LED: BoardPinRole.LED,
        PinRole.WIFI_LED: BoardPinRole.WIFI_LED,
        PinRole.METER_CF: BoardPinRole.CF,
        PinRole.METER_CF1: BoardPinRole.CF1,
        PinRole.METER_SEL: BoardPinRole.SEL,
        PinRole.METER_RX: BoardPinRole.METER_RX,
        PinRole.METER_TX: BoardPinRole.METER_TX,
    }
)
"""Roles that a board with a meter has; a lamp's are left out."""

_WITH_CHANNEL: Final = frozenset(
    {
        BoardPinRole.RELAY, BoardPinRole.RELAY_ON, BoardPinRole.RELAY_OFF, BoardPinRole.BUTTON, BoardPinRole.LED,
        BoardPinRole.SWITCH_INPUT,
    }
)  # fmt: skip
_BUS: Final[Mapping[MeterBus, BoardMeterBus]] = MappingProxyType(
    {
        MeterBus.PULSES: BoardMeterBus.PULSES,
        MeterBus.UART: BoardMeterBus.UART,
        MeterBus.MCU: BoardMeterBus.TUYAMCU,
    }
)
_LEVELS: Final[Mapping[bool | None, ActiveLevel]] = MappingProxyType(
    {False: ActiveLevel.LOW, True: ActiveLevel.HIGH, None: ActiveLevel.UNKNOWN}
)
_FROM_BUS: Final = "UART1"
"""Source of a pin that nobody named: it follows from the bus."""

_INNER: Final = ("user_param_key", "device_configuration")
"""Keys under which tools put the whole configuration."""

_MAX_KEYS: Final = 2000
_PAIR: Final = re.compile(
    r"""["']?(?<!\w)(?P<key>[A-Za-z0-9_]{1,64})["']?\s{0,8}:\s{0,8}(?P<value>"[^"]*"|'[^']*'|[^,{}\[\]]*)"""
)
_NOT_WIRED: Final = 31
"""Number of a pin that is not there: seen with ``netled1_lv`` 2 in one device of tuya-cloudcutter."""


def parse_configuration(text: str, name: str) -> dict[str, object]:
    """The keys and values of a configuration: JSON, or the lenient text that stands in flash.

    A file of a tool that holds the configuration under ``user_param_key`` or ``device_configuration`` is unwrapped.
    Raises ConfigError by ``name`` for a text without any pair.
    """
    try:
        document: object = decode_json(text)
    except ValueError:
        # As it stands in flash it is often not JSON: no quotes, a comma too many. Source: tuya/stock-configuration
        document = _lenient(text)
    found = _unwrapped(document)
    if not found:
        raise ConfigError(
            f"{printable(name)}: no configuration: neither JSON nor pairs of key:value",
            hint="it begins like {bt1_lv:0,rl1_pin:26,module:CB2S}",
        )
    return found


def _unwrapped(document: object) -> dict[str, object]:
    if not isinstance(document, Mapping):
        return {}
    inner = next((document[key] for key in _INNER if key in document), None)
    if isinstance(inner, str):
        return _lenient(inner)
    return _unwrapped(inner) if isinstance(inner, Mapping) else {str(key): value for key, value in document.items()}


def _lenient(text: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for pair in _PAIR.finditer(text):
        if len(found) < _MAX_KEYS:
            found.setdefault(pair["key"], _value(pair["value"].strip().strip("\"'")))
    return found


def _value(text: str) -> object:
    """A number where the text is written as one: ``0505`` and ``1.0.1`` stay text."""
    return int(text) if re.fullmatch(r"0|-?[1-9]\d{0,9}", text) else text


def wiring_of_configuration(configuration: Mapping[str, object], where: str) -> ObservedWiring:
    """What keys and values say, as ``parse_configuration`` gives them. ``where`` names their source."""
    values = {key: _typed(value) for key, value in configuration.items()}
    baud = values.get("baud") or values.get("uart_baud")
    found = stock_configuration({"user_param_key": values, "baud_cfg": {"baud": baud}})
    return wiring_of_stock(found, where) if found is not None else ObservedWiring(where)


def wiring_of_stock(found: StockConfiguration, where: str, *, chip: str = "") -> ObservedWiring:
    """What a configuration says, wherever it was read. ``chip`` is taken where the module does not say it."""
    module = (found.module or "").upper()
    pins = tuple(_pins(found))
    metering, bus = _metering(found, {pin.role for pin in pins})
    if not metering and found.mcu_baud and not pins:
        bus = BoardMeterBus.TUYAMCU  # only devices with an MCU keep a rate of their UART, and no pins
    return ObservedWiring(
        where=where,
        module=module,
        chip=chip_of_module(module) or chip,
        metering_chip=metering,
        bus=bus,
        pins=pins,
        baud=found.mcu_baud,
        is_without_meter=bool(pins) and not metering and bus is None,
    )


def _metering(found: StockConfiguration, roles: set[BoardPinRole]) -> tuple[str, BoardMeterBus | None]:
    meter = found.meter
    if meter is None:
        return "", None
    if meter.chip is None and BoardPinRole.METER_RX in roles:
        return "bl0942", BoardMeterBus.UART  # the only chip that is configured with pins of a UART
    return (meter.chip or "").lower(), _BUS[meter.bus] if meter.bus else None


def _pins(found: StockConfiguration) -> Iterator[BoardPin]:
    """The pins that the configuration names, by their number."""
    named = {use.pin: use for use in found.pins if use.source != _FROM_BUS and use.role in _ROLES}
    for number in sorted(named):
        use = named[number]
        role = _ROLES[use.role]
        if number < _NOT_WIRED:
            yield BoardPin(number, role, _LEVELS[use.active_high], use.number if role in _WITH_CHANNEL else 0)


def _typed(value: object) -> Value:
    """An integer where the text is one: some tools put every value in quotes. What is not of JSON says nothing."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value.strip()):
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_typed(inner) for inner in value]
    return value if isinstance(value, str | int | float) else None
