"""What a person wants of OpenBeken, apart from any configuration: applied to one, compared with one.

A board comes as OpenBeken's own template: JSON with ``pins`` ({"20": "Btn;1;2"}: role; channel; second channel),
``command`` (the startup command) and ``flags`` (all of them as one decimal number). Public lists of devices have them,
with numbers as text and roles in several spellings. Source: openbeken/configuration.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from wattrail.errors import ConfigError
from wattrail.image.openbeken_configuration import OpenBekenConfiguration, PinSetting
from wattrail.openbeken import CHANNELS, FIELDS, PINS, ROLES, SECRET_FIELDS, FieldKind
from wattrail.sanitize import printable

__all__ = [
    "CALIBRATION_NAMES",
    "OpenBekenSettings",
    "SettingChange",
    "differences",
    "pin_setting",
    "role_number",
    "template_settings",
    "whole_number",
]

CALIBRATION_NAMES: Final = ("volts", "amps", "watts")
"""Of the first slots of the calibration: counts for each unit, or units for each count with a BL0937."""

_MAX_DIGITS: Final = 20
_OTHER_SPELLINGS: Final = MappingProxyType(
    {
        "relay": "rel", "relay_n": "rel_n", "button": "btn", "button_n": "btn_n", "wifi_led": "wifiled",
        "digitalinput": "dinput", "digitalinput_n": "dinput_n", "togglechannelontoggle": "tglchanontgl",
        "sm2135_dat": "sm2135dat", "sm2135_clk": "sm2135clk", "sm2235_dat": "sm2235dat", "sm2235_clk": "sm2235clk",
        "": "none",
        "wifi_led_n": "wifiled_n",
        "btn_nextcolour": "btn_nextcolor",
        "bp5758_dat": "bp5758d_dat",
        "bp5758_clk": "bp5758d_clk",
    }
)  # fmt: skip
"""Roles as templates of people spell them, against the firmware's own names, both without capitals."""

_COMPARED_APART: Final = frozenset({"pins", "flags", "calibration", "version", "change_count", "ota_count"})
"""Fields with entries for each of their parts, and those that the firmware counts by itself."""


@dataclass(frozen=True, slots=True)
class OpenBekenSettings:
    """What is wanted; what is not named stays as it is.

    ``pins`` and ``flags`` stand for all of them where they are given; ``flags_on`` and ``flags_off`` for single ones.
    ``addresses`` are fields of four bytes as text, such as ``static_ip``.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    pins: Mapping[int, PinSetting] | None = None
    flags: frozenset[int] | None = None
    flags_on: frozenset[int] = frozenset()
    flags_off: frozenset[int] = frozenset()
    calibration: Mapping[int, float | None] = field(default_factory=dict)

    def over(self, below: OpenBekenSettings) -> OpenBekenSettings:
        """Both, where this one decides what both name."""
        return OpenBekenSettings(
            {**below.texts, **self.texts},
            {**below.numbers, **self.numbers},
            {**below.addresses, **self.addresses},
            below.pins if self.pins is None else self.pins,
            below.flags if self.flags is None else self.flags,
            below.flags_on - self.flags_off | self.flags_on,
            below.flags_off - self.flags_on | self.flags_off,
            {**below.calibration, **self.calibration},
        )

    def applied_to(self, configuration: OpenBekenConfiguration) -> OpenBekenConfiguration:
        """The configuration as it shall be, in the newest version. Raises ConfigError for what does not fit."""
        made = configuration.upgraded()
        for name, text in self.texts.items():
            made = made.with_text(name, text)
        for name, number in self.numbers.items():
            made = made.with_number(name, number)
        for name, address in self.addresses.items():
            made = made.with_raw(name, _four_bytes(name, address))
        if self.pins is not None:
            made = made.with_pins(self.pins)
        flags = made.flags if self.flags is None else self.flags
        made = made.with_flags(flags - self.flags_off | self.flags_on)
        return made.with_calibration(self.calibration) if self.calibration else made


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One setting that differs: its field, or what stands for it, and both values as text, passwords hidden."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name}: {self.before} -> {self.after}"


def differences(before: OpenBekenConfiguration, after: OpenBekenConfiguration) -> tuple[SettingChange, ...]:
    """What differs between two configurations, by field; bytes of no known field are one entry of their own."""
    # Both in the newest version, so that a field the older one lacks is compared by its meaning.
    return tuple(_differences(before.upgraded(), after.upgraded()))


def _differences(before: OpenBekenConfiguration, after: OpenBekenConfiguration) -> Iterator[SettingChange]:
    left, right = before.as_json(shows_secrets=True), after.as_json(shows_secrets=True)
    for name in left:
        if name not in _COMPARED_APART and left[name] != right[name]:
            yield SettingChange(name, _shown(name, left[name]), _shown(name, right[name]))
    for pin in sorted(before.pins.keys() | after.pins.keys()):
        if before.pins.get(pin) != after.pins.get(pin):
            yield SettingChange(f"pin P{pin}", _pin_text(before.pins.get(pin)), _pin_text(after.pins.get(pin)))
    for flag in sorted(before.flags ^ after.flags):
        yield SettingChange(f"flag {flag}", *(("on", "off") if flag in before.flags else ("off", "on")))
    for slot, (old, new) in enumerate(zip(before.calibration, after.calibration, strict=True)):
        stored = slice(4 * slot, 4 * slot + 4)
        # By their bytes: erased flash reads as NaN, which differs from itself.
        if before.raw("calibration")[stored] != after.raw("calibration")[stored]:
            yield SettingChange(f"calibration {_slot_name(slot)}", _number_text(old), _number_text(new))
    if _unknown_bytes(before) != _unknown_bytes(after):
        yield SettingChange("bytes of no known field", "as they are", "others")


def _unknown_bytes(configuration: OpenBekenConfiguration) -> bytes:
    blank = configuration
    for name, known in FIELDS.items():
        if name != "version":
            blank = blank.with_raw(name, bytes(known.length))
    return blank.data


def _shown(name: str, value: object) -> str:
    if name in SECRET_FIELDS:
        return "***" if value else "none"
    return repr(value) if isinstance(value, str) and FIELDS[name].kind is not FieldKind.BYTES else str(value)


def _pin_text(pin: PinSetting | None) -> str:
    return "none" if pin is None else f"{pin.role_name};{pin.channel};{pin.channel2}"


def _number_text(value: float | None) -> str:
    return "the driver's default" if value is None else f"{value:g}"


def _slot_name(slot: int) -> str:
    return CALIBRATION_NAMES[slot] if slot < len(CALIBRATION_NAMES) else f"slot {slot}"


def _four_bytes(name: str, address: str) -> bytes:
    parts = address.split(".")
    found = [part for text in parts if (part := whole_number(text, below=0x100)) is not None]
    if len(parts) != 4 or len(found) != 4:
        raise ConfigError(f"{name}: {printable(address, limit=60)!r} is not an address such as 192.168.1.20")
    return struct.pack("4B", *found)


def whole_number(text: str, *, below: int) -> int | None:
    """The number that a text is, None for another text. Templates come from strangers."""
    # Python raises ValueError for a number of more than 4300 digits; nothing here has more than those of 64 bits.
    return int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS and int(text) < below else None


# ---- templates


def role_number(name: str) -> int:
    """The number of a pin role by its name, whatever its capitals. Raises ConfigError."""
    plain = name.strip().lower()
    plain = _OTHER_SPELLINGS.get(plain, plain)
    for number, known in enumerate(ROLES):
        if known.lower() == plain:
            return number
    raise ConfigError(f"OpenBeken has no pin role {printable(name, limit=40)!r}", hint="Rel, Btn, LED, WifiLED_n, ...")


def pin_setting(text: str) -> PinSetting:
    """``Btn;1;2``: role, channel and second channel, of which the channels may be left out. Raises ConfigError."""
    role, *channels = text.replace(",", ";").split(";")
    found = [number for part in channels if (number := whole_number(part.strip(), below=CHANNELS)) is not None]
    if len(channels) > 2 or len(found) != len(channels):
        raise ConfigError(
            f"{printable(text, limit=60)!r} is not role;channel;channel, with channels 0 to {CHANNELS - 1}"
        )
    return PinSetting(role_number(role), *found)


def template_settings(text: str, where: str = "the template") -> OpenBekenSettings:
    """The settings of OpenBeken's template for a board, from its JSON. Raises ConfigError naming what does not fit."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{where} is not JSON: {error}", hint="it begins with {, as 'board export' writes it"
        ) from None
    if not isinstance(document, Mapping) or not ({"pins", "command", "flags", "flag"} & document.keys()):
        raise ConfigError(f"{where} is not a template: it has none of pins, command, flags")
    command, flags = document.get("command", ""), document.get("flags", document.get("flag"))
    if not isinstance(command, str):
        raise ConfigError(f"{where}: command is not text")
    settings = OpenBekenSettings({"startup_command": command} if command else {}, pins=_template_pins(document, where))
    return settings if flags in (None, "") else replace(settings, flags=_template_flags(flags, where))


def _template_pins(document: Mapping[str, object], where: str) -> Mapping[int, PinSetting] | None:
    pins = document.get("pins")
    if pins is None or pins == {}:
        return None  # a template without pins says nothing about them
    if not isinstance(pins, Mapping):
        raise ConfigError(f"{where}: pins is not an object")
    found: dict[int, PinSetting] = {}
    for name, value in pins.items():
        number = whole_number(str(name).lstrip("Pp"), below=PINS)
        if number is None or not isinstance(value, str):
            raise ConfigError(f"{where}: pin {printable(str(name), limit=20)!r} is not one of 0 to {PINS - 1}, as text")
        found[number] = pin_setting(value)
    return found


def _template_flags(flags: object, where: str) -> frozenset[int]:
    number = whole_number(str(flags).strip(), below=1 << 64)
    if number is None:
        shown = printable(str(flags).strip(), limit=40)
        raise ConfigError(f"{where}: flags {shown!r} is not one whole number of all flags")
    return frozenset(n for n in range(64) if number >> n & 1)
