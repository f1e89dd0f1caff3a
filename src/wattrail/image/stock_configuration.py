"""What the stock firmware knows of its board: pins, levels, the metering chip and its bus.

Tuya's firmware for plugs, switches and lamps is one for many boards; the value ``user_param_key`` of the storage says
which pin does what. A board with a microcontroller of its own has none, and the rate of the line to it in its place.
Older firmware nests what newer has flat: ``{"sw": {"ch": [{"rl": {"pin": 26}}]}}`` is ``rl1_pin``.
Source: bk7231-image/stock-configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final

from wattrail.bk7231 import Chip
from wattrail.image.chips import chip_of_module
from wattrail.image.limits import MAX_RECORDS
from wattrail.image.tuya_values import Value, parse_lenient

__all__ = [
    "MeterBus",
    "MeterWiring",
    "PinRole",
    "PinUse",
    "StockConfiguration",
    "configuration_in_code",
    "stock_configuration",
]

MAX_PIN: Final = 47
"""The highest pin any module of the family has."""


class PinRole(Enum):
    """What a pin is for; the value is what people call it."""

    RELAY = "relay"
    RELAY_SET = "relay, set coil"
    RELAY_RESET = "relay, reset coil"
    BUTTON = "button"
    BUTTON_ALL = "button for all"
    SWITCH = "wall switch"
    LED = "LED"
    LED_ALL = "LED for all"
    WIFI_LED = "Wi-Fi LED"
    BACKLIGHT = "backlight"
    DOOR = "door contact"
    MOTION = "motion sensor"
    RESET = "reset button"
    METER_CF = "energy pulses (CF)"
    METER_CF1 = "current and voltage pulses (CF1)"
    METER_SEL = "choice of current or voltage (SEL)"
    METER_RX = "from the metering chip (RX)"
    METER_TX = "to the metering chip (TX)"
    RED = "red"
    GREEN = "green"
    BLUE = "blue"
    COLD = "cold white"
    WARM = "warm white"
    LIGHT_POWER = "power of the lamp"
    LED_CLOCK = "clock of the LED driver"
    LED_DATA = "data of the LED driver"
    STRIP_DATA = "data of the LED strip"
    STRIP_SPI = "SPI of the LED strip"
    INFRARED = "infrared receiver"
    INFRARED_OUT = "infrared transmitter"
    MICROPHONE = "microphone"
    ANALOG = "analogue input"


_N: Final = r"(?P<number>\d?)"
_ROLES: Final = tuple(
    (re.compile(pattern), role)
    for pattern, role in (
        (rf"rl{_N}_pin", PinRole.RELAY),
        (rf"rl_on{_N}_pin", PinRole.RELAY_SET),
        (rf"rl_off{_N}_pin", PinRole.RELAY_RESET),
        (rf"bt{_N}_pin", PinRole.BUTTON),
        (rf"k{_N}pin_pin", PinRole.BUTTON),
        (r"key_pin", PinRole.BUTTON),
        (r"total_bt_pin", PinRole.BUTTON_ALL),
        (r"reset_pin", PinRole.RESET),
        (rf"onoff{_N}", PinRole.SWITCH),
        (rf"(?:netled{_N}|wfst|status_led)_pin", PinRole.WIFI_LED),
        (rf"led{_N}_pin", PinRole.LED),
        (r"total_led_pin", PinRole.LED_ALL),
        (r"backlit_io_pin", PinRole.BACKLIGHT),
        (rf"door{_N}_magt_pin", PinRole.DOOR),
        (r"basic_pin_pin", PinRole.MOTION),
        (r"ele_pin", PinRole.METER_CF),
        (r"vi_pin", PinRole.METER_CF1),
        (r"sel_pin_pin", PinRole.METER_SEL),
        (r"ele_rx", PinRole.METER_RX),
        (r"ele_tx", PinRole.METER_TX),
        (r"r_pin", PinRole.RED),
        (r"g_pin", PinRole.GREEN),
        (r"b_pin", PinRole.BLUE),
        (r"c_pin", PinRole.COLD),
        (r"w_pin", PinRole.WARM),
        (r"(?:ctrl|expowctrl)_pin", PinRole.LIGHT_POWER),
        (r"iicscl", PinRole.LED_CLOCK),
        (r"iicsda", PinRole.LED_DATA),
        (r"(?:mosi|MOSI)", PinRole.STRIP_DATA),
        (r"(?:miso|MISO|SCL|CS)", PinRole.STRIP_SPI),
        (r"(?:irpin|ir|infrr)", PinRole.INFRARED),
        (r"infre", PinRole.INFRARED_OUT),
        (r"micpin", PinRole.MICROPHONE),
        (r"samp(?:_sw)?_pin", PinRole.ANALOG),
    )
)
"""Which name of the configuration puts a pin to which use."""

_NESTED: Final = (
    (re.compile(r"^sw_"), ""),
    (re.compile(r"^dltj_ct$"), "chip_type"),
    (re.compile(r"^dltj_epin_pin$"), "ele_pin"),
    (re.compile(r"^dltj_ivpin_pin$"), "vi_pin"),
    (re.compile(r"^dltj_ivcpin_(pin|lv)$"), r"sel_pin_\1"),
    (re.compile(r"^dltj_ri$"), "resistor"),
    (re.compile(r"^net_wfst_"), "netled_"),
    (re.compile(r"^(?:ch_)(\d)_(bt|rl)_(pin|lv)$"), r"\2#\1_\3"),
)
"""Paths of the older, nested form, and the names of the newer; # stands for a number that there begins with 0."""


class MeterBus(Enum):
    """How a metering chip hands over what it measured."""

    PULSES = "pulses"
    UART = "UART"
    MCU = "a microcontroller, by UART"


_METERS: Final[Mapping[int, tuple[str, MeterBus]]] = MappingProxyType(
    {
        0: ("BL0937", MeterBus.PULSES),
        1: ("HLW8012", MeterBus.PULSES),
        2: ("HLW8032", MeterBus.UART),
        # LibreTiny's documentation says 4; UPK2ESPHome and ten published devices say 3.
        3: ("BL0942", MeterBus.UART),
    }
)
"""``chip_type``. Of 65 published configurations with it, those with 0 or 1 name pulse pins, with 2 or 3 none."""

UART1: Final = (10, 11)
"""RX and TX of the only UART that the firmware leaves to a chip; most boards with one do not name it."""


@dataclass(frozen=True, slots=True)
class PinUse:
    """One pin. ``number`` counts pins of a role from 1; ``active_high`` is None where the configuration is silent.

    ``source`` is the name in the configuration, or "UART1" for a pin that follows from the bus.
    """

    pin: int
    role: PinRole
    number: int
    active_high: bool | None
    source: str


@dataclass(frozen=True, slots=True)
class MeterWiring:
    """The metering chip: its name as far as it is known, its bus, the shunt in milliohms, and what says so."""

    chip: str | None
    bus: MeterBus | None
    shunt_milliohms: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class StockConfiguration:
    """The board as its stock firmware knows it. ``other`` are names without a meaning here, with their values.

    Limits are in volts and milliamperes; ``mcu_baud`` is the rate of the line to a microcontroller, None without one.
    """

    module: str | None
    chip: Chip | None
    pins: tuple[PinUse, ...]
    meter: MeterWiring | None
    mcu_baud: int | None = None
    under_voltage: int | None = None
    over_voltage: int | None = None
    over_current_ma: int | None = None
    other: Mapping[str, Value] = field(default_factory=dict)

    def with_role(self, role: PinRole) -> tuple[PinUse, ...]:
        """The pins of one role, by their number."""
        return tuple(use for use in self.pins if use.role is role)


def stock_configuration(values: Mapping[str, Value]) -> StockConfiguration | None:
    """The configuration in the values of a storage, by name; None where they have none."""
    parameters = values.get("user_param_key")
    baud = _mcu_baud(values)
    # Devices with a microcontroller have none: the pins are its own. Source: bk7231-image/stock-configuration.
    if not isinstance(parameters, dict):
        if baud is None:
            return None
        reason = "the storage has the rate of a line to a microcontroller, and no pins: what measures is behind it"
        return StockConfiguration(None, None, (), MeterWiring(None, MeterBus.MCU, None, reason), baud)
    return _configuration(_flat(parameters), baud)


def _configuration(flat: Mapping[str, Value], baud: int | None) -> StockConfiguration:
    pins = dict(_pins(flat))
    meter = _meter(flat, {use.role for use in pins.values()})
    if meter is not None and meter.bus is MeterBus.UART:
        # Most boards with a chip at UART1 do not name its pins, and no other are left to it.
        for pin, role in zip(UART1, (PinRole.METER_RX, PinRole.METER_TX), strict=True):
            if not any(use.role is role for use in pins.values()):
                pins[f"UART1 {role.name}"] = PinUse(pin, role, 1, None, "UART1")
    module = flat.get("module")
    used = {*pins, *(_level_name(name) for name in pins), *_READ}
    return StockConfiguration(
        module if isinstance(module, str) else None,
        chip_of_module(module) if isinstance(module, str) else None,
        tuple(sorted(pins.values(), key=lambda use: (list(PinRole).index(use.role), use.number, use.pin))),
        meter,
        baud,
        _whole(flat.get("lose_vol")),
        _whole(flat.get("over_vol")),
        _whole(flat.get("over_cur")),
        MappingProxyType({name: value for name, value in sorted(flat.items()) if name not in used}),
    )


_READ: Final = frozenset(
    {"module", "chip_type", "ele_fun_en", "resistor", "sample_resistor", "lose_vol", "over_vol", "over_cur"}
)
"""Names that become fields of their own."""


def _pins(flat: Mapping[str, Value]) -> Iterator[tuple[str, PinUse]]:
    for name, value in flat.items():
        pin = _whole(value)
        if pin is None or not 0 <= pin <= MAX_PIN:
            continue
        for pattern, role in _ROLES:
            if found := pattern.fullmatch(name):
                digits = found.groupdict().get("number") or ""
                yield name, PinUse(pin, role, int(digits or 1), _active_high(flat.get(_level_name(name))), name)
                break


def _level_name(name: str) -> str:
    """Where the level stands at which a pin is active."""
    return f"{name.removesuffix('_pin')}_lv"


def _active_high(level: Value) -> bool | None:
    return {0: False, 1: True}.get(level) if isinstance(level, int) else None


def _meter(flat: Mapping[str, Value], roles: set[PinRole]) -> MeterWiring | None:
    """What measures. With ``ele_fun_en`` 0 nothing does, whatever ``chip_type`` is; older firmware leaves it out."""
    shunt = flat.get("resistor", flat.get("sample_resistor"))
    milliohms = float(shunt) if isinstance(shunt, int) and not isinstance(shunt, bool) and 0 < shunt < 1000 else None
    kind = _whole(flat.get("chip_type")) if _whole(flat.get("ele_fun_en")) != 0 else None
    if kind is not None and kind in _METERS:
        chip, bus = _METERS[kind]
        return MeterWiring(chip, bus, milliohms, f"chip_type is {kind}")
    if PinRole.METER_CF in roles:
        said = "chip_type is missing" if kind is None else f"chip_type {kind} is not known"
        return MeterWiring(None, MeterBus.PULSES, milliohms, f"a pin counts energy pulses (ele_pin); {said}")
    if PinRole.METER_RX in roles or PinRole.METER_TX in roles:
        return MeterWiring(None, MeterBus.UART, milliohms, "ele_rx or ele_tx is given; nothing says which chip")
    if kind is not None:
        return MeterWiring(None, None, milliohms, f"chip_type {kind} is not known")
    return None


def _mcu_baud(values: Mapping[str, Value]) -> int | None:
    """The rate of the line to a microcontroller, as either kind of firmware keeps it."""
    for name, inner in (("baud_cfg", "baud"), ("uart_adapt_params", "uart_baud")):
        settings = values.get(name)
        if isinstance(settings, dict) and (baud := _whole(settings.get(inner))):
            return baud
    return None


def _whole(value: Value) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_TRUTHS: Final[Mapping[str, Value]] = MappingProxyType({"true": 1, "false": 0})


def _flat(parameters: Mapping[str, Value]) -> Mapping[str, Value]:
    """One level of names: the newer form as it is, the older one with the newer names."""
    if not isinstance(parameters.get("sw"), dict):
        return parameters
    flat: dict[str, Value] = {}
    for path, value in _leaves("", dict(parameters)):
        name = path
        for pattern, newer in _NESTED:
            name = pattern.sub(newer, name)
        name = re.sub(r"#(\d)", lambda found: str(int(found[1]) + 1), name).removesuffix("_value")
        flat[name] = _TRUTHS.get(str(value).lower(), value) if isinstance(value, str | bool) else value
    return flat


def _leaves(path: str, value: Value) -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(f"{path}_{name}" if path else name, inner)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for number, inner in enumerate(value):
            yield from _leaves(f"{path}_{number}", inner)
    else:
        yield path, value


# ---- in the code

_IN_CODE: Final = (b",crc:", b",module:", b"Jsonver:")
_MAX_TEXT: Final = 8192
"""Bytes of a text in code that is looked at; the longest configuration seen has 1,100."""

_MIN_PINS: Final = 2
"""Pins from which on a text in code is a configuration, and no format that one is printed with."""


def configuration_in_code(code: bytes) -> StockConfiguration | None:
    """A configuration that was compiled into plain code, in place of one in the storage; None without one."""
    for text in _texts(code):
        parameters = parse_lenient(text)
        if isinstance(parameters, dict) and len(dict(_pins(_flat(parameters)))) >= _MIN_PINS:
            return _configuration(_flat(parameters), None)
    return None


def _texts(code: bytes) -> Iterator[str]:
    """The texts in code, from NUL to NUL, that have a mark in them; each once."""
    for mark in _IN_CODE:
        at = -1
        for _ in range(MAX_RECORDS):
            at = code.find(mark, at + 1)
            if at < 0:
                break
            begin = code.rfind(b"\0", max(0, at - _MAX_TEXT), at) + 1
            end = code.find(b"\0", at, at + _MAX_TEXT)
            if 0 < begin < end:
                yield code[begin:end].decode("latin-1")
                at = end
